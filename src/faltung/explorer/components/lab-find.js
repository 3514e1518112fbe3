// @ts-check
/**
 * Lab, finding: a template slid over the picture, how alike each place is, and the best places.
 *
 * @import { Match } from "faltung/correlation"
 * @import { Frame } from "faltung/frame"
 * @import { Cell } from "faltung/grid"
 * @import { Named } from "faltung/lab-python"
 * @import { Pixels } from "faltung/pixels"
 * @import { State, Store } from "faltung/store"
 */

import { control } from "faltung/controls";
import { coefficient, Correlation, peaks } from "faltung/correlation";
import { el } from "faltung/dom";
import { fields } from "faltung/lab-state";
import { findPython } from "faltung/lab-python";
import { number, percent } from "faltung/numbers";
import { asText } from "faltung/pixels";
import { Raster } from "faltung/raster";
import { plain, range, signed } from "faltung/shading";
import { same } from "faltung/store";

/** Products after which a page would keep somebody waiting too long. */
const MOST_WORK = 3e9;
const PLACES = 50;
const LISTED = 12;
const SIDES = ["Top", "Left", "Height", "Width"];

export class LabFind {
  /** @param {Frame} frame @param {Store} store */
  constructor(frame, store) {
    this.frame = frame;
    this.store = store;
    /** @type {Correlation | null} */
    this.correlation = null;
    /** @type {Pixels | null} */
    this.template = null;
    /** @type {Match[]} */
    this.matches = [];
    /** @type {Cell | null} */
    this.hovered = null;
    this.isReady = false;
    this.wanted = 0;
    /** @type {any[]} what the heat map was computed from */
    this.computed = [];
    const over = (/** @type {Cell | null} */ at) => this.#hover(at);
    const pin = (/** @type {Cell | null} */ at) => store.set({ pinned: same(at, store.state.pinned) ? null : at });
    this.scene = new Raster({ label: "Picture: drag a box to cut a template, arrow keys move", caption: "Picture", onHover: over, onBox: (a, b) => this.#cut(a, b) });
    this.heat = new Raster({ label: "Correlation: arrow keys move, Enter pins", caption: "Correlation", onHover: over, onPin: pin });
    this.small = new Raster({ label: "Template", caption: "Template", tall: 140 });
    this.rows = el("tbody");
    const head = el("tr", {}, ...["place", "top", "left", "correlation", "visible"].map((name) => el("th", {}, name)));
    this.verdict = el("p", { class: "ft-found" });
    this.stage = el(
      "div",
      {},
      el("div", { class: "ft-grids ft-pictures" }, el("div", { class: "ft-input" }, this.scene.element), el("div", { class: "ft-output" }, this.heat.element)),
      el("div", { class: "ft-grids ft-kernels" }, el("div", { class: "ft-kernel ft-narrow" }, this.small.element), el("div", {}, this.verdict, el("div", { class: "ft-wide", tabIndex: 0, role: "region", "aria-label": "Places" }, el("table", { class: "ft-table ft-places" }, el("thead", {}, head), this.rows)))),
    );
    this.panel = this.#controls();
  }

  dispose() {
    this.wanted += 1;
    for (const raster of [this.scene, this.heat, this.small]) raster.dispose();
  }

  figures() {
    const { correlation } = this;
    return {
      isReady: this.isReady,
      heat: correlation && asText(correlation.heat),
      shape: correlation && [correlation.scene.height, correlation.scene.width],
      template: this.template && [this.template.height, this.template.width, this.template.channels],
      matches: this.matches,
      best: correlation ? Math.max(0, range(correlation.heat)[1]) : 0,
    };
  }

  /** @param {State} state @param {Pixels} x @param {Named} named @param {Pixels} template @param {Named} templateNamed */
  change(state, x, named, template, templateNamed) {
    const { line, full } = findPython(state, named, templateNamed);
    this.frame.setCode(line, full);
    if (x !== this.computed[0] || template !== this.computed[1] || state.min_visible !== this.computed[2]) {
      this.computed = [x, template, state.min_visible];
      this.template = template;
      this.scene.show(plain(x));
      this.scene.setCaption(`Picture, ${x.height}×${x.width}; drag a box over it to cut a template`);
      this.small.show(plain(template));
      this.small.setCaption(`Template, ${template.height}×${template.width}`);
      this.#compute(template, x, state.min_visible);
    } else if (this.isReady) this.#find();
    this.#mark();
  }

  /** @param {Pixels} template @param {Pixels} x @param {number} minVisible */
  async #compute(template, x, minVisible) {
    const mine = (this.wanted += 1);
    const correlation = new Correlation(template, x);
    this.isReady = false;
    if (correlation.work > MOST_WORK) {
      this.frame.setNote("Template and picture are too large together; cut a smaller template.");
      return;
    }
    const isDone = await this.frame.busy(correlation.run(minVisible, () => mine === this.wanted));
    if (!isDone || mine !== this.wanted) return;
    this.correlation = correlation;
    this.isReady = true;
    const { height, width } = correlation.scene;
    this.heat.show(signed({ height, width, channels: 1, data: correlation.heat, white: 1 }, 1));
    this.#find();
    this.#mark();
  }

  #find() {
    const { correlation, template } = this;
    if (!correlation || !template) return;
    const { height, width } = correlation.scene;
    const { threshold } = this.store.state;
    const apart = /** @type {Cell} */ ([template.height / 2, template.width / 2]);
    this.matches = peaks(correlation.heat, height, width, threshold, apart).map((peak) => ({
      top: peak.y - Math.floor(template.height / 2),
      left: peak.x - Math.floor(template.width / 2),
      score: peak.height,
      visible: correlation.visible[peak.row * width + peak.column],
    }));
    const isFlat = template.data.every((v, i) => v === template.data[Math.floor(i / (template.height * template.width)) * template.height * template.width]);
    this.#say(isFlat);
  }

