// @ts-check
/**
 * Two layers of neurons and the edges between them, in SVG. The faint ground is drawn once; what is
 * lit is drawn over it.
 *
 * @import { Edge, Shape } from "faltung/connect-counts"
 *
 * @typedef {["output", number] | ["input", number] | ["edge", number, number, number]} Part
 *
 * @typedef {object} Lit
 * @property {Edge[]} own drawn thick
 * @property {Edge[]} tied that share a weight with those
 * @property {Part | null} active
 * @property {boolean} isPinned
 */

import { hue } from "faltung/colour";
import { offsets, outputCount } from "faltung/connect-counts";
import { svg } from "faltung/dom";

const STEP = 64;
const RADIUS = 19;
const GAP = 190;
/** How far each row of a plane lies to the right of the one before, and below it. */
const SLANT = [26, 40];
const EDGE_REACH = 9;
/** Tied edges past which they are drawn finer. */
const MANY = 40;

export class ConnectStage {
  /**
   * @param {object} options
   * @param {(part: Part | null) => void} options.onHover
   * @param {(part: Part) => void} options.onPin
   */
  constructor(options) {
    this.options = options;
    this.ground = svg("g");
    this.lit = svg("g");
    this.neurons = svg("g");
    this.element = svg("svg", { class: "ft-connect", tabindex: 0, role: "application", "aria-roledescription": "two layers of neurons" }, this.ground, this.lit, this.neurons);
    /** @type {Shape | null} */
    this.shape = null;
    /** @type {Edge[]} */
    this.edges = [];
    /** @type {Part | null} */
    this.cursor = null;
    this.left = 0;
    this.#listen();
  }

  /**
   * @param {Shape} shape @param {Edge[]} edges those on inputs @param {boolean} isPadded whether there is room for padding
   * @param {(kind: "input" | "output", index: number) => string} text in each neuron
   */
  setShape(shape, edges, isPadded, text) {
    this.shape = shape;
    this.edges = edges;
    const isDense = shape.corner === "dense";
    const bounds = isPadded && !isDense ? offsets(shape) : [[0, 0], [0, 0]];
    // Edges to padding that is farther off lead out of the picture.
    const room = (/** @type {number} */ n) => Math.min(Math.max(0, n), shape.axes === 1 ? 2 : 1);
    this.before = bounds.map(([lo]) => room(-lo));
    this.#measure(bounds.map(([, hi]) => room(hi)));
    const isTied = !isDense && shape.corner !== "local";
    this.ground.replaceChildren(...(isTied ? this.#paths(edges, "ft-edge ft-edge-tied") : [this.#path(edges, "ft-edge", "")]));
    this.#drawNeurons(text);
    this.element.setAttribute("aria-label", `${outputCount(shape)} outputs over ${shape.size[0] * shape.size[1]} inputs: arrow keys move, Page Up and Page Down change the layer, Enter pins`);
  }

  /** The frame of the drawing. @param {number[]} after padding past the end */
  #measure(after) {
    const shape = /** @type {Shape} */ (this.shape);
    const [height, width] = shape.size;
    const [top, left] = /** @type {[number, number]} */ (this.before);
    const rows = height + top + after[0];
    const cols = Math.max(width + left + after[1], this.#outputColumns());
    const slant = shape.axes === 1 ? 0 : SLANT[0];
    const drop = shape.axes === 1 ? 0 : SLANT[1];
    this.slant = [slant, drop];
    this.outputTop = RADIUS + 6;
    const outputDeep = this.#outputRows() * drop;
    // The padding above the input's first row reaches up towards the outputs.
    this.inputTop = this.outputTop + outputDeep + GAP + top * drop;
    this.left = left * STEP + top * slant + RADIUS + 6;
    const wide = (cols - 1) * STEP + (rows - 1) * slant + 2 * RADIUS + 12;
    const high = this.inputTop + (height - 1 + after[0]) * drop + RADIUS + 6;
    this.element.setAttribute("viewBox", `0 0 ${wide} ${high}`);
    // No neuron larger than on a short layer: a drawing of two neurons need not fill the page.
    this.element.setAttribute("width", String(Math.min(wide, 900)));
    this.wide = wide;
  }

  #isLine() {
    const shape = /** @type {Shape} */ (this.shape);
    return shape.axes === 1 || (shape.corner === "dense" && shape.outputs !== null);
  }

  #outputColumns() {
    const shape = /** @type {Shape} */ (this.shape);
    if (!this.#isLine()) return shape.size[1];
    return Math.min(outputCount(shape), LONGEST_LINE);
  }

  #outputRows() {
    const shape = /** @type {Shape} */ (this.shape);
    return this.#isLine() ? Math.ceil(outputCount(shape) / LONGEST_LINE) - 1 : shape.size[0] - 1;
  }

