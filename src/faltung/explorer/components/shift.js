// @ts-check
/**
 * Shift: what moves when the input moves. Shift-then-layer beside layer-then-shift.
 *
 * @import { Frame } from "faltung/frame"
 * @import { Cell } from "faltung/grid"
 * @import { Pixels } from "faltung/pixels"
 * @import { Difference, Plane } from "faltung/shift-layers"
 * @import { State, Store } from "faltung/store"
 * @import { Host, Shown, View } from "faltung/view"
 */

import { control, controls, fileButton } from "faltung/controls";
import { el, freshId } from "faltung/dom";
import { Grid } from "faltung/grid";
import { number, percent } from "faltung/numbers";
import { readPicture, sentPicture } from "faltung/pixels";
import { Raster } from "faltung/raster";
import { plain, range, signed } from "faltung/shading";
import { ShiftBars } from "faltung/shift-curve";
import { compare, fieldOf, periodOf, shifted, through } from "faltung/shift-layers";
import { ShiftNetwork } from "faltung/shift-network";
import { shiftPython } from "faltung/shift-python";
import { example, FARTHEST, fields, fit, KERNELS, PRESETS, stepsOf, WORDS } from "faltung/shift-state";
import { same } from "faltung/store";

/** Pixels of a picture's longer side. */
const LONGEST = 48;
const DIGIT_MARGIN = 2;

/** @type {View} */
export const shift = {
  name: "shift",
  title: "Shift",
  question: "What moves when the input moves?",
  fields,
  example,
  fit,
  mount: (frame, store, host) => new Shift(frame, store, host).shown(),
};

