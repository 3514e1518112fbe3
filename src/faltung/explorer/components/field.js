// @ts-check
/**
 * Field: how far a layer sees, exactly.
 *
 * @import { Box, Pair, Reading, Value } from "faltung/field-network"
 * @import { Ground, Sight } from "faltung/field-plane"
 * @import { Link } from "faltung/field-stack"
 * @import { State, Store } from "faltung/store"
 * @import { Host, Shown, View } from "faltung/view"
 *
 * @typedef {[number, number, number]} Cell value, row, column
 */

import { el } from "faltung/dom";
import { panel } from "faltung/field-panel";
import { Plane } from "faltung/field-plane";
import { askedOf, Asker, boxesOfStack, pythonOfFile, valuesOfReading, valuesOfStack } from "faltung/field-network";
import { chainsOf, pathsOf } from "faltung/field-stack";
import { example, fields, fit, pythonOf } from "faltung/field-state";
import { counted, measured, measuredText, pathsText } from "faltung/field-sight";
import { Table } from "faltung/field-table";
import { cellText, coverage, edgesText, growthText, looseText } from "faltung/field-words";
import { Frame } from "faltung/frame";
import { dropped } from "faltung/geometry";
import { Player } from "faltung/player";

/** Planes that are drawn of a network from a file. */
const MOST_PLANES = 5;

/** @type {View} */
export const field = {
  name: "field",
  title: "Field",
  question: "How far does this layer see, exactly?",
  fields,
  example,
  fit,
  mount: (frame, store, host) => new FieldView(frame, store, host).shown(),
};

class FieldView {
  /** @param {Frame} frame @param {Store} store @param {Host} host */
  constructor(frame, store, host) {
    this.frame = frame;
    this.store = store;
    this.host = host;
    /** @type {Cell | null} */
    this.hovered = null;
    /** @type {Value[]} */
    this.values = [];
    /** @type {[Link[], Link[]]} */
    this.axes = [[], []];
    this.refusal = "";
    /** @type {Asker | null} */
    this.asker = null;
    this.opened = "";
    /** @type {any} */
    this.effective = null;
    /** @type {{ plane: Plane, value: number }[]} */
    this.planes = [];
    this.row = el("div", { class: "ft-planes" });
    this.why = el("p", { class: "ft-why" });
    this.table = new Table({
      onHover: (value) => this.#hover(value === null ? null : this.#middle(value)),
      onSelect: (value) => store.set({ selected: value, pinned: null }),
    });
    this.player = new Player({
      length: () => this.values.length,
      position: () => this.#selected(),
      go: (selected) => {
        this.hovered = null;
        store.set({ selected, pinned: null });
      },
      label: "Value",
    });
    frame.stage.append(this.row, this.player.element, this.table.element, this.why);
    frame.panel.append(...panel(store, host, { open: (file) => void this.#open(file), measure: () => void this.#measure() }));
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
        for (const { plane } of this.planes) plane.dispose();
      },
    };
  }

  figures() {
    const active = this.#active();
    const boxes = active ? this.#boxes(active) : [];
    const box = boxes[0];
    const { file, paths } = this.store.state;
    return {
      values: this.values,
      active,
      boxes: boxes.map((each) => each && each.map((span) => span && [span.lo, span.hi])),
      coverage: box ? coverage(box, this.values[0].space) : null,
      paths: active && paths && !file ? this.#paths(active) : null,
      refusal: this.refusal,
      effective: this.effective,
      python: this.frame.full,
    };
  }

  // What is looked at ---------------------------------------------------------------------------

  /** @param {State} state */
  #change(state) {
    if (state.file) this.#changeFile(state);
    else {
      this.asker = null;
      this.opened = "";
      this.#setInert(false);
      const sizes = /** @type {Pair} */ ([state.height, state.width]);
      const { axes, refusal } = chainsOf(state.layers, sizes);
      this.axes = axes;
      this.refusal = refusal;
      this.values = valuesOfStack(state.layers, sizes, axes);
      const { line, full } = pythonOf(state);
      this.frame.setCode(line, full);
      this.frame.setNote(refusal || edgesText(state.layers, axes));
      this.why.textContent = looseText(state.layers, this.values);
      this.table.setValues(this.values);
    }
    this.#lay();
  }

