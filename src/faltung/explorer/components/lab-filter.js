// @ts-check
/**
 * Lab, filtering: the picture, the kernel, what comes out, and the sum of any of its pixels.
 *
 * @import { Cell } from "faltung/grid"
 * @import { How } from "faltung/filtering"
 * @import { Named } from "faltung/lab-python"
 * @import { Pixels } from "faltung/pixels"
 * @import { State, Store } from "faltung/store"
 * @import { Frame } from "faltung/frame"
 */

import { control } from "faltung/controls";
import { el } from "faltung/dom";
import { same } from "faltung/store";
import { factors, reachBefore, response, windowOf } from "faltung/filtering";
import { Grid } from "faltung/grid";
import { editEntry, kernelControls, nameOf } from "faltung/lab-kernel";
import { fields } from "faltung/lab-state";
import { filterPython } from "faltung/lab-python";
import { number, sumOf } from "faltung/numbers";
import { asText } from "faltung/pixels";
import { Raster } from "faltung/raster";
import { plain, range, signed } from "faltung/shading";

/** The largest window whose pixels are shown beside the kernel. */
const LARGEST_WINDOW = 15;
const ORDER = ["red", "green", "blue"];

export class LabFilter {
  /** @param {Frame} frame @param {Store} store @param {{ name: string, kernels: number[][][] }[]} library */
  constructor(frame, store, library) {
    this.frame = frame;
    this.store = store;
    this.library = library;
    /** @type {Cell | null} */
    this.hovered = null;
    /** @type {Pixels | null} */
    this.x = null;
    /** @type {Pixels | null} */
    this.y = null;
    this.scale = "";
    const over = (/** @type {boolean} */ isInput) => (/** @type {Cell | null} */ at) => this.#hover(at && this.#outputAt(at, isInput));
    const pin = (/** @type {boolean} */ isInput) => (/** @type {Cell | null} */ at) => this.#pin(at && this.#outputAt(at, isInput));
    this.before = new Raster({ label: "Picture: arrow keys move, Enter pins", caption: "Picture", onHover: over(true), onPin: pin(true) });
    this.after = new Raster({ label: "Filtered: arrow keys move, Enter pins", caption: "Filtered", onHover: over(false), onPin: pin(false) });
    this.grids = [0, 1].map((which) => this.#kernelGrid(which));
    this.window = new Grid({ label: "The pixels under the kernel", caption: "", height: 220, largest: 40 });
    this.facts = el("p", { class: "ft-small" });
    this.stage = el(
      "div",
      {},
      el("div", { class: "ft-grids ft-pictures" }, el("div", { class: "ft-input" }, this.before.element), el("div", { class: "ft-output" }, this.after.element)),
      el("div", { class: "ft-grids ft-kernels" }, ...this.grids.map((grid) => el("div", { class: "ft-kernel" }, grid.element)), el("div", { class: "ft-input" }, this.window.element)),
      this.facts,
    );
    this.panel = el("div", { class: "ft-panel-part" }, kernelControls(store, library), this.#outputControls());
  }

  dispose() {
    for (const each of [this.before, this.after, this.window, ...this.grids]) each.dispose();
  }

  /** @returns {How} */
  get how() {
    const { border, flip, size } = this.store.state;
    return { border, isFlipped: flip, isValid: size === "valid" };
  }

  figures() {
    const { state } = this.store;
    const at = this.#at();
    return {
      shape: this.y ? [this.y.height, this.y.width, this.y.channels] : null,
      output: this.y && asText(this.y.data),
      range: this.y && range(this.y.data),
      filter: nameOf(this.library, state),
      factors: state.kernels.map(factors),
      at,
      values: at && this.#valuesAt(at),
      terms: at && this.x && windowOf(this.x, state.kernels[0], this.how, 0, ...at).map(({ a, b }) => [a, b]),
    };
  }

  /** @param {State} state @param {Pixels} x @param {Named} named */
  change(state, x, named) {
    const isNew = x !== this.x;
    this.x = x;
    const y = response(x, state.kernels, this.how);
    this.y = isPlain(state) ? y : { ...y, data: y.data.map((v) => (state.absolute ? Math.abs(v) : v) * state.scale + state.offset) };
    if (isNew) this.before.show(plain(x));
    this.before.setCaption(`Picture, ${x.height}×${x.width}${x.channels === 3 ? ", colour" : ""}`);
    this.#drawOutput(state, this.y);
    const { line, full } = filterPython(state, named, nameOf(this.library, state), x);
    this.frame.setCode(line, full);
    this.frame.setNote(this.#note(state, this.y));
    this.#facts(state);
    this.#mark();
  }

  // What is drawn --------------------------------------------------------------------------

  /** @param {State} state @param {Pixels} y */
  #drawOutput(state, y) {
    const [low, high] = range(y.data);
    const isSigned = state.look === "signed" || (state.look === "auto" && low < 0);
    const limit = Math.max(Math.abs(low), Math.abs(high));
    const sizes = `${y.height}×${y.width}`;
    const mean = y.channels === 3 ? " (the mean of the colours)" : "";
    const words = isSigned ? `orange ${number(-limit)}, white 0, blue ${number(limit)}${mean}` : `black 0, white ${number(y.white)}`;
    this.after.show(isSigned ? signed(y, limit) : plain(y));
    this.after.setCaption(`Filtered, ${sizes}${y.data.length ? `: ${number(low)} to ${number(high)}` : ": empty"}`);
    this.scale = y.data.length ? ` Filtered: ${words}.` : "";
  }

  #mark() {
    const { state } = this.store;
    const { x, y } = this;
    if (!x || !y) return;
    const at = this.#at();
    const isPinned = at !== null && this.hovered === null;
    const [kh, kw] = [state.kernels[0].length, state.kernels[0][0].length];
    this.#drawKernels(state);
    this.window.element.hidden = at === null || Math.max(kh, kw) > LARGEST_WINDOW;
    if (!at) {
      this.before.mark({});
      this.after.mark({});
      this.frame.setFormula("Point at a pixel: its sum is spelt out here.");
      return;
    }
    const [top, left] = this.#corner(at);
    this.before.mark({ outlines: [{ y: top, x: left, h: kh, w: kw, colour: "kernel" }] });
    this.after.mark(isPinned ? { pinned: at } : { outlines: [{ y: at[0], x: at[1], colour: "output" }] });
    this.#drawWindow(at, kh, kw);
    this.frame.setFormula(this.#sum(at));
  }

  /** @param {State} state */
  #drawKernels(state) {
    for (const [i, grid] of this.grids.entries()) {
      const kernel = state.kernels[i];
      /** @type {HTMLElement} */ (grid.element.parentElement).hidden = !kernel;
      if (!kernel) continue;
      const [which, row, column] = state.cell;
      grid.setCaption(`Kernel${state.kernels.length > 1 ? ` ${"ab"[i]}` : ""}, ${kernel.length}×${kernel[0].length}${state.flip ? ", applied flipped" : ""}`);
      grid.show({
        rows: kernel.length,
        cols: kernel[0].length,
        value: (y, x) => kernel[y][x],
        outlines: which === i ? [{ y: row, x: column, colour: "ink" }] : [],
      });
    }
  }

  /** @param {Cell} at @param {number} kh @param {number} kw */
  #drawWindow(at, kh, kw) {
    const { x } = this;
    if (!x || this.window.element.hidden) return;
    const pixels = windowOf(x, this.store.state.kernels[0], this.how, 0, ...at);
    const outside = pixels.filter(({ isInside }) => !isInside).length;
    this.window.setCaption(`Under it${x.channels === 3 ? ", red" : ""}${outside ? `, ${outside} beyond the border` : ""}`);
    this.window.show({
      rows: kh,
      cols: kw,
      value: (row, column) => pixels[row * kw + column].a,
      colour: (row, column) => shade(pixels[row * kw + column].a / x.white),
    });
  }

