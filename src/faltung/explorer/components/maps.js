// @ts-check
/**
 * The maps of a layer side by side on one canvas; a vector is one map whose cells are wrapped. The
 * pointer and the keyboard find a cell: hover or arrows show it, click or Enter pins it.
 *
 * @typedef {[number, number, number]} MapCell map, row, column
 *
 * @typedef {object} Maps what is shown
 * @property {[number, number, number]} shape maps, rows, columns
 * @property {number} shown how many of the maps there are values of
 * @property {ArrayLike<number>} values
 * @property {boolean} [isGrey] from black to white instead of the diverging scale
 * @property {number} [limit] value of the strongest colour
 * @property {number} [low] value of black
 * @property {{ map: number | null, y: number, x: number, h: number, w: number, colour: string }[]} [boxes]
 *   null: on every map
 * @property {number[]} [chosen] maps with an outline
 *
 * @typedef {object} Options
 * @property {string} label
 * @property {number} [side] pixels of a map's longer side, about
 * @property {(cell: MapCell | null) => void} [onHover]
 * @property {(cell: MapCell) => void} [onPin]
 */

import { diverging, onTheme } from "faltung/colour";
import { el } from "faltung/dom";
import { same } from "faltung/store";

const GAP = 4;
/** Room for the outline of the first map. */
const EDGE = 2;
const WRAP = 56;
/** @type {number[][]} */
const COLOURS = Array.from({ length: 257 }, (_, i) => {
  const text = diverging(i / 128 - 1, 1);
  return [1, 3, 5].map((at) => Number.parseInt(text.slice(at, at + 2), 16));
});

/** How a map is laid out: as it is, or a vector wrapped. @param {[number, number, number]} shape */
export function layout([maps, rows, cols]) {
  if (maps > 1 || rows > 1 || cols <= 16) return { rows, cols };
  return { rows: Math.ceil(cols / WRAP), cols: Math.min(cols, WRAP) };
}

/** The largest size among values. @param {ArrayLike<number>} values */
export function largest(values) {
  let most = 0;
  for (let i = 0; i < values.length; i += 1) {
    const size = Math.abs(values[i]);
    if (size > most && size < Infinity) most = size;
  }
  return most;
}

