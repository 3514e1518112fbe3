// @ts-check
/**
 * Slide: what one output adds up, and where each input goes.
 *
 * @import { Term } from "faltung/convolution"
 * @import { Cell, Outline } from "faltung/grid"
 * @import { Part } from "faltung/slide-words"
 * @import { State, Store } from "faltung/store"
 * @import { Shown, View } from "faltung/view"
 */

import { convolution, outShape, terms } from "faltung/convolution";
import { el } from "faltung/dom";
import { Frame } from "faltung/frame";
import { dropped } from "faltung/geometry";
import { Grid } from "faltung/grid";
import { Player } from "faltung/player";
import { panel } from "faltung/slide-panel";
import { pythonOf } from "faltung/slide-python";
import { example, fields, fit, layerOf, padsOf, violation } from "faltung/slide-state";
import { edges, feeds, sum } from "faltung/slide-words";

/** @type {View} */
export const slide = {
  name: "slide",
  title: "Slide",
  question: "What does one output add up, and where does each input go?",
  fields,
  example,
  fit,
  mount: (frame, store) => new Slide(frame, store).shown(),
};

class Slide {
  /** @param {Frame} frame @param {Store} store */
  constructor(frame, store) {
    this.frame = frame;
    this.store = store;
    /** @type {Part | null} */
    this.hovered = null;
    this.layer = layerOf(store.state);
    /** @type {[number, number, number]} */
    this.shape = [0, 0, 0];
    /** @type {number[][][]} */
    this.output = [];
    /** @type {Record<string, Grid[]>} */
    this.grids = { input: [], kernel: [], output: [] };
    this.rows = {
      input: el("div", { class: "ft-input" }),
      kernel: el("div", { class: "ft-kernel ft-narrow" }),
      output: el("div", { class: "ft-output" }),
    };
    this.player = new Player({
      length: () => this.positions(),
      position: () => Math.min(store.state.at, Math.max(0, this.positions() - 1)),
      go: (at) => {
        this.hovered = null;
        store.set({ at, pinned: null });
      },
      label: "Output position",
    });
    frame.stage.append(
      el("div", { class: "ft-grids" }, this.rows.input, this.rows.kernel, this.rows.output),
      this.player.element,
    );
    frame.panel.append(...panel(store));
    this.stop = store.subscribe((state) => this.#change(state));
  }

  /** @returns {Shown} */
  shown() {
    return {
      figures: () => this.figures(),
      onKey: (event) => this.#key(event),
      dispose: () => {
        this.stop();
        this.player.dispose();
        for (const grid of Object.values(this.grids).flat()) grid.dispose();
      },
    };
  }

  positions() {
    const [channels, rows, cols] = this.shape;
    return channels * rows * cols;
  }

  figures() {
    const { state } = this.store;
    const [rows, cols] = this.layer.axes;
    const active = this.#activeOutput();
    return {
      output: this.output,
      shape: this.shape,
      padding: padsOf(state),
      dropped: state.transposed ? [0, 0] : [dropped(rows), dropped(cols)],
      active,
      value: active && this.output[active[0]][active[1]][active[2]],
      terms: active && terms(this.layer, ...active).map(({ a, b }) => [a, b]),
      python: pythonOf(state, padsOf(state)).full,
      violation: violation(state),
    };
  }

  // What is computed -----------------------------------------------------------------------

  /** @param {State} state */
  #change(state) {
    this.layer = layerOf(state);
    const refusal = violation(state);
    this.shape = refusal ? [0, 0, 0] : outShape(this.layer);
    this.output = refusal ? [] : convolution(this.layer);
    this.#makeGrids("input", state.in_channels);
    this.#makeGrids("kernel", state.w[0].length);
    this.#makeGrids("output", this.shape[0]);
    const { line, full } = pythonOf(state, padsOf(state));
    this.frame.setCode(line, full);
    this.player.update();
    this.#draw();
  }