  // What is said ---------------------------------------------------------------------------

  /** @param {Cell} at */
  #sum(at) {
    const { x, y } = this;
    const { state } = this.store;
    if (!x || !y) return "";
    const channel = x.channels === 3 ? ", red" : "";
    const sums = state.kernels.map((/** @type {number[][]} */ kernel) => windowOf(x, kernel, this.how, 0, ...at).map(({ a, b }) => /** @type {[number, number]} */ ([a, b])));
    const name = `y[${at.join(", ")}${channel}]`;
    const others = x.channels === 3 ? `   (${this.#valuesAt(at).map((v, c) => `${ORDER[c]} ${number(v)}`).join(", ")})` : "";
    const [first, second] = sums;
    if (second) {
      const [a, b] = sums.map((/** @type {[number, number][]} */ terms) => terms.reduce((sum, [p, q]) => sum + p * q, 0));
      return `a = ${sumOf(nonzero(first), 9)}; b = ${sumOf(nonzero(second), 9)}; ${name} = √(a² + b²) = ${number(Math.sqrt(a * a + b * b))}${this.#adjusted(at)}${others}`;
    }
    return `${name} = ${sumOf(nonzero(first), 15)}${this.#adjusted(at)}${others}`;
  }

  /** @param {Cell} at */
  #adjusted(at) {
    const { state } = this.store;
    if (isPlain(state)) return "";
    return `; ${state.absolute ? "|y|" : "y"}·${number(state.scale)} + ${number(state.offset)} = ${number(this.#valuesAt(at)[0])}`;
  }

  /** @param {Cell} at @returns {number[]} */
  #valuesAt([row, column]) {
    const { y } = this;
    if (!y) return [];
    return Array.from({ length: y.channels }, (_, c) => y.data[(c * y.height + row) * y.width + column]);
  }

  /** @param {State} state @param {Pixels} y */
  #note(state, y) {
    if (!y.data.length) return "The kernel is larger than the picture: no window lies inside, and the output is empty.";
    const [kh, kw] = [state.kernels[0].length, state.kernels[0][0].length];
    const isBlind = state.kernels.every(skipsNeighbours);
    if (state.picture === "squares1" && isBlind) {
      return "Squares of 1 pixel are invisible to it: it takes the difference of pixels that stand two apart, and these are equal. It answers at the border alone. Squares of 2 pixels it sees.";
    }
    if (state.picture === "squares2" && isBlind && kh === 3) return "Squares of 2 pixels: pixels that stand two apart always differ, so that it answers everywhere.";
    if (kh % 2 === 0 || kw % 2 === 0) {
      const entry = [kh, kw].map((n) => reachBefore(n, state.flip)).join(", ");
      return state.size === "same" ? `An even kernel has no middle: its entry (${entry}) meets the pixel itself, so that the picture moves by half a pixel.` : "";
    }
    return "";
  }

  /** What is true of the kernel. @param {State} state */
  #facts(state) {
    const texts = state.kernels.map((/** @type {number[][]} */ kernel, /** @type {number} */ i) => {
      const sum = kernel.flat().reduce((total, v) => total + v, 0);
      const found = factors(kernel);
      const vector = (/** @type {number[]} */ v) => `[${v.map(number).join(" ")}]`;
      const [kh, kw] = [kernel.length, kernel[0].length];
      const saved = kh > 1 && kw > 1 ? `: ${kh + kw} products a pixel in two passes, not ${kh * kw}` : "";
      const parts = found ? `separable, the column ${vector(found[0])} times the row ${vector(found[1])}${saved}` : "not separable";
      return `Kernel${state.kernels.length > 1 ? ` ${"ab"[i]}` : ""}: its entries sum to ${number(Math.abs(sum) < 1e-12 ? 0 : sum)}; ${parts}.`;
    });
    this.facts.textContent = texts.join(" ") + this.scale;
  }

  // Where the pointer is -------------------------------------------------------------------

  /** The output that stands for a pixel of one of the pictures. @param {Cell} at @param {boolean} isInput @returns {Cell | null} */
  #outputAt([row, column], isInput) {
    const { state } = this.store;
    const { y } = this;
    const isMoved = isInput && state.size === "valid";
    const [top, left] = isMoved ? [state.kernels[0].length, state.kernels[0][0].length].map((n) => reachBefore(n, state.flip)) : [0, 0];
    const at = /** @type {Cell} */ ([row - top, column - left]);
    return y && at[0] >= 0 && at[1] >= 0 && at[0] < y.height && at[1] < y.width ? at : null;
  }

  /** The upper left corner of an output's window. @param {Cell} at @returns {Cell} */
  #corner([row, column]) {
    const { kernels, size, flip } = this.store.state;
    const [top, left] = size === "valid" ? [0, 0] : [kernels[0].length, kernels[0][0].length].map((n) => reachBefore(n, flip));
    return [row - top, column - left];
  }

  /** What is hovered, else pinned. @returns {Cell | null} */
  #at() {
    const { y } = this;
    const isThere = (/** @type {Cell | null} */ at) => at !== null && y !== null && at[0] >= 0 && at[1] >= 0 && at[0] < y.height && at[1] < y.width;
    const { pinned } = this.store.state;
    return isThere(this.hovered) ? this.hovered : isThere(pinned) ? pinned : null;
  }

  /** @param {Cell | null} at */
  #hover(at) {
    if (same(at, this.hovered)) return;
    this.hovered = at;
    this.#mark();
  }

  /** @param {Cell | null} at */
  #pin(at) {
    this.store.set({ pinned: same(at, this.store.state.pinned) ? null : at });
  }

  // The kernel -----------------------------------------------------------------------------

  /** @param {number} which */
  #kernelGrid(which) {
    return new Grid({
      label: `Kernel ${"ab"[which]}: arrow keys move, Enter edits, digits edit`,
      caption: "Kernel",
      height: 220,
      largest: 40,
      onPin: (at) => at && this.store.set({ cell: [which, ...at] }),
      onEdit: (at, given) => editEntry(this.store, [which, ...at], given, false),
    });
  }

  #outputControls() {
    const { store } = this;
    const names = /** @type {(keyof typeof fields)[]} */ (["border", "size", "absolute", "scale", "offset", "look"]);
    return el("fieldset", { class: "ft-controls" }, el("legend", {}, "Output"), ...names.map((name) => control(store, name, fields[name])));
  }
}

/** @param {State} state */
function isPlain({ absolute, scale, offset }) {
  return !absolute && scale === 1 && offset === 0;
}

/** Whether a kernel compares pixels two apart alone, so that what alternates is equal to it.
 * @param {number[][]} kernel */
function skipsNeighbours(kernel) {
  const cells = kernel.flatMap((row, y) => row.map((v, x) => ({ v, isEven: (x + y) % 2 === 0 })));
  const sum = (/** @type {boolean} */ isEven) => cells.reduce((total, cell) => total + (cell.isEven === isEven ? cell.v : 0), 0);
  return cells.some(({ v }) => v !== 0) && sum(true) === 0 && sum(false) === 0;
}

/** @param {[number, number][]} terms */
function nonzero(terms) {
  return terms.filter(([, b]) => b !== 0);
}

/** @param {number} share */
function shade(share) {
  const level = Math.round(255 * Math.min(1, Math.max(0, share)));
  return `#${level.toString(16).padStart(2, "0").repeat(3)}`;
}