class Shift {
  /** @param {Frame} frame @param {Store} store @param {Host} host */
  constructor(frame, store, host) {
    this.frame = frame;
    this.store = store;
    this.host = host;
    /** @type {Record<string, Pixels>} */
    this.pictures = {};
    this.file = host.data.pictures.own?.label ?? "";
    /** @type {Difference | null} */
    this.found = null;
    /** @type {(number | null)[]} the largest difference by shift to the right */
    this.curve = [];
    this.unchanged = 0;
    /** @type {Cell | null} */
    this.hovered = null;
    /** @type {{ from: Cell | null, dy: number, dx: number }} */
    this.drag = { from: null, dy: 0, dx: 0 };
    /** @type {HTMLElement | null} */
    this.region = null;
    /** @type {Pixels | null} a digit without its margin */
    this.cropped = null;
    const over = (/** @type {Cell | null} */ at) => this.#hover(at);
    this.input = new Raster({ label: "Picture: drag it, or move it with the arrow keys", caption: "", tall: 300, onBox: (from, to) => this.#dragged(from, to), onStep: ([y, x]) => this.#move(store.state.dy + y, store.state.dx + x, true) });
    this.first = new Raster({ label: "Shift, then layer: arrow keys move", caption: "", tall: 300, onHover: over });
    this.second = new Raster({ label: "Layer, then shift: arrow keys move", caption: "", tall: 300, onHover: over });
    this.difference = new Raster({ label: "Difference: arrow keys move", caption: "", tall: 300, onHover: over });
    this.bars = new ShiftBars("Largest difference by shift to the right", (dx) => this.#move(0, dx, false));
    this.facts = el("dl", { class: "ft-facts" });
    this.kernel = new Grid({ label: "Kernel: arrow keys move, Enter edits, digits edit", caption: "Kernel", height: 130, largest: 32, onEdit: ([y, x], given) => this.#edit(y, x, given) });
    this.network = new ShiftNetwork(frame, store, host);
    this.words = el("p", { class: "ft-small" });
    const top = el("div", { class: "ft-grids ft-pictures" }, el("div", { class: "ft-input" }, this.input.element), el("div", {}, this.bars.element, this.network.lines.element));
    const maps = [this.first, this.second, this.difference].map((raster) => el("div", { class: "ft-output" }, raster.element));
    this.layers = el("div", { class: "ft-kernels-below" }, this.facts, el("div", { class: "ft-grids ft-thirds" }, ...maps));
    frame.stage.append(top, this.layers, this.network.element, this.words);
    this.#panel();
    this.stop = store.subscribe((state) => this.#change(state));
    this.#load();
  }

  /** @returns {Shown} */
  shown() {
    return {
      figures: () => this.figures(),
      dispose: () => {
        this.stop();
        this.network.dispose();
        for (const each of [this.input, this.first, this.second, this.difference, this.kernel]) each.dispose();
      },
    };
  }

  figures() {
    const { found } = this;
    const x = this.#plane(this.store.state);
    const isLoaded = Object.keys(this.pictures).length === Object.keys(this.host.data.pictures).length;
    const picture = x && { height: x.height, width: x.width, data: Array.from(x.data) };
    if (this.store.state.layer === "network") return { isLoaded, picture, network: this.network.figures(), python: this.frame.full };
    if (!found) return { isLoaded, picture };
    const list = (/** @type {Plane} */ { height, width, data }) => ({ shape: [height, width], data: Array.from(data, (v) => (Number.isNaN(v) ? null : v)) });
    return {
      isLoaded,
      picture,
      first: list(found.first),
      second: list(found.second),
      difference: list(found.difference),
      moved: found.moved,
      largest: found.largest,
      positions: found.positions,
      differing: found.differing,
      rows: lines(found.difference, 0),
      columns: lines(found.difference, 1),
      curve: this.curve,
      period: periodOf(this.curve),
      stride: fieldOf(stepsOf(this.store.state))[1].jump,
      unchanged: this.unchanged,
      python: this.frame.full,
    };
  }

  // Pictures -------------------------------------------------------------------------------

  async #load() {
    const { pictures } = this.host.data;
    for (const name of Object.keys(pictures)) this.pictures[name] = asGrey(await sentPicture(pictures[name], LONGEST));
    const said = this.frame.note.textContent ?? "";
    this.#change(this.store.state);
    if (!this.frame.note.textContent) this.frame.setNote(said);
  }

  /** @param {State} state @returns {Pixels | undefined} */
  #plane(state) {
    return this.pictures[state.picture] ?? this.pictures.noise;
  }

  /** @param {File} file */
  async #open(file) {
    const pixels = await this.frame.busy(readPicture(file, LONGEST));
    if (!pixels) return;
    this.pictures = { ...this.pictures, own: asGrey(pixels) };
    this.file = file.name;
    if (this.store.state.picture === "own") this.#change(this.store.state);
    else this.store.set({ picture: "own" });
  }

  // What is shown --------------------------------------------------------------------------

  /** @param {State} state */
  #change(state) {
    const x = this.#plane(state);
    if (!x) return;
    const isNetwork = state.layer === "network";
    const isLost = state.picture === "own" && !this.pictures.own;
    this.frame.setNote(isLost ? "A link does not carry its author's own picture: this is noise instead." : "");
    this.layers.hidden = isNetwork;
    this.network.element.hidden = !isNetwork;
    this.network.lines.element.hidden = !isNetwork;
    this.bars.element.hidden = isNetwork;
    const isTorus = state.move === "torus" && !isNetwork;
    this.input.show(plain({ ...x, ...shifted(x, state.dy, state.dx, isTorus) }));
    this.input.setCaption(`Picture, ${x.height}×${x.width}, moved by (${number(state.dy)}, ${number(state.dx)}): drag it`);
    this.words.textContent = WORDS[state.layer];
    if (isNetwork) this.network.change(state, this.#forNetwork(state, x));
    else this.#compare(state, x, isLost);
  }

  /** A digit without the margin that it has here. @param {State} state @param {Pixels} x */
  #forNetwork(state, x) {
    if (state.picture !== "digit" || x.width !== 28 + 2 * DIGIT_MARGIN) return x;
    if (this.cropped) return this.cropped;
    const data = new Float64Array(28 * 28);
    for (let i = 0; i < data.length; i += 1) data[i] = x.data[(Math.floor(i / 28) + DIGIT_MARGIN) * x.width + (i % 28) + DIGIT_MARGIN];
    this.cropped = { ...x, height: 28, width: 28, data };
    return this.cropped;
  }

  /** @param {State} state @param {Pixels} x @param {boolean} isLost */
  #compare(state, x, isLost) {
    const steps = stepsOf(state);
    const [isTorus, isInside] = [state.move === "torus", state.region === "inside"];
    this.found = compare(x, steps, state.dy, state.dx, isTorus, isInside);
    this.curve = Array.from({ length: FARTHEST + 1 }, (_, dx) => compare(x, steps, 0, dx, isTorus, isInside).largest);
    const still = through(x, steps);
    const stays = this.found.first.data.filter((v, i) => v === still.data[i]).length;
    this.unchanged = stays / Math.max(1, still.data.length);
    this.#draw(this.found, state);
    this.bars.show(this.curve, state.dy === 0 ? Math.abs(state.dx) : -1);
    const named = state.picture === "own" && !isLost ? { picture: "", file: this.file } : { picture: isLost ? "noise" : state.picture, file: "" };
    const { line, full } = shiftPython(state, this.found.moved, named);
    this.frame.setCode(line, full);
  }

  /** @param {Difference} found @param {State} state */
  #draw({ first, second, difference, largest, positions, differing, moved }, state) {
    const ends = [first, second].flatMap(({ data }) => range(data));
    const limit = Math.max(...ends.map(Math.abs));
    const isSigned = Math.min(...ends) < 0;
    const shot = (/** @type {Plane} */ plane) => {
      const pixels = { ...plane, channels: 1, white: limit || 1 };
      return isSigned ? signed(pixels, limit) : plain(pixels);
    };
    const sizes = `${first.height}×${first.width}`;
    this.first.show(shot(first));
    this.second.show(shot(second));
    this.difference.show(signed({ ...difference, channels: 1, white: 1 }, largest || 1));
    this.first.setCaption(`Shift, then layer: ${sizes}`);
    this.second.setCaption(`Layer, then shift by (${moved.map(number).join(", ")})`);
    this.difference.setCaption(`Their difference${positions < first.data.length ? "; grey: not compared" : ""}`);
    this.#say(difference, largest, positions, differing);
    this.#mark();
    this.frame.setNote(this.#note(state, first, positions) || this.frame.note.textContent || "");
  }

  /** @param {Plane} difference @param {number | null} largest @param {number} positions @param {number} differing */
  #say(difference, largest, positions, differing) {
    const period = periodOf(this.curve);
    const jump = fieldOf(stepsOf(this.store.state))[1].jump;
    const facts = {
      "Largest difference": largest === null ? "nothing to compare" : number(largest),
      "Positions compared": `${number(positions)}, of which ${number(differing)} differ`,
      "Columns that differ": listed(lines(difference, 1)),
      "Rows that differ": listed(lines(difference, 0)),
      "Period along a row": period === null ? `none up to ${FARTHEST}` : `${period} (total stride ${jump})`,
      "Outputs unchanged in place": percent(this.unchanged),
    };
    this.facts.replaceChildren(...Object.entries(facts).map(([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, text))));
  }

