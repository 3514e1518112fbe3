// @ts-check
/**
 * One cell of a layer: the window of the earlier layer, the weights, and the sum spelt out.
 *
 * @import { Window } from "faltung/network-run"
 * @import { LayerMaps, Opened, Seen } from "faltung/network-source"
 * @import { MapCell } from "faltung/maps"
 * @import { Cell, Outline } from "faltung/grid"
 */

import { el } from "faltung/dom";
import { Grid } from "faltung/grid";
import { largest, layout } from "faltung/maps";

/** The row and column of a map's largest number. @param {LayerMaps} maps @param {number} map @returns {Cell} */
export function strongestCell({ shape, values }, map) {
  const size = shape[1] * shape[2];
  let best = 0;
  for (let i = 1; i < size; i += 1) if (Math.abs(values[map * size + i]) > Math.abs(values[map * size + best])) best = i;
  return [Math.floor(best / shape[2]), best % shape[2]];
}

/** Which earlier map is shown: the wanted one, unless the window is read from others.
 * @param {Window | null} window @param {number} wanted */
export function earlierMap(window, wanted) {
  const maps = new Set(window?.reads[0]?.at.map(([map]) => map) ?? []);
  if (!window || maps.has(wanted)) return Math.max(0, wanted);
  return maps.size > 1 ? strongestMap(window) : (window.reads[0]?.at[0]?.[0] ?? 0);
}

/** Which earlier map adds most to a sum; of other windows the first. @param {Window} window */
function strongestMap(window) {
  const shares = byMap(window);
  return shares.length ? shares.reduce((best, share) => (Math.abs(share.sum) > Math.abs(best.sum) ? share : best)).map : 0;
}

/** What each earlier map adds to a sum. @param {Window} window */
export function byMap({ kind, reads, weights }) {
  const [read] = reads;
  if (!read) return [];
  /** @type {Map<number, number>} */
  const sums = new Map();
  for (const [i, [map]] of read.at.entries()) {
    const product = kind === "sum" ? (read.values[i] ?? NaN) * (weights?.[i] ?? NaN) : 0;
    sums.set(map, (sums.get(map) ?? 0) + product);
  }
  return Array.from(sums, ([map, sum]) => ({ map, sum }));
}

/** The products of a sum. @param {Window} window @returns {[number, number][]} */
export function termsOf({ reads, weights }) {
  return (reads[0]?.values ?? []).map((v, i) => [v ?? NaN, weights?.[i] ?? NaN]);
}

export class Detail {
  /** @param {{ onHover: (cell: MapCell | null) => void, onPin: (cell: MapCell) => void }} options */
  constructor(options) {
    /** @type {[number, number, number]} */
    this.shape = [1, 1, 1];
    this.map = 0;
    const found = (/** @type {Cell | null} */ cell) => {
      const [, rows, cols] = this.shape;
      const at = cell ? cell[0] * layout(this.shape).cols + cell[1] : -1;
      return at < 0 || at >= rows * cols ? null : /** @type {MapCell} */ ([this.map, Math.floor(at / cols), at % cols]);
    };
    this.earlier = new Grid({ label: "earlier layer: the window of the cell", caption: "", height: 232, largest: 40 });
    this.weights = new Grid({ label: "weights of the cell", caption: "", height: 232, largest: 40 });
    this.cells = new Grid({
      label: "the chosen map: arrow keys move, Enter pins",
      caption: "",
      height: 232,
      largest: 40,
      onHover: (cell) => options.onHover(found(cell)),
      onPin: (cell) => {
        const at = found(cell);
        if (at) options.onPin(at);
      },
    });
    this.kernel = el("div", { class: "ft-kernel" }, this.weights.element);
    this.element = el(
      "div",
      { class: "ft-grids ft-detail" },
      el("div", { class: "ft-input" }, this.earlier.element),
      this.kernel,
      el("div", { class: "ft-output" }, this.cells.element),
    );
  }

  dispose() {
    for (const grid of [this.earlier, this.weights, this.cells]) grid.dispose();
  }