  /** @param {boolean} isFlat */
  #say(isFlat) {
    const { matches } = this;
    const { threshold } = this.store.state;
    const { best } = this.figures();
    const none = isFlat ? "Not found: the template has one colour only, and correlates with nothing." : `Not found: the highest correlation is ${best.toFixed(3)}, ${threshold} is asked for.`;
    this.verdict.textContent = matches.length ? `Found at ${matches.length} place${matches.length === 1 ? "" : "s"}.` : none;
    this.rows.replaceChildren(
      ...matches.slice(0, LISTED).map(({ top, left, score, visible }, i) => {
        const cells = [String(i + 1), top.toFixed(2), left.toFixed(2), score.toFixed(3), percent(visible, 0)];
        return el("tr", {}, ...cells.map((text) => el("td", {}, text.replace("-", "−"))));
      }),
    );
    this.heat.setCaption(`Correlation, from −1 (orange) to 1 (blue); highest ${best.toFixed(3)}`);
  }

  #mark() {
    const { template, correlation } = this;
    if (!template) return;
    const { state } = this.store;
    const places = this.isReady ? this.matches.slice(0, PLACES) : [];
    const { height: h, width: w } = template;
    const found = places.map(({ top, left }, i) => ({ y: Math.round(top), x: Math.round(left), h, w, colour: "kernel", label: String(i + 1) }));
    const [top, left, height, width] = state.box;
    const cut = state.template === "cut" ? [{ y: top, x: left, h: height, w: width, colour: "input", dashed: true }] : [];
    const at = this.hovered ?? state.pinned;
    const isThere = at && correlation && this.isReady && at[0] < correlation.scene.height && at[1] < correlation.scene.width;
    const here = isThere ? [{ y: at[0] - Math.floor(h / 2), x: at[1] - Math.floor(w / 2), h, w, colour: "output" }] : [];
    this.scene.mark({ outlines: [...cut, ...found, ...here] });
    this.heat.mark(this.hovered || !isThere ? { outlines: isThere ? [{ y: at[0], x: at[1], colour: "output" }] : [] } : { pinned: at });
    this.frame.setFormula(isThere ? this.#sum(correlation, at) : "Point at a pixel of the map: its correlation is spelt out here.");
  }

  /** @param {Correlation} correlation @param {Cell} at */
  #sum(correlation, [y, x]) {
    const sums = correlation.sums(y, x);
    const add = (/** @type {number[]} */ values) => values.reduce((sum, v) => sum + v, 0);
    const n = sums.n * sums.t.length;
    const r = correlation.heat[y * correlation.scene.width + x];
    const [t, s] = [add(sums.t), add(sums.s)];
    const isFlat = n * sums.ss === s * s || n * sums.tt === t * t;
    const few = correlation.visible[y * correlation.scene.width + x] < this.store.state.min_visible;
    if (few) return `r[${y}, ${x}] = 0: too little of the template is visible (${percent(correlation.visible[y * correlation.scene.width + x], 0)})`;
    if (isFlat) return `r[${y}, ${x}] = 0: one colour alone has no direction to agree with (0/0)`;
    const both = sums.t.length > 1 ? "; in colour the lesser of this and of the pattern's counts" : "";
    const line = `(${number(n)}·${number(sums.ts)} − ${number(t)}·${number(s)}) / √((${number(n)}·${number(sums.tt)} − ${number(t)}²)·(${number(n)}·${number(sums.ss)} − ${number(s)}²))`;
    return `r[${y}, ${x}] = ${line} = ${number(coefficient({ ...sums, t: [t], s: [s], n }))}${both}${sums.t.length > 1 ? `: ${number(r)}` : ""}`;
  }

  /** @param {Cell | null} at */
  #hover(at) {
    if (same(at, this.hovered)) return;
    this.hovered = at;
    this.#mark();
  }

  /** @param {Cell} from @param {Cell} to */
  #cut(from, to) {
    const [top, left] = [Math.min(from[0], to[0]), Math.min(from[1], to[1])];
    const [height, width] = [Math.abs(from[0] - to[0]) + 1, Math.abs(from[1] - to[1]) + 1];
    if (height < 2 || width < 2) return;
    this.store.set({ template: "cut", box: [top, left, Math.min(96, height), Math.min(96, width)] }, true);
  }

  #controls() {
    const { store } = this;
    const boxes = SIDES.map((label, i) => {
      const box = el("input", { type: "number", min: i < 2 ? "0" : "1", max: i < 2 ? "319" : "96", "aria-label": `${label} of the cut` });
      box.addEventListener("change", () => {
        const cut = [...store.state.box];
        cut[i] = Math.max(i < 2 ? 0 : 1, Math.round(Number(box.value) || 0));
        store.set({ box: cut });
        box.value = String(store.state.box[i]);
      });
      store.subscribe((state) => {
        box.value = String(state.box[i]);
      });
      return el("label", { class: "ft-tiny" }, label, box);
    });
    const row = el("div", { class: "ft-four" }, ...boxes);
    row.dataset.field = "box";
    store.subscribe((state) => {
      row.hidden = state.template !== "cut";
    });
    const names = /** @type {(keyof typeof fields)[]} */ (["threshold", "min_visible"]);
    return el(
      "div",
      { class: "ft-panel-part" },
      el("fieldset", { class: "ft-controls" }, el("legend", {}, "Template"), control(store, "template", fields.template), row, ...names.map((name) => control(store, name, fields[name]))),
    );
  }
}
