// @ts-check
/**
 * Lab, detecting: a classifier of patches looks at every window of the picture in one pass.
 *
 * @import { Cell } from "faltung/grid"
 * @import { Frame } from "faltung/frame"
 * @import { Named } from "faltung/lab-python"
 * @import { Pixels } from "faltung/pixels"
 * @import { State, Store } from "faltung/store"
 * @import { Host } from "faltung/view"
 */

import { button, control, fileButton } from "faltung/controls";
import { el, freshId } from "faltung/dom";
import { fields } from "faltung/lab-state";
import { detectPython } from "faltung/lab-python";
import { number, percent, whole } from "faltung/numbers";
import { asBytes } from "faltung/pixels";
import { Raster } from "faltung/raster";
import { plain, signed } from "faltung/shading";
import { same } from "faltung/store";

const PLACES = 60;
const LISTED = 10;

export class LabDetect {
  /** @param {Frame} frame @param {Store} store @param {Host} host @param {() => void} toPage shows the picture of the recording */
  constructor(frame, store, host, toPage) {
    this.frame = frame;
    this.store = store;
    this.host = host;
    this.recorded = host.data.detected;
    /** @type {any} what Python found, or what it found beforehand */
    this.found = null;
    /** @type {Pixels | null} */
    this.x = null;
    /** @type {any[]} what was asked for */
    this.asked = [];
    /** @type {{ name: string, label: string } | null} */
    this.model = null;
    this.wanted = 0;
    /** @type {Cell | null} */
    this.hovered = null;
    this.scene = new Raster({ label: "Picture: arrow keys move", caption: "Picture", onHover: (at) => this.#hover(at && this.#windowOf(at)) });
    this.map = new Raster({ label: "Probability of each window: arrow keys move", caption: "Probability", onHover: (at) => this.#hover(at) });
    this.verdict = el("p", { class: "ft-found" });
    this.rows = el("tbody");
    const head = el("tr", {}, ...["class", "there is one", "probability", "top", "left"].map((name) => el("th", {}, name)));
    this.stage = el(
      "div",
      {},
      el("div", { class: "ft-grids ft-pictures" }, el("div", { class: "ft-input" }, this.scene.element), el("div", { class: "ft-output" }, this.map.element)),
      this.verdict,
      el("div", { class: "ft-wide", tabIndex: 0, role: "region", "aria-label": "Classes" }, el("table", { class: "ft-table ft-rows" }, el("thead", {}, head), this.rows)),
    );
    this.list = el("select", { id: freshId("map") });
    this.list.addEventListener("change", () => store.set({ digit: Number(this.list.value) }));
    this.panel = this.#controls(toPage);
  }

  dispose() {
    this.wanted += 1;
    this.scene.dispose();
    this.map.dispose();
  }

  figures() {
    const { found } = this;
    return found ? { ...found, maps: undefined, map: Array.from(this.#levels()), model: this.model?.label ?? "digits" } : null;
  }

  /** @param {State} state @param {Pixels} x @param {Named} named */
  change(state, x, named) {
    const { line, full } = detectPython(state, named, this.model?.label ?? "");
    this.frame.setCode(line, full);
    if (x !== this.x) {
      this.x = x;
      this.scene.show(plain(x));
      this.scene.setCaption(`Picture, ${x.height}×${x.width}`);
    }
    const asked = [x, state.certain, this.model];
    if (asked.some((each, i) => each !== this.asked[i])) {
      this.asked = asked;
      this.#look(state, x);
    } else this.#show();
  }

  /** @param {State} state @param {Pixels} x */
  async #look(state, x) {
    const mine = (this.wanted += 1);
    this.found = null;
    const isRecorded = state.picture === "page" && !this.model && state.certain === this.recorded.threshold;
    if (isRecorded) this.found = this.recorded;
    else if (this.host.canAsk) {
      const { height, width, channels } = x;
      const given = { pixels: asBytes(x), height, width, channels, threshold: state.certain, ...(this.model ? { model: this.model.name } : {}) };
      const found = await this.frame.busy(this.host.ask("lab.detect", given));
      if (mine !== this.wanted) return;
      this.found = found ?? null;
    } else {
      this.frame.setNote(`A saved page has the page of digits alone, recorded at a probability of ${this.recorded.threshold}. For your own picture and model: faltung explore lab`);
    }
    this.#show();
  }

  #show() {
    const { found } = this;
    this.verdict.hidden = !found;
    this.rows.replaceChildren();
    if (!found) {
      this.map.show({ height: 0, width: 0, rgba: new Uint8ClampedArray() });
      this.map.setCaption("Probability: nothing yet");
      this.#mark();
      return;
    }
    const [rows, cols] = found.windows;
    const names = found.maps.names;
    this.list.replaceChildren(...names.map((/** @type {string} */ name, /** @type {number} */ i) => el("option", { value: String(i) }, name)));
    this.list.value = String(this.#digit());
    const levels = this.#levels();
    this.map.show(signed({ height: rows, width: cols, channels: 1, data: Float64Array.from(levels), white: 255 }, 255));
    this.map.setCaption(`Probability of ${names[this.#digit()]} in each of ${rows}×${cols} windows`);
    this.verdict.textContent = this.#words(rows * cols);
    const table = found.classes.slice(0, LISTED).map((/** @type {any} */ each) =>
      el("tr", {}, ...[each.name, each.is_there ? "yes" : "no", each.probability.toFixed(3), String(each.top), String(each.left)].map((text) => el("td", {}, text))),
    );
    this.rows.replaceChildren(...table);
    this.#mark();
  }

  /** @param {number} windows */
  #words(windows) {
    const { patch, stride, comparison, detections } = this.found;
    const ran = `${whole(windows)} windows of ${patch[1]}×${patch[2]}, ${stride[0]} pixels apart, in one pass; ${detections.length} of them found.`;
    if (!comparison) return `${ran} No layer pads: each has the very scores that the classifier gives it alone.`;
    const { windows: compared, equal, largest, changed } = comparison;
    return `${ran} The classifier pads its patches: inside a picture a window sees its neighbours there instead. Of ${compared} windows compared with the classifier alone ${compared - equal} have other scores (by up to ${number(largest)}), ${changed} another class. Every window gets a class: a classifier that never saw what is none of them finds something anywhere.`;
  }

  #mark() {
    const { found } = this;
    if (!found) {
      this.scene.mark({});
      this.map.mark({});
      this.frame.setFormula("");
      return;
    }
    const [, h, w] = found.patch;
    const boxes = found.detections.slice(0, PLACES).map((/** @type {any} */ d) => ({ y: d.top, x: d.left, h, w, colour: "kernel", label: d.name }));
    const at = this.hovered;
    const here = at ? [{ y: at[0] * found.stride[0], x: at[1] * found.stride[1], h, w, colour: "output" }] : [];
    this.scene.mark({ outlines: [...boxes, ...here] });
    this.map.mark({ outlines: at ? [{ y: at[0], x: at[1], colour: "output" }] : [] });
    this.frame.setFormula(at ? this.#odds(at) : "Point at a window: its probabilities are written here.");
  }

  /** @param {Cell} at */
  #odds([row, column]) {
    const { maps, windows, stride } = this.found;
    const size = windows[0] * windows[1];
    const bytes = this.#bytes();
    const each = maps.names.map((/** @type {string} */ name, /** @type {number} */ i) => `${name} ${percent(bytes[i * size + row * windows[1] + column] / 255, 0)}`);
    return `window (${row}, ${column}), at pixel (${row * stride[0]}, ${column * stride[1]}): ${each.join(", ")}`;
  }

  #digit() {
    return Math.min(this.store.state.digit, this.found.maps.names.length - 1);
  }

  #bytes() {
    return Uint8Array.from(atob(this.found.maps.levels), (sign) => sign.charCodeAt(0));
  }

  #levels() {
    const [rows, cols] = this.found.windows;
    return this.#bytes().slice(this.#digit() * rows * cols, (this.#digit() + 1) * rows * cols);
  }

