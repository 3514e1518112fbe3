// @ts-check
/** Figures by shift: bars of differences or shares, and lines of probabilities. */

import { el, svg } from "faltung/dom";
import { number, percent } from "faltung/numbers";

const [WIDTH, HEIGHT, LEFT, BASE, TOP] = [460, 190, 44, 150, 14];
const COLOURS = ["input", "kernel", "output", "other"];

export class ShiftBars {
  /** @param {string} caption @param {(shift: number) => void} [onPick] */
  constructor(caption, onPick) {
    this.onPick = onPick;
    this.drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": caption, class: "ft-bars-by-shift" });
    this.caption = el("figcaption", {}, caption);
    this.element = el("figure", { class: "ft-figure" }, this.caption, this.drawing);
  }

  /**
   * @param {(number | null)[]} values by shift, from 0 on; null where nothing was compared
   * @param {number} here the shift that is shown
   * @param {{ isShare?: boolean, intervals?: number[][] }} [how]
   */
  show(values, here, { isShare = false, intervals = [] } = {}) {
    const most = isShare ? 1 : Math.max(...values.map((v) => v ?? 0)) || 1;
    const step = (WIDTH - LEFT) / values.length;
    const y = (/** @type {number} */ v) => BASE - ((BASE - TOP) * v) / most;
    const written = isShare ? (/** @type {number} */ v) => percent(v, 0) : number;
    const bars = values.map((v, shift) => {
      const x = LEFT + shift * step;
      const middle = x + step / 2;
      const name = shift === here ? "ft-shift-bar ft-is-here" : "ft-shift-bar";
      const height = v === null ? 0 : Math.max(v === 0 ? 0 : 1.5, BASE - y(v));
      const ends = intervals[shift];
      const bar = svg(
        "g",
        { class: name },
        svg("rect", { x: x.toFixed(1), y: TOP, width: step.toFixed(1), height: BASE - TOP + 18, class: "ft-catch" }),
        svg("rect", { x: (x + 2).toFixed(1), y: (BASE - height).toFixed(1), width: (step - 4).toFixed(1), height: height.toFixed(1), class: "ft-fill" }),
        ...(ends ? [svg("line", { x1: middle, x2: middle, y1: y(ends[0]), y2: y(ends[1]), class: "ft-interval" })] : []),
        ...(v === 0 && !isShare ? [svg("circle", { cx: middle, cy: BASE - 4, r: 2.5, class: "ft-none" })] : []),
        svg("text", { x: middle, y: BASE + 15, "text-anchor": "middle", class: "ft-axis" }, String(shift)),
        svg("title", {}, v === null ? `shift ${shift}: nothing to compare` : `shift ${shift}: ${written(v)}`),
      );
      if (this.onPick) bar.addEventListener("click", () => this.onPick?.(shift));
      return bar;
    });
    this.drawing.replaceChildren(...bars, ...axis(written(most), isShare ? "0 %" : "0"));
    this.drawing.setAttribute("aria-label", `${this.caption.textContent}: ${values.map((v, shift) => `${shift}: ${v === null ? "none" : written(v)}`).join("; ")}`);
  }
}

export class ShiftLines {
  /** @param {string} caption */
  constructor(caption) {
    this.drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": caption });
    this.caption = el("figcaption", {}, caption);
    this.element = el("figure", { class: "ft-figure" }, this.caption, this.drawing);
  }

  /** @param {number[]} shifts @param {string[]} names @param {number[][]} shares by name, then shift @param {number} here */
  show(shifts, names, shares, here) {
    const step = (WIDTH - LEFT) / shifts.length;
    const x = (/** @type {number} */ i) => LEFT + (i + 0.5) * step;
    const y = (/** @type {number} */ v) => BASE - (BASE - TOP) * v;
    const lines = shares.map((values, at) => svg("polyline", { points: values.map((v, i) => `${x(i).toFixed(1)},${y(v).toFixed(1)}`).join(" "), class: `ft-line-by-shift ft-of-${COLOURS[at % COLOURS.length]}`, "stroke-dasharray": ["none", "7 3", "2 3", "9 3 2 3"][at % 4] }));
    const ticks = shifts.map((shift, i) => (shift % 2 ? "" : svg("text", { x: x(i), y: BASE + 15, "text-anchor": "middle", class: "ft-axis" }, String(shift).replace("-", "−")))).filter((tick) => tick !== "");
    const words = names.map((name, at) => {
      const best = shares[at].indexOf(Math.max(...shares[at]));
      return svg("text", { x: x(best), y: y(shares[at][best]) - 3, "text-anchor": "middle", class: "ft-axis ft-of-word" }, name);
    });
    const now = shifts.indexOf(here);
    const mark = now < 0 ? [] : [svg("line", { x1: x(now), x2: x(now), y1: TOP, y2: BASE, class: "ft-now" })];
    this.drawing.replaceChildren(...mark, ...lines, ...words, ...ticks, ...axis("100 %", "0 %"));
    this.drawing.setAttribute("aria-label", `${this.caption.textContent}: ${names.map((name, at) => `${name} ${shares[at].map((v) => percent(v, 0)).join(", ")}`).join("; ")}`);
  }
}

/** @param {string} top @param {string} bottom */
function axis(top, bottom) {
  return [
    svg("line", { x1: LEFT, x2: WIDTH, y1: BASE, y2: BASE, class: "ft-rule" }),
    svg("text", { x: LEFT - 5, y: TOP + 8, "text-anchor": "end", class: "ft-axis" }, top),
    svg("text", { x: LEFT - 5, y: BASE, "text-anchor": "end", class: "ft-axis" }, bottom),
    svg("text", { x: WIDTH, y: HEIGHT - 6, "text-anchor": "end", class: "ft-axis" }, "pixels to the right"),
  ];
}