  /** @param {Opened} opened @param {Seen} seen @param {[number, number, number, number]} active
   * @param {Window | null} window @param {number} from the earlier map @param {boolean} isPinned */
  show(opened, seen, active, window, from, isPinned) {
    const [layer, map, y, x] = active;
    const { shape, values, shown } = seen.maps[layer];
    Object.assign(this, { shape, map });
    const { rows, cols } = layout(shape);
    const at = y * shape[2] + x;
    const cell = /** @type {Cell} */ ([Math.floor(at / cols), at % cols]);
    this.cells.setCaption(`${opened.layers[layer].name}, map ${map} of ${shape[0]}${map < shown ? "" : ": not sent"}`);
    this.cells.show({
      rows,
      cols,
      limit: largest(values),
      value: (r, c) => valueOf(shape, values, map, r * cols + c),
      outlines: [{ y: cell[0], x: cell[1], colour: "output" }],
      pinned: isPinned ? cell : null,
    });
    this.#showEarlier(opened, seen, window, from);
    this.#showWeights(window, from);
  }

  /** @param {Opened} opened @param {Seen} seen @param {Window | null} window @param {number} from */
  #showEarlier(opened, seen, window, from) {
    const read = window?.reads[0];
    const place = read?.from ?? null;
    if (!read || place === null) {
      this.earlier.setCaption("Earlier layer");
      this.earlier.show({ rows: 0, cols: 0, value: () => null });
      return;
    }
    const { shape, values } = seen.maps[place];
    const { rows, cols } = layout(shape);
    const isVector = shape[0] === 1 && shape[1] === 1;
    const cells = read.at.filter(([map]) => map === from);
    const box = isVector ? null : around(cells);
    const past = { top: 0, bottom: 0, left: 0, right: 0 };
    if (box) Object.assign(past, { top: Math.max(0, -box.y), left: Math.max(0, -box.x), bottom: Math.max(0, box.y + box.h - rows), right: Math.max(0, box.x + box.w - cols) });
    const map = shape[0] > 1 ? `, map ${from} of ${shape[0]}` : "";
    this.earlier.setCaption(`${opened.layers[place].name}${map}`);
    this.earlier.show({
      rows,
      cols,
      limit: largest(values),
      padding: past,
      value: (r, c) => valueOf(shape, values, from, r * cols + c),
      outlines: box ? [box] : [],
      marked: isVector && cells.length < 20 ? cells.map(([, , x]) => /** @type {Cell} */ ([Math.floor(x / cols), x % cols])) : [],
    });
  }

  /** The weights over one earlier map. @param {Window | null} window @param {number} from */
  #showWeights(window, from) {
    this.kernel.hidden = window?.kind !== "sum";
    if (!window || window.kind !== "sum" || !window.weights) return;
    const [read] = window.reads;
    const mine = read.at.flatMap(([map], i) => (map === from ? [i] : []));
    const box = around(mine.map((i) => read.at[i]));
    const weights = window.weights;
    const isLine = box.h === 1 && mine.length > 16;
    const cols = isLine ? layout([1, 1, mine.length]).cols : new Set(mine.map((i) => read.at[i][2])).size;
    const limit = largest(weights.map((v) => v ?? 0));
    this.weights.setCaption(`Weights${isLine ? "" : `, on map ${from}`}`);
    this.weights.show({
      rows: Math.ceil(mine.length / Math.max(1, cols)),
      cols,
      limit,
      value: (r, c) => weights[mine[r * cols + c]] ?? null,
    });
  }
}

/** @param {number[]} shape @param {Float32Array} values @param {number} map @param {number} at */
function valueOf([, rows, cols], values, map, at) {
  return at < rows * cols ? (values[map * rows * cols + at] ?? null) : null;
}

/** The box around some cells. @param {[number, number, number][]} cells
 * @returns {Outline & { h: number, w: number }} */
export function around(cells) {
  if (!cells.length) return { y: 0, x: 0, h: 1, w: 1, colour: "kernel" };
  const [ys, xs] = [cells.map(([, y]) => y), cells.map(([, , x]) => x)];
  const [y, x] = [Math.min(...ys), Math.min(...xs)];
  return { y, x, h: Math.max(...ys) - y + 1, w: Math.max(...xs) - x + 1, colour: "kernel" };
}