export class MapStrip {
  /** @param {Options} options */
  constructor(options) {
    this.options = options;
    this.canvas = el("canvas", {
      class: "ft-maps",
      tabIndex: 0,
      role: "application",
      "aria-roledescription": "feature maps",
      "aria-label": `${options.label}: arrows move within a map, Page Up and Page Down change it, Enter pins`,
    });
    this.caption = el("figcaption");
    this.element = el("figure", { class: "ft-figure ft-strip" }, this.caption, this.canvas);
    /** @type {Maps} */
    this.picture = { shape: [0, 0, 0], shown: 0, values: [] };
    this.drawn = document.createElement("canvas");
    /** @type {MapCell | null} */
    this.cursor = null;
    this.tile = { rows: 0, cols: 0, cell: 1, across: 1 };
    this.#listen();
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.element);
    this.stopTheme = onTheme(() => this.draw());
  }

  dispose() {
    this.observer.disconnect();
    this.stopTheme();
  }

  /** @param {Maps} picture */
  show(picture) {
    const { values, boxes } = this.picture;
    const isPainted = values === picture.values;
    this.picture = picture;
    if (!isPainted) this.#paint();
    if (!isPainted || !same(boxes, picture.boxes)) this.draw();
  }

  /** Give every value its colour, once: a pixel for each cell, the maps below each other. */
  #paint() {
    const { shape, shown, values, isGrey } = this.picture;
    const { rows, cols } = layout(shape);
    this.drawn.width = Math.max(1, cols);
    this.drawn.height = Math.max(1, rows * shown);
    const context = this.drawn.getContext("2d");
    if (!context || !shown) return;
    const limit = this.picture.limit ?? largest(values);
    const low = this.picture.low ?? 0;
    const image = context.createImageData(cols, rows * shown);
    const size = shape[1] * shape[2];
    for (let i = 0; i < size * shown; i += 1) {
      const at = Math.floor(i / size) * rows * cols + (i % size);
      const colour = isGrey ? grey(values[i] - low, limit - low) : COLOURS[level(values[i], limit)];
      image.data.set(colour, 4 * at);
      image.data[4 * at + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  draw() {
    const { shape, shown } = this.picture;
    const { rows, cols } = layout(shape);
    const width = this.element.clientWidth || 320;
    const isVector = shape[0] === 1 && shape[1] === 1;
    const side = evenly(shown, width - 2 * EDGE, this.options.side ?? 52);
    const cell = isVector ? (shape[2] <= 16 ? 14 : Math.min(4, width / cols)) : side / Math.max(rows, cols, 1);
    const across = Math.max(1, Math.min(shown, Math.floor((width - EDGE) / (cols * cell + GAP) + 1e-9)));
    this.tile = { rows, cols, cell, across };
    const lines = Math.ceil(shown / across);
    this.#size(across * (cols * cell + GAP), lines * (rows * cell + GAP));
    const context = this.canvas.getContext("2d");
    if (!context || !shown) return;
    context.imageSmoothingEnabled = cell < 3;
    context.strokeStyle = getComputedStyle(this.element).getPropertyValue("--faint");
    context.lineWidth = 1;
    for (let map = 0; map < shown; map += 1) {
      const [x, y] = this.#corner(map);
      context.drawImage(this.drawn, 0, map * rows, cols, rows, x, y, cols * cell, rows * cell);
      context.strokeRect(x - 0.5, y - 0.5, cols * cell + 1, rows * cell + 1);
    }
    this.#drawBoxes(context);
  }

  /** @param {number} w @param {number} h */
  #size(w, h) {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const [width, height] = [w, h].map((n) => Math.max(1, Math.round(n)));
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    this.canvas.getContext("2d")?.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  /** The corner of a map, in pixels. @param {number} map */
  #corner(map) {
    const { rows, cols, cell, across } = this.tile;
    return [EDGE + (map % across) * (cols * cell + GAP), EDGE + Math.floor(map / across) * (rows * cell + GAP)];
  }

  /** @param {CanvasRenderingContext2D} context */
  #drawBoxes(context) {
    const { boxes = [], chosen = [], shown } = this.picture;
    const { rows, cols, cell } = this.tile;
    const colours = getComputedStyle(this.element);
    const outline = (/** @type {number[]} */ [x, y, w, h], /** @type {string} */ colour, /** @type {number} */ line) => {
      context.strokeStyle = colours.getPropertyValue(`--${colour}`);
      context.lineWidth = line;
      context.strokeRect(x, y, w, h);
    };
    for (const map of chosen) {
      const [x, y] = this.#corner(map);
      if (map < shown) outline([x - 1, y - 1, cols * cell + 2, rows * cell + 2], "ink", 2);
    }
    for (const { map, y, x, h, w, colour } of boxes) {
      const maps = map === null ? Array.from({ length: shown }, (_, i) => i) : [map].filter((i) => i < shown);
      for (const each of maps) {
        const [left, top] = this.#corner(each);
        outline([left + x * cell, top + y * cell, Math.max(2, w * cell), Math.max(2, h * cell)], colour, maps.length > 1 ? 1 : 2);
      }
    }
  }

  // Pointer and keyboard ----------------------------------------------------------------------

  #listen() {
    const { canvas, options } = this;
    canvas.addEventListener("pointermove", (event) => options.onHover?.(this.#under(event)));
    canvas.addEventListener("pointerleave", () => options.onHover?.(null));
    canvas.addEventListener("click", (event) => {
      const cell = this.#under(event);
      if (cell) options.onPin?.(cell);
    });
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {MouseEvent} event @returns {MapCell | null} */
  #under(event) {
    const { rows, cols, cell, across } = this.tile;
    const [wide, high] = [cols * cell + GAP, rows * cell + GAP];
    const [px, py] = [event.offsetX - EDGE, event.offsetY - EDGE];
    const [column, line] = [Math.floor(px / wide), Math.floor(py / high)];
    const [x, y] = [Math.floor((px - column * wide) / cell), Math.floor((py - line * high) / cell)];
    const map = line * across + column;
    if (column < 0 || line < 0 || column >= across || x < 0 || y < 0 || x >= cols || y >= rows || map >= this.picture.shown) return null;
    this.cursor = this.#cell(map, y * cols + x);
    return this.cursor;
  }

  /** The cell at a place of a map, counted row by row. @param {number} map @param {number} at
   * @returns {MapCell | null} */
  #cell(map, at) {
    const [, rows, cols] = this.picture.shape;
    return at < rows * cols ? [map, Math.floor(at / cols), at % cols] : null;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { shape, shown } = this.picture;
    if (!shown) return;
    const { cols } = this.tile;
    const steps = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -cols, ArrowDown: cols });
    const pages = /** @type {Record<string, number>} */ ({ PageUp: -1, PageDown: 1 });
    const [map, y, x] = this.cursor ?? [0, 0, -1];
    if (event.key in steps) {
      const at = Math.min(shape[1] * shape[2] - 1, Math.max(0, y * shape[2] + x + (this.cursor ? steps[event.key] : 1)));
      this.cursor = this.#cell(map, at);
    } else if (event.key in pages) {
      this.cursor = [(map + pages[event.key] + shown) % shown, y, Math.max(0, x)];
    } else if (event.key === "Enter" && this.cursor) {
      this.options.onPin?.(this.cursor);
    } else return;
    if (event.key !== "Enter") this.options.onHover?.(this.cursor);
    event.preventDefault();
    event.stopPropagation();
  }
}

/** The side of maps that fill their lines evenly, about as large as is wanted.
 * @param {number} count @param {number} width @param {number} wanted */
function evenly(count, width, wanted) {
  for (let lines = 1; lines < count; lines += 1) {
    const side = width / Math.ceil(count / lines) - GAP;
    if (side >= 0.7 * wanted) return Math.min(wanted, side);
  }
  return Math.min(wanted, width - GAP);
}

/** @param {number} v @param {number} limit */
function level(v, limit) {
  if (!Number.isFinite(v)) return 128;
  return Math.round(128 * (1 + Math.min(1, Math.max(-1, limit > 0 ? v / limit : 0))));
}

/** @param {number} v @param {number} limit */
function grey(v, limit) {
  const light = Math.round(255 * Math.min(1, Math.max(0, limit > 0 ? v / limit : 0)));
  return [light, light, light];
}