  /** The window whose middle is nearest to a pixel. @param {Cell} at @returns {Cell | null} */
  #windowOf([y, x]) {
    const { found } = this;
    if (!found) return null;
    const near = (/** @type {number} */ v, /** @type {number} */ axis) =>
      Math.min(found.windows[axis] - 1, Math.max(0, Math.round((v - found.patch[axis + 1] / 2) / found.stride[axis])));
    return [near(y, 0), near(x, 1)];
  }

  /** @param {Cell | null} at */
  #hover(at) {
    if (same(at, this.hovered)) return;
    this.hovered = at;
    this.#mark();
  }

  /** @param {() => void} toPage */
  #controls(toPage) {
    const { store, host } = this;
    const label = el("label", { for: this.list.id }, "Map of");
    const name = el("p", { class: "ft-small" }, "Model: digits, trained beforehand");
    const open = fileButton("Open a classifier", ".onnx", async (file) => {
      const given = await this.frame.busy(host.upload(file, file.name));
      if (!given) return;
      this.model = { name: given, label: file.name };
      name.textContent = `Model: ${file.name}`;
      store.set({ task: "detect" });
      if (this.x) this.change(store.state, this.x, { picture: store.state.picture, file: "" });
    });
    const files = host.canAsk ? el("div", { class: "ft-buttons" }, open) : el("p", { class: "ft-small" }, "For your own picture and classifier: faltung explore lab");
    return el(
      "div",
      { class: "ft-panel-part" },
      el(
        "fieldset",
        { class: "ft-controls" },
        el("legend", {}, "Detector"),
        name,
        files,
        control(store, "certain", fields.certain),
        el("div", { class: "ft-control" }, label, this.list),
        el("div", { class: "ft-buttons" }, button("Show the page of digits", toPage)),
      ),
    );
  }
}
