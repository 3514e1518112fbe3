// @ts-check
/**
 * A network drawn as boxes and lines: inputs at the top, each layer below what it needs.
 *
 * @typedef {object} Layer as `faltung.inspect` has it
 * @property {string} name
 * @property {string} operator
 * @property {string[]} inputs
 * @property {string[]} outputs
 *
 * @typedef {object} Place
 * @property {number} row
 * @property {number} column
 */

import { el, svg } from "faltung/dom";

const [WIDE, HIGH] = [186, 30];
const [GAP_X, GAP_Y] = [18, 22];

/**
 * Where each layer stands: one row below the lowest of what it reads.
 *
 * @param {Layer[]} layers in computing order
 * @returns {Place[]}
 */
export function places(layers) {
  /** @type {Map<string, number>} */
  const maker = new Map();
  /** @type {number[]} */
  const taken = [];
  /** @type {Place[]} */
  const found = [];
  for (const [index, { inputs, outputs }] of layers.entries()) {
    const above = inputs.map((name) => maker.get(name)).filter((i) => i !== undefined);
    const row = above.length ? Math.max(...above.map((i) => found[i].row)) + 1 : 0;
    const column = taken[row] ?? 0;
    taken[row] = column + 1;
    found.push({ row, column });
    for (const name of outputs) maker.set(name, index);
  }
  return found;
}

export class ModelGraph {
  /** @param {(index: number) => void} onPick */
  constructor(onPick) {
    this.onPick = onPick;
    this.drawing = svg("svg", { role: "group", "aria-label": "The network's graph" });
    this.element = el("div", { class: "ft-graph", tabIndex: 0, role: "region", "aria-label": "Graph" });
    this.element.append(this.drawing);
    /** @type {SVGElement[]} */
    this.boxes = [];
  }

  /** @param {Layer[]} layers @param {Map<string, string>} marks what is wrong, by layer */
  show(layers, marks) {
    const where = places(layers);
    const columns = Math.max(...where.map((p) => p.column), 0) + 1;
    const rows = Math.max(...where.map((p) => p.row), 0) + 1;
    const [width, height] = [columns * (WIDE + GAP_X) + GAP_X, rows * (HIGH + GAP_Y) + GAP_Y];
    for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}` })) {
      this.drawing.setAttribute(name, String(value));
    }
    const at = (/** @type {Place} */ { row, column }) => [GAP_X + column * (WIDE + GAP_X), GAP_Y + row * (HIGH + GAP_Y)];
    /** @type {Map<string, number>} */
    const maker = new Map();
    const lines = [];
    for (const [index, { inputs, outputs }] of layers.entries()) {
      for (const name of inputs) {
        const from = maker.get(name);
        if (from !== undefined) lines.push(line(at(where[from]), at(where[index])));
      }
      for (const name of outputs) maker.set(name, index);
    }
    this.boxes = layers.map((layer, index) => this.#box(layer, index, at(where[index]), marks.get(layer.name)));
    this.drawing.replaceChildren(...lines, ...this.boxes);
  }

  /** @param {number | null} picked */
  pick(picked) {
    for (const [index, box] of this.boxes.entries()) {
      box.setAttribute("aria-pressed", String(index === picked));
    }
    const box = picked === null ? undefined : this.boxes[picked];
    if (!box) return;
    const [, y] = (box.dataset.at ?? "0,0").split(",").map(Number);
    this.element.scrollTop = y - this.element.clientHeight / 2;
  }

  /** @param {Layer} layer @param {number} index @param {number[]} at @param {string | undefined} mark */
  #box({ name, operator }, index, [x, y], mark) {
    const kind = operator.startsWith("Conv") ? "conv" : /Pool/.test(operator) ? "pool" : "other";
    const box = svg(
      "g",
      { class: `ft-node ft-node-${kind}`, tabindex: 0, role: "button", "data-at": `${x},${y}`, "aria-label": `${name}, ${operator}${mark ? `: ${mark}` : ""}` },
      svg("rect", { x, y, width: WIDE, height: HIGH, rx: 6 }),
      svg("text", { x: x + 8, y: y + 20 }, fitted(`${name} · ${operator}`)),
      ...(mark ? [svg("circle", { cx: x + WIDE, cy: y, r: 6, class: "ft-mark" }), svg("title", {}, mark)] : []),
    );
    box.addEventListener("click", () => this.onPick(index));
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      this.onPick(index);
      event.preventDefault();
    });
    return box;
  }
}

/** @param {string} text */
function fitted(text) {
  return text.length > 23 ? `${text.slice(0, 22)}…` : text;
}

/** @param {number[]} from @param {number[]} to */
function line([fx, fy], [tx, ty]) {
  const [x1, y1, x2, y2] = [fx + WIDE / 2, fy + HIGH, tx + WIDE / 2, ty];
  const bend = (y2 - y1) / 2;
  return svg("path", { class: "ft-edge", d: `M${x1} ${y1} C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}` });
}