  /** @param {State} state @param {Plane} first @param {number} positions */
  #note(state, first, positions) {
    if (!positions) return "No output is free of the border: there is nothing to compare.";
    const x = this.#plane(state);
    const jump = fieldOf(stepsOf(state))[1].jump;
    if (x && state.move === "torus" && x.width % jump !== 0) return `The total stride ${jump} does not divide ${x.width} columns: round the torus the outputs do not meet again.`;
    return "";
  }

  #mark() {
    const { found, hovered } = this;
    if (!found) return;
    const { height, width } = found.first;
    const at = hovered && hovered[0] < height && hovered[1] < width ? hovered : null;
    const outlines = at ? [{ y: at[0], x: at[1], colour: "ink" }] : [];
    for (const raster of [this.first, this.second, this.difference]) raster.mark({ outlines });
    this.frame.setFormula(at ? this.#sum(found, at) : "Point at an output: both values are written here.");
  }

  /** @param {Difference} found @param {Cell} at */
  #sum({ first, second, difference }, [y, x]) {
    const i = y * first.width + x;
    if (Number.isNaN(difference.data[i])) return `(${y}, ${x}): not compared; the border has a part in it`;
    return `(${y}, ${x}): shift, then layer ${number(first.data[i])}; layer, then shift ${number(second.data[i])}; difference ${number(difference.data[i])}`;
  }

  /** @param {Cell | null} at */
  #hover(at) {
    if (same(at, this.hovered)) return;
    this.hovered = at;
    this.#mark();
  }

  // Moving ---------------------------------------------------------------------------------

  /** @param {number} dy @param {number} dx @param {boolean} isDrag */
  #move(dy, dx, isDrag) {
    this.store.set({ dy, dx }, isDrag);
  }

  /** @param {Cell} from @param {Cell} to */
  #dragged(from, to) {
    const { dy, dx } = this.store.state;
    if (this.drag.from !== from) this.drag = { from, dy, dx };
    this.#move(this.drag.dy + to[0] - from[0], this.drag.dx + to[1] - from[1], true);
  }

  /** @param {number} y @param {number} x @param {number} given */
  #edit(y, x, given) {
    const kernel = structuredClone(this.store.state.kernel);
    kernel[y][x] = given;
    this.store.set({ kernel });
  }

  // Controls -------------------------------------------------------------------------------

  #panel() {
    const { frame, store } = this;
    const id = freshId("preset");
    const list = el("select", { id }, el("option", { value: "" }, "a setting …"), ...Object.keys(PRESETS).map((name) => el("option", { value: name }, name)));
    list.addEventListener("change", () => {
      if (list.value) store.set(PRESETS[list.value]);
      list.value = "";
    });
    const open = fileButton("Open a picture", "image/png,image/jpeg,image/gif,image/webp,image/bmp", (file) => this.#open(file));
    frame.element.addEventListener("dragover", (event) => event.preventDefault());
    frame.element.addEventListener("drop", (event) => {
      event.preventDefault();
      const file = event.dataTransfer?.files[0];
      if (file) this.#open(file);
    });
    const presets = el("div", { class: "ft-control" }, el("label", { for: id }, "Worth a look"), list);
    const picture = el("fieldset", { class: "ft-controls" }, el("legend", {}, "Picture"), presets, control(store, "picture", fields.picture), el("div", { class: "ft-buttons" }, open));
    const layer = el("fieldset", { class: "ft-controls" }, el("legend", {}, "Layer"), control(store, "layer", fields.layer), this.#kernelSelect(), this.kernel.element, ...["padding", "stride", "window"].map((name) => control(store, name, /** @type {any} */ (fields)[name])));
    this.region = controls(store, fields, ["region"], "Comparison");
    frame.panel.append(picture, controls(store, fields, ["dy", "dx", "move"], "Shift"), layer, this.region, this.network.panel);
    store.subscribe((state) => this.#fitPanel(state));
  }

  /** Show only what the layer has. @param {State} state */
  #fitPanel(state) {
    const uses = /** @type {Record<string, string[]>} */ ({
      conv: ["kernel", "padding"],
      stride: ["kernel", "padding", "stride"],
      max: ["stride", "window"],
      avg: ["stride", "window"],
      blur: ["padding", "stride", "window"],
      stack: ["kernel", "padding", "window"],
      network: [],
    })[state.layer];
    for (const name of ["kernel", "padding", "stride", "window"]) {
      const row = /** @type {HTMLElement} */ (this.frame.panel.querySelector(`[data-field=${name}]`));
      row.hidden = !uses.includes(name);
    }
    const move = /** @type {HTMLElement} */ (this.frame.panel.querySelector("[data-field=move]"));
    move.hidden = state.layer === "network";
    if (this.region) this.region.hidden = state.layer === "network";
    this.kernel.element.hidden = !uses.includes("kernel");
    this.network.panel.hidden = state.layer !== "network";
    this.kernel.show({ rows: state.kernel.length, cols: state.kernel[0].length, value: (y, x) => state.kernel[y][x] });
  }

  #kernelSelect() {
    const { store } = this;
    const id = freshId("kernel");
    const list = el("select", { id }, el("option", { value: "" }, "your own"), ...Object.keys(KERNELS).map((name) => el("option", { value: name }, name)));
    list.addEventListener("change", () => {
      if (list.value) store.set({ kernel: KERNELS[list.value] });
    });
    store.subscribe((state) => {
      list.value = Object.keys(KERNELS).find((name) => same(KERNELS[name], state.kernel)) ?? "";
    });
    const row = el("div", { class: "ft-control" }, el("label", { for: id }, "Kernel"), list);
    row.dataset.field = "kernel";
    return row;
  }
}

/** Rows (axis 0) or columns (1) in which something differs. @param {Plane} difference @param {0 | 1} axis */
function lines({ height, width, data }, axis) {
  const count = axis === 0 ? height : width;
  const others = axis === 0 ? width : height;
  const differs = (/** @type {number} */ i) =>
    Array.from({ length: others }, (_, j) => data[axis === 0 ? i * width + j : j * width + i]).some((v) => !Number.isNaN(v) && v !== 0);
  return Array.from({ length: count }, (_, i) => i).filter(differs);
}

/** @param {number[]} found */
function listed(found) {
  if (!found.length) return "none";
  return found.length <= 8 ? found.join(", ") : `${found.slice(0, 6).join(", ")}, … (${found.length})`;
}

/** A picture in grey, in whole numbers, as ITU-R BT.601 weighs its colours. @param {Pixels} pixels @returns {Pixels} */
function asGrey(pixels) {
  if (pixels.channels === 1) return pixels;
  const size = pixels.height * pixels.width;
  const { data } = pixels;
  const grey = Float64Array.from({ length: size }, (_, i) => Math.round(0.299 * data[i] + 0.587 * data[size + i] + 0.114 * data[2 * size + i]));
  return { ...pixels, channels: 1, data: grey };
}