  /** The output that the player stands at. @returns {[number, number, number] | null} */
  #playedOutput() {
    if (!this.positions()) return null;
    const [, rows, cols] = this.shape;
    const at = Math.min(this.store.state.at, this.positions() - 1);
    return [Math.floor(at / (rows * cols)), Math.floor(at / cols) % rows, at % cols];
  }

  /** What is hovered, else pinned, else played. @returns {Part | null} */
  #active() {
    const { pinned } = this.store.state;
    for (const part of [this.hovered, pinned]) if (part && this.#exists(part)) return part;
    const played = this.#playedOutput();
    return played && ["output", ...played];
  }

  /** @returns {[number, number, number] | null} */
  #activeOutput() {
    const active = this.#active();
    return active?.[0] === "output" ? [active[1], active[2], active[3]] : this.#playedOutput();
  }

  /** @param {Part} part */
  #exists([kind, grid, y, x]) {
    const { state } = this.store;
    if (kind === "output") return this.output[grid]?.[y]?.[x] !== undefined;
    if (kind === "kernel") return grid < state.w[0].length && y >= 0 && x >= 0 && y < state.kernel_height && x < state.kernel_width;
    const isPadded = y >= -state.top && x >= -state.left && y < state.height + state.bottom && x < state.width + state.right;
    return grid < state.in_channels && isPadded;
  }

  /** Every product that a cell takes part in, and the output each goes to.
   * @param {Part} part @returns {{ output: [number, number, number], term: Term }[]} */
  #uses([kind, grid, y, x]) {
    const first = this.#firstKernel();
    const found = [];
    const [channels, rows, cols] = this.shape;
    for (let co = 0; co < channels; co += 1) {
      for (let oy = 0; oy < rows; oy += 1) {
        for (let ox = 0; ox < cols; ox += 1) {
          for (const term of terms(this.layer, co, oy, ox)) {
            const { at, weight } = term;
            const isIt =
              kind === "input"
                ? at[0] === grid && at[1] === y && at[2] === x
                : weight[0] === first && weight[1] === grid && weight[2] === y && weight[3] === x;
            if (isIt) found.push({ output: /** @type {[number, number, number]} */ ([co, oy, ox]), term });
          }
        }
      }
    }
    return found;
  }

  /** Which of the weights' first axis the kernel grids show. */
  #firstKernel() {
    const output = this.#activeOutput();
    if (!output) return 0;
    if (!this.store.state.transposed) return output[0];
    return this.hovered?.[0] === "input" ? this.hovered[1] : 0;
  }

  // What is drawn --------------------------------------------------------------------------

  /** @param {"input" | "kernel" | "output"} kind @param {number} count */
  #makeGrids(kind, count) {
    const grids = this.grids[kind];
    while (grids.length > count) {
      const grid = /** @type {Grid} */ (grids.pop());
      grid.dispose();
      grid.element.remove();
    }
    while (grids.length < count) {
      const index = grids.length;
      const grid = new Grid({
        label: `${kind} ${index}: arrow keys move, Enter pins, digits edit`,
        caption: "",
        height: kind === "kernel" ? 200 : 460,
        onHover: (at) => this.#hover(at && [kind, index, ...at]),
        onPin: (at) => this.#pin(at && [kind, index, ...at]),
        onEdit: kind === "output" ? undefined : (at, given) => this.#edit(kind, index, at, given),
      });
      grids.push(grid);
      this.rows[kind].append(grid.element);
    }
  }

  #draw() {
    const active = this.#active();
    const output = this.#activeOutput();
    const used = active && active[0] !== "output" ? this.#uses(active) : [];
    const products = active?.[0] === "output" && output ? terms(this.layer, ...output) : used.map(({ term }) => term);
    this.#drawInput(active, products);
    this.#drawKernel(active, products);
    this.#drawOutput(active, output, used);
    this.#say(active, products, used);
  }

  /** @param {Part | null} active @param {Term[]} products */
  #drawInput(active, products) {
    const { state } = this.store;
    const [rows, cols] = this.layer.axes;
    const lost = state.transposed || !this.positions() ? [0, 0] : [dropped(rows), dropped(cols)];
    const limit = largest(state.x);
    for (const [c, grid] of this.grids.input.entries()) {
      const mine = products.filter(({ at }) => at[0] === c).map(({ at }) => /** @type {Cell} */ ([at[1], at[2]]));
      const box = mine.length ? around(mine, "kernel") : null;
      const padding = state.transposed ? undefined : { top: state.top, bottom: state.bottom, left: state.left, right: state.right };
      grid.setCaption(`Input${state.in_channels > 1 ? `, channel ${c}` : ""}, ${state.height}×${state.width}`);
      grid.show({
        rows: state.height,
        cols: state.width,
        limit,
        padding,
        value: (y, x) => state.x[c][y][x],
        isDropped: (y, x) => y >= state.height + state.bottom - lost[0] || x >= state.width + state.right - lost[1],
        marked: box && box.h * box.w === mine.length ? [] : mine,
        outlines: box ? [box] : [],
        pinned: this.#cellOf(active, "input", c),
      });
    }
  }

  /** @param {Part | null} active @param {Term[]} products */
  #drawKernel(active, products) {
    const { state } = this.store;
    const first = this.#firstKernel();
    const limit = largest(state.w[first]);
    for (const [j, grid] of this.grids.kernel.entries()) {
      const mine = products.filter(({ weight }) => weight[0] === first && weight[1] === j);
      const name = state.w.length > 1 || state.w[0].length > 1 ? ` w[${first}, ${j}]` : "";
      grid.setCaption(`Kernel${name}${state.flip ? ", applied flipped" : ""}`);
      grid.show({
        rows: state.kernel_height,
        cols: state.kernel_width,
        limit,
        value: (y, x) => state.w[first][j][y][x],
        marked: active?.[0] === "output" ? [] : mine.map(({ weight }) => /** @type {Cell} */ ([weight[2], weight[3]])),
        pinned: this.#cellOf(active, "kernel", j),
      });
    }
  }

  /** @param {Part | null} active @param {[number, number, number] | null} output
   * @param {{ output: [number, number, number] }[]} used */
  #drawOutput(active, output, used) {
    const [, rows, cols] = this.shape;
    const limit = largest(this.output);
    for (const [co, grid] of this.grids.output.entries()) {
      const fed = used.filter((use) => use.output[0] === co).map((use) => /** @type {Cell} */ ([use.output[1], use.output[2]]));
      const isHere = active?.[0] === "output" && output?.[0] === co;
      grid.setCaption(`Output${this.shape[0] > 1 ? `, channel ${co}` : ""}, ${rows}×${cols}${rows * cols ? "" : ": empty"}`);
      grid.show({
        rows,
        cols,
        limit,
        value: (y, x) => this.output[co][y][x],
        marked: fed,
        outlines: isHere && output ? [{ y: output[1], x: output[2], colour: "output" }] : [],
        pinned: this.#cellOf(active, "output", co),
      });
    }
  }

  /** The cell outlined as pinned. @param {Part | null} active @param {string} kind @param {number} grid
   * @returns {Cell | null} */
  #cellOf(active, kind, grid) {
    const { pinned } = this.store.state;
    const isIt = active && pinned && active.join() === pinned.join() && active[0] === kind && active[1] === grid;
    return isIt ? [active[2], active[3]] : null;
  }

  // What is said ---------------------------------------------------------------------------

  /** @param {Part | null} active @param {Term[]} products @param {{ output: number[], term: Term }[]} used */
  #say(active, products, used) {
    const { state } = this.store;
    this.frame.setNote(violation(state) || edges(this.layer, state.transposed, this.positions()));
    if (!active) this.frame.setFormula("");
    else if (active[0] === "output") this.frame.setFormula(sum(active, this.shape[0], products));
    else this.frame.setFormula(feeds(active, state, this.#firstKernel(), used));
  }

  // What is done ---------------------------------------------------------------------------

  /** @param {Part | null} part */
  #hover(part) {
    if (part?.join() === this.hovered?.join()) return;
    this.hovered = part;
    this.#draw();
  }

  /** @param {Part | null} part */
  #pin(part) {
    const { pinned } = this.store.state;
    const isAgain = part && pinned && part.join() === pinned.join();
    this.store.set({ pinned: isAgain || !part || !this.#exists(part) ? null : part });
  }

  /** @param {"input" | "kernel"} kind @param {number} index @param {Cell} at @param {number} given */
  #edit(kind, index, [y, x], given) {
    if (kind === "input") {
      const changed = structuredClone(this.store.state.x);
      changed[index][y][x] = given;
      this.store.set({ x: changed });
    } else {
      const changed = structuredClone(this.store.state.w);
      changed[this.#firstKernel()][index][y][x] = given;
      this.store.set({ w: changed });
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const cols = this.shape[2];
    const steps = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -cols, ArrowDown: cols, ",": -1, ".": 1 });
    if (event.key === " ") this.player.toggle();
    else if (event.key === "Escape") this.store.set({ pinned: null });
    else if (event.key in steps) this.player.step(steps[event.key]);
    else return false;
    return true;
  }
}

/** The box around some cells. @param {Cell[]} cells @param {string} colour @returns {Outline & { h: number, w: number }} */
function around(cells, colour) {
  const [ys, xs] = [cells.map(([y]) => y), cells.map(([, x]) => x)];
  const [y, x] = [Math.min(...ys), Math.min(...xs)];
  return { y, x, h: Math.max(...ys) - y + 1, w: Math.max(...xs) - x + 1, colour };
}

/** @param {any} nested @returns {number} */
function largest(nested) {
  return nested.flat(Infinity).reduce((/** @type {number} */ most, /** @type {number} */ v) => Math.max(most, Math.abs(v)), 0);
}
