// @ts-check
/**
 * Loss and accuracy against the steps of a training run, and where one stands on it.
 *
 * @import { Curve } from "faltung/network-live"
 */

import { el, svg } from "faltung/dom";
import { number, percent, whole } from "faltung/numbers";

const [WIDTH, HEIGHT, LEFT, BASE] = [520, 172, 46, 122];
/** Points that are drawn; more are thinned out. */
const MOST = 400;

export class CurveFigure {
  constructor() {
    this.drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "A training run", class: "ft-curve" });
    this.caption = el("figcaption");
    this.element = el("figure", { class: "ft-figure" }, this.caption, this.drawing);
  }

  /** @param {Curve} curve @param {number} step where one stands */
  show({ points, epochs, steps }, step) {
    const x = (/** @type {number} */ at) => LEFT + ((WIDTH - LEFT - 8) * at) / Math.max(1, steps);
    const most = Math.max(0.1, ...points.map(([, loss]) => loss).filter(Number.isFinite));
    const loss = (/** @type {number} */ v) => BASE - ((BASE - 10) * v) / most;
    const share = (/** @type {number} */ v) => BASE - (BASE - 10) * v;
    const every = Math.max(1, Math.ceil(points.length / MOST));
    const thin = points.filter((_, i) => i % every === 0 || i === points.length - 1);
    const line = (/** @type {[number, number][]} */ pairs, /** @type {string} */ name) =>
      svg("polyline", { points: pairs.map(([a, b]) => `${a.toFixed(1)},${b.toFixed(1)}`).join(" "), class: `ft-line ft-${name}-line` });
    const words = (/** @type {number} */ px, /** @type {number} */ py, /** @type {string} */ text, /** @type {string} */ name = "", anchor = "start") =>
      svg("text", { x: px, y: py, class: `ft-axis ${name}`, "text-anchor": anchor }, text);
    this.drawing.replaceChildren(
      svg("line", { x1: LEFT, x2: WIDTH - 8, y1: BASE, y2: BASE, class: "ft-axis-line" }),
      svg("line", { x1: LEFT, x2: WIDTH - 8, y1: share(1), y2: share(1), class: "ft-axis-line" }),
      words(LEFT - 6, share(1) + 4, "100 %", "", "end"),
      words(LEFT - 6, BASE + 4, "0", "", "end"),
      words(LEFT, BASE + 18, "step 0"),
      words(WIDTH - 8, BASE + 18, whole(steps), "", "end"),
      line(thin.map(([at, v]) => [x(at), loss(v)]), "loss"),
      line(thin.map(([at, , v]) => [x(at), share(v)]), "learned"),
      line(epochs.map(([at, v]) => [x(at), share(v)]), "held"),
      ...epochs.map(([at, v]) => svg("circle", { cx: x(at), cy: share(v), r: 2.5, class: "ft-held-point" })),
      svg("line", { x1: x(step), x2: x(step), y1: 4, y2: BASE, class: "ft-here" }),
      words(LEFT, HEIGHT - 4, "— loss", "ft-loss-word"),
      words(LEFT + 58, HEIGHT - 4, "— accuracy on the batch", "ft-learned-word"),
      words(LEFT + 212, HEIGHT - 4, "•— accuracy on digits held out", "ft-held-word"),
    );
    const [last, held] = [points.at(-1), epochs.at(-1)];
    const now = last ? `loss ${number(last[1])}${held ? `, ${percent(held[1])} of the digits held out are told right` : ""}` : "no step yet";
    this.drawing.setAttribute("aria-label", `Training: after ${whole(last?.[0] ?? 0)} of ${whole(steps)} steps ${now}`);
  }
}