  /** @param {State} state */
  #changeFile(state) {
    const key = JSON.stringify(state.file);
    if (key === this.opened) return;
    this.opened = key;
    Object.assign(this, { values: [], axes: [[], []], refusal: "", asker: null, effective: null });
    void this.#read(key, state.file);
  }

  /** @param {string} key @param {any} file */
  async #read(key, file) {
    const { host } = this;
    const recorded = host.data?.recorded?.[file.zoo];
    const asking = host.canAsk ? host.ask("field.read", askedOf(file)) : recorded ? Promise.resolve(recorded) : Promise.reject(new Error("This network needs Python; run: faltung explore field"));
    this.#setInert(true);
    /** @type {Reading | undefined} */
    const reading = await this.frame.busy(asking);
    if (key !== this.opened) return;
    this.#setInert(false);
    if (!reading) {
      const told = this.frame.note.textContent ?? "";
      this.store.set({ file: null });
      this.frame.setNote(told);
      return;
    }
    this.asker = new Asker(host, file, reading, () => this.#draw(), (error) => this.frame.setNote(String(error)));
    this.values = valuesOfReading(reading);
    this.frame.setNote(reading.assumed ? `${reading.assumed[0].toUpperCase()}${reading.assumed.slice(1)}.` : "");
    this.why.textContent = "The popular rule r += (k − 1)·stride takes each layer's own stride, along the way on which it is largest; the exact field takes the product of the earlier strides.";
    const { line, full } = pythonOfFile(file, host.data?.zoo ?? []);
    this.frame.setCode(line, full);
    this.table.setValues(this.values);
    this.#lay();
  }

  /** While a network is read, the one before it is still seen, but is no more to be touched.
   * @param {boolean} isInert */
  #setInert(isInert) {
    for (const part of [this.row, this.table.element, this.player.element]) part.inert = isInert;
  }

  /** @param {File} file */
  async #open(file) {
    const name = await this.frame.busy(this.host.upload(file, file.name));
    if (name) this.store.set({ file: { name, label: file.name }, selected: 1e6, pinned: null });
  }

  async #measure() {
    const { file } = this.store.state;
    const value = this.values[this.#selected()];
    if (!file || !value) return;
    const found = await this.frame.busy(this.host.ask("field.effective", { ...askedOf(file), value: value.name }));
    if (!found || JSON.stringify(this.store.state.file) !== JSON.stringify(file)) return;
    this.effective = found;
    this.store.set({ pinned: null });
    this.#draw();
  }

  // What is active ------------------------------------------------------------------------------

  #selected() {
    return Math.min(this.store.state.selected, Math.max(this.values.length - 1, 0));
  }

  /** @param {number} value @returns {Cell | null} */
  #middle(value) {
    const space = this.values[value]?.space;
    return space && space[0] * space[1] ? [value, Math.floor(space[0] / 2), Math.floor(space[1] / 2)] : null;
  }

  /** What is hovered, else pinned, else the middle of what is selected. @returns {Cell | null} */
  #active() {
    for (const cell of [this.hovered, this.store.state.pinned]) if (cell && this.#exists(cell)) return cell;
    return this.#middle(this.#selected());
  }

  /** @param {Cell} cell */
  #exists([value, y, x]) {
    const space = this.values[value]?.space;
    return Boolean(space) && y >= 0 && x >= 0 && y < space[0] && x < space[1];
  }

  /** What the active cell sees of each value, by index. @param {Cell} cell @returns {(Box | undefined)[]} */
  #boxes([value, y, x]) {
    if (!this.asker) return boxesOfStack(this.axes, value, [y, x]);
    const known = this.asker.boxes(value, [y, x]);
    return this.values.map(({ name }) => known.get(name));
  }

  /** @param {Cell} cell @returns {[number[][], number[][]]} */
  #paths([value, y, x]) {
    const [rows, cols] = this.values[value].space;
    return [pathsOf(this.axes[0], value, y, rows), pathsOf(this.axes[1], value, x, cols)];
  }

  // What is drawn -------------------------------------------------------------------------------

  /** The planes for what is shown: all values of a stack; of a file, those of other sizes. */
  #lay() {
    const shown = this.#shown();
    while (this.planes.length > shown.length) {
      const last = this.planes.pop();
      last?.plane.dispose();
      last?.plane.element.remove();
    }
    while (this.planes.length < shown.length) {
      const entry = { plane: /** @type {Plane} */ (/** @type {unknown} */ (null)), value: 0 };
      entry.plane = new Plane({
        onHover: (at) => this.#hover(at && [entry.value, ...at]),
        onPin: (at) => this.#pin([entry.value, ...at]),
      });
      this.planes.push(entry);
      this.row.append(entry.plane.element);
    }
    // Of a file the room stays the same, whatever is selected: the table is not to move.
    this.row.dataset.many = this.asker ? "2" : String(shown.length > 8 ? 3 : shown.length > 4 ? 2 : 1);
    for (const [i, entry] of this.planes.entries()) {
      entry.value = shown[i];
      const { name, space } = this.values[shown[i]];
      const size = space.join("×");
      entry.plane.setGround(this.#ground(shown[i]), `${name}, ${size}${space[0] * space[1] ? "" : ": empty"}`, `${name}, ${size}: arrow keys move, Enter pins`);
    }
    this.player.update();
    this.#draw();
  }

  #shown() {
    if (!this.asker) return this.values.map((_, i) => i);
    // Without Python only what is seen of the input is known.
    if (!this.host.canAsk) return [...new Set([0, this.#selected()])];
    const before = this.values.slice(0, this.#selected() + 1).map((_, i) => i);
    const ends = before.filter((i) => i === before.length - 1 || i === 0 || this.values[i + 1].space.join() !== this.values[i].space.join());
    // The stem and the end tell most.
    return ends.length <= MOST_PLANES ? ends : [...ends.slice(0, 2), ...ends.slice(2 - MOST_PLANES)];
  }

  /** @param {number} value @returns {Ground} */
  #ground(value) {
    const [rows, cols] = this.values[value].space;
    if (this.asker) {
      const margin = /** @type {Pair} */ ([rows, cols].map((n) => (n > 1 ? Math.ceil(n / 10) : 0)));
      return { rows, cols, margin, padding: [[0, 0], [0, 0]], unread: [0, 0] };
    }
    const next = this.axes.map((links) => links[value]);
    const isWindow = next.map((link) => link && (link.kind === "conv" || link.kind === "pool"));
    const padding = next.map((link, axis) => (isWindow[axis] ? [link.lo, link.hi] : [0, 0]));
    const unread = next.map((link, axis) => (isWindow[axis] && link.out ? dropped(link) : 0));
    const margin = [rows, cols].map((n, axis) => Math.min(this.#overhang(value, axis), Math.max(3, Math.ceil(n / 3))));
    return /** @type {Ground} */ ({ rows, cols, margin, padding, unread });
  }

  /** How far past a value the cells of later values see, at most. @param {number} value @param {number} axis */
  #overhang(value, axis) {
    const links = this.axes[axis];
    let most = 0;
    for (let later = value + 1; later <= links.length; later += 1) {
      const { out } = links[later - 1];
      const length = this.values[value].space[axis];
      for (const o of out ? [0, out - 1] : []) {
        const { lo, hi } = boxesOfStack([links, links], later, [o, o])[value][0] ?? { lo: 0, hi: 0 };
        if (hi > lo) most = Math.max(most, -lo, hi - length);
      }
    }
    return most;
  }

  #draw() {
    const active = this.#active();
    const boxes = active ? this.#boxes(active) : [];
    const { paths, file } = this.store.state;
    const counts = active && !file ? this.#paths(active) : null;
    for (const { plane, value } of this.planes) {
      plane.show(active ? this.#sight(value, active, boxes[value], counts, paths) : null);
    }
    this.table.show(this.#selected(), (i) => boxes[i]);
    this.#say(active, boxes);
  }

  /** @param {number} value @param {Cell} active @param {Box | undefined} box
   * @param {[number[][], number[][]] | null} counts @param {boolean} isHeat @returns {Sight | null} */
  #sight(value, active, box, counts, isHeat) {
    if (!box) return null;
    const [height, width] = this.values[value].space;
    const isIt = value === active[0];
    /** @type {Sight} */
    const sight = {
      rows: box[0] ?? { lo: 0, hi: height },
      cols: box[1] ?? { lo: 0, hi: width },
      colour: isIt ? "output" : value === 0 ? "input" : "kernel",
      isSeen: null,
      heat: null,
      text: null,
      isPinned: isIt && this.store.state.pinned?.join() === active.join(),
    };
    if (isIt) return sight;
    if (value === 0 && this.#isMeasured(active)) return measured(sight, this.effective.weights);
    return counts ? counted(sight, counts[0][value], counts[1][value], isHeat) : sight;
  }

  /** Whether the heat that Python measured is that of this cell. @param {Cell} active */
  #isMeasured([value, y, x]) {
    const found = this.effective;
    if (!this.asker || !found || found.value !== this.values[value].name) return false;
    const at = found.at.slice(-2);
    return at.length === 2 ? at[0] === y && at[1] === x : at.length === 0 || at[0] === x;
  }

  // What is said --------------------------------------------------------------------------------

  /** @param {Cell | null} active @param {(Box | undefined)[]} boxes */
  #say(active, boxes) {
    const box = boxes[0];
    if (!active || !box) return this.frame.setFormula(active || !this.values.length ? "" : "Nothing to see: the value is empty.");
    const [value, y, x] = active;
    const { layers, paths } = this.store.state;
    const parts = [cellText(this.values[value], [y, x], box, this.values[0])];
    if (!this.asker) {
      const growth = growthText(layers, this.axes[0], value, this.values[value - 1]?.loose ?? 1);
      if (growth) parts.push(growth);
      if (paths && value) parts.push(pathsText(this.#paths(active)));
    } else if (this.#isMeasured(active)) parts.push(measuredText(this.effective));
    this.frame.setFormula(parts.join(" · "));
  }

  // What is done --------------------------------------------------------------------------------

  /** @param {Cell | null} cell */
  #hover(cell) {
    if (cell?.join() === this.hovered?.join()) return;
    this.hovered = cell;
    this.#draw();
  }

  /** @param {Cell} cell */
  #pin(cell) {
    const { pinned } = this.store.state;
    const isAgain = pinned && pinned.join() === cell.join();
    this.store.set({ selected: cell[0], pinned: isAgain ? null : cell });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const steps = /** @type {Record<string, [number, number]>} */ ({ ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] });
    if (event.key === " ") this.player.toggle();
    else if (event.key === ",") this.player.step(-1);
    else if (event.key === ".") this.player.step(1);
    else if (event.key === "Escape") this.store.set({ pinned: null });
    else if (event.key in steps) return this.#move(steps[event.key]);
    else return false;
    return true;
  }

  /** Move the pinned cell. @param {[number, number]} step */
  #move([dy, dx]) {
    this.hovered = null;
    const active = this.#active();
    if (!active) return false;
    const moved = /** @type {Cell} */ ([active[0], active[1] + dy, active[2] + dx]);
    if (this.#exists(moved)) this.store.set({ selected: moved[0], pinned: moved });
    return true;
  }
}