  /** Where a neuron is. @param {"input" | "output"} kind @param {number} y @param {number} x @returns {[number, number]} */
  #point(kind, y, x) {
    const [slant, drop] = /** @type {number[]} */ (this.slant);
    const top = kind === "input" ? this.inputTop : this.outputTop;
    return [this.left + x * STEP + y * slant, /** @type {number} */ (top) + y * (kind === "output" && !drop ? SLANT[1] : drop)];
  }

  /** @param {number} o @returns {[number, number]} */
  #output(o) {
    const cols = this.#outputColumns();
    return this.#point("output", Math.floor(o / cols), o % cols);
  }

  /** @param {number} i @returns {[number, number]} */
  #input(i) {
    const width = /** @type {Shape} */ (this.shape).size[1];
    return this.#point("input", Math.floor(i / width), i % width);
  }

  /** Edges as one path for each weight: a large layer has thousands of edges.
   * @param {Edge[]} edges @param {string} name */
  #paths(edges, name) {
    /** @type {Map<string, Edge[]>} */
    const groups = new Map();
    for (const edge of edges) {
      const key = `${edge.i < 0},${edge.weight}`;
      const group = groups.get(key);
      if (group) group.push(edge);
      else groups.set(key, [edge]);
    }
    return [...groups.values()].map((group) => {
      const [{ i, weight }] = group;
      return this.#path(group, i < 0 ? `${name} ft-edge-padding` : name, weight < 0 ? "" : hue(weight));
    });
  }

  /** @param {Edge[]} edges @param {string} name @param {string} colour */
  #path(edges, name, colour) {
    const d = edges.map((edge) => `M${this.#output(edge.o)}L${this.#point("input", ...edge.at)}`).join("");
    const path = svg("path", { d, class: name });
    if (colour) path.style.stroke = colour;
    return path;
  }

  /** @param {(kind: "input" | "output", index: number) => string} text */
  #drawNeurons(text) {
    const shape = /** @type {Shape} */ (this.shape);
    const all = [];
    for (let i = 0; i < shape.size[0] * shape.size[1]; i += 1) all.push(neuron("input", this.#input(i), text("input", i)));
    for (let o = 0; o < outputCount(shape); o += 1) all.push(neuron("output", this.#output(o), text("output", o)));
    this.neurons.replaceChildren(...all);
  }

  /** @param {Lit} lit */
  show({ own, tied, active, isPinned }) {
    this.lit.setAttribute("class", tied.length > MANY ? "ft-many" : "");
    const padding = new Map(own.concat(tied).filter(({ i }) => i < 0).map(({ at }) => [at.join(), at]));
    this.lit.replaceChildren(
      ...this.#paths(tied, "ft-edge ft-edge-lit ft-edge-shared"),
      ...this.#paths(own, "ft-edge ft-edge-lit ft-edge-own"),
      ...[...padding.values()].map((at) => neuron("padding", this.#point("input", ...at), "0")),
    );
    const inputs = new Set(own.map(({ i }) => i));
    const outputs = new Set(own.map(({ o }) => o));
    const count = /** @type {Shape} */ (this.shape).size[0] * /** @type {Shape} */ (this.shape).size[1];
    for (const [n, group] of [...this.neurons.children].entries()) {
      const isInput = n < count;
      const isUsed = isInput ? inputs.has(n) : outputs.has(n - count);
      const isIt = active !== null && active[0] === (isInput ? "input" : "output") && active[1] === (isInput ? n : n - count);
      group.classList.toggle("ft-used", isUsed);
      group.classList.toggle("ft-active", isIt);
      group.classList.toggle("ft-pinned", isIt && isPinned);
    }
  }

  // Pointer and keyboard ----------------------------------------------------------------------

  #listen() {
    const { element, options } = this;
    element.addEventListener("pointermove", (event) => options.onHover(this.#under(event)));
    element.addEventListener("pointerleave", () => options.onHover(null));
    element.addEventListener("blur", () => options.onHover(null));
    element.addEventListener("click", (event) => {
      const part = this.#under(event);
      if (part) options.onPin(part);
    });
    element.addEventListener("keydown", (event) => this.#key(event));
  }

  /** The neuron under the pointer, else the nearest edge. @param {MouseEvent} event @returns {Part | null} */
  #under(event) {
    if (!this.shape) return null;
    const box = this.element.getBoundingClientRect();
    const scale = /** @type {number} */ (this.wide) / box.width;
    const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    const isNear = (/** @type {[number, number]} */ [px, py]) => (px - x) ** 2 + (py - y) ** 2 <= (RADIUS + 4) ** 2;
    for (let o = 0; o < outputCount(this.shape); o += 1) if (isNear(this.#output(o))) return ["output", o];
    for (let i = 0; i < this.shape.size[0] * this.shape.size[1]; i += 1) if (isNear(this.#input(i))) return ["input", i];
    let best = Math.max(EDGE_REACH, EDGE_REACH * scale);
    /** @type {Part | null} */
    let found = null;
    for (const edge of this.edges) {
      const distance = fromSegment([x, y], this.#output(edge.o), this.#point("input", ...edge.at));
      if (distance >= best) continue;
      best = distance;
      found = ["edge", edge.o, ...edge.at];
    }
    this.cursor = found;
    return found;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.shape) return;
    const cursor = this.cursor && this.cursor[0] !== "edge" ? this.cursor : /** @type {Part} */ (["output", 0]);
    const isOutput = cursor[0] === "output";
    const cols = isOutput ? this.#outputColumns() : this.shape.size[1];
    const count = isOutput ? outputCount(this.shape) : this.shape.size[0] * this.shape.size[1];
    const steps = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -cols, ArrowDown: cols });
    if (event.key in steps) {
      const next = cursor[1] + steps[event.key];
      if (next >= 0 && next < count && this.cursor) this.cursor = /** @type {Part} */ ([cursor[0], next]);
      else this.cursor = cursor;
    } else if (event.key === "PageUp" || event.key === "PageDown") {
      this.cursor = [event.key === "PageUp" ? "output" : "input", 0];
    } else if (event.key === "Enter" && this.cursor) {
      this.options.onPin(this.cursor);
    } else return;
    this.options.onHover(this.cursor);
    event.preventDefault();
    event.stopPropagation();
  }
}

/** Outputs in one row, of a dense layer that has no rows. */
const LONGEST_LINE = 12;

/** @param {string} kind @param {[number, number]} point @param {string} text */
function neuron(kind, [cx, cy], text) {
  const circle = svg("circle", { cx, cy, r: RADIUS });
  return svg("g", { class: `ft-neuron ft-neuron-${kind}` }, circle, svg("text", { x: cx, y: cy }, text));
}

/** @param {[number, number]} p @param {[number, number]} a @param {[number, number]} b */
function fromSegment([x, y], [x1, y1], [x2, y2]) {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const share = Math.min(1, Math.max(0, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x - x1 - share * dx, y - y1 - share * dy);
}
