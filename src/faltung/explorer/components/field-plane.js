// @ts-check
/**
 * A value as a plane of positions, with the part of it that one output sees. What never changes
 * under the pointer is drawn once and kept.
 *
 * @import { Span } from "faltung/geometry"
 *
 * @typedef {object} Ground what does not follow the pointer
 * @property {number} rows
 * @property {number} cols
 * @property {[number, number]} margin rows and columns drawn around it
 * @property {[[number, number], [number, number]]} padding that the next layer adds: rows, columns
 * @property {[number, number]} unread rows and columns at the end that no window reaches
 *
 * @typedef {object} Sight
 * @property {Span} rows
 * @property {Span} cols
 * @property {"input" | "kernel" | "output"} colour
 * @property {((y: number, x: number) => boolean) | null} isSeen whether a position inside takes part; all if null
 * @property {((y: number, x: number) => number) | null} heat from 0 to 1, in place of the colour
 * @property {((y: number, x: number) => string) | null} text
 * @property {boolean} isPinned
 */

import { amount, onTheme, textOn } from "faltung/colour";
import { el } from "faltung/dom";

const LARGEST = 30;
const TALLEST = 360;
const ROOM_FOR_LINES = 5;
const ROOM_FOR_TEXT = 22;
/** @type {Record<string, [number, number]>} */
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export class Plane {
  /**
   * @param {{ onHover: (cell: [number, number] | null) => void, onPin: (cell: [number, number]) => void }} options
   */
  constructor(options) {
    this.options = options;
    this.canvas = el("canvas", { class: "ft-grid", tabIndex: 0, role: "application", "aria-roledescription": "plane of positions" });
    this.caption = el("figcaption");
    this.element = el("figure", { class: "ft-figure ft-plane" }, this.caption, this.canvas);
    /** @type {Ground} */
    this.ground = { rows: 0, cols: 0, margin: [0, 0], padding: [[0, 0], [0, 0]], unread: [0, 0] };
    /** @type {Sight | null} */
    this.sight = null;
    /** @type {[number, number] | null} */
    this.cursor = null;
    this.size = 1;
    this.ratio = 1;
    this.kept = document.createElement("canvas");
    this.colours = getComputedStyle(this.element);
    this.#listen();
    this.observer = new ResizeObserver(() => this.#renew());
    this.observer.observe(this.element);
    this.stopTheme = onTheme(() => this.#renew());
  }

  /** @param {Ground} ground @param {string} caption @param {string} label */
  setGround(ground, caption, label) {
    this.ground = ground;
    if (this.caption.textContent !== caption) this.caption.textContent = caption;
    this.canvas.setAttribute("aria-label", label);
    this.#renew();
  }

  /** @param {Sight | null} sight */
  show(sight) {
    this.sight = sight;
    this.#draw();
  }

  dispose() {
    this.observer.disconnect();
    this.stopTheme();
  }

  /** @param {string} name */
  #colour(name) {
    return this.colours.getPropertyValue(`--${name}`);
  }

  /** Choose the cells' size, and draw the ground anew. */
  #renew() {
    const { rows, cols, margin } = this.ground;
    const [high, wide] = [rows + 2 * margin[0], cols + 2 * margin[1]].map((n) => Math.max(n, 1));
    const width = this.element.clientWidth || 200;
    const fitting = Math.min(width / wide, TALLEST / high, LARGEST);
    // Quarters of a pixel where whole ones would leave much room.
    this.size = fitting >= 12 ? Math.floor(fitting) : fitting >= 1 ? Math.floor(4 * fitting) / 4 : fitting;
    this.ratio = Math.min(window.devicePixelRatio || 1, 2);
    const [w, h] = [wide * this.size, high * this.size];
    for (const canvas of [this.canvas, this.kept]) {
      canvas.width = Math.max(1, Math.round(w * this.ratio));
      canvas.height = Math.max(1, Math.round(h * this.ratio));
    }
    this.canvas.style.width = `${w}px`;
    this.canvas.style.height = `${h}px`;
    this.canvas.hidden = !rows || !cols;
    this.palette = Object.fromEntries(["paper", "ink", "muted", "faint", "input", "kernel", "output"].map((name) => [name, this.#colour(name)]));
    const context = this.kept.getContext("2d");
    if (context) this.#drawGround(context);
    this.#draw();
  }

  /** @param {CanvasRenderingContext2D} context */
  #drawGround(context) {
    const { rows, cols, margin, padding, unread } = this.ground;
    const { size } = this;
    const palette = /** @type {Record<string, string>} */ (this.palette);
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, (cols + 2 * margin[1]) * size, (rows + 2 * margin[0]) * size);
    context.translate(margin[1] * size, margin[0] * size);
    if (!rows || !cols) return;
    const [[top, bottom], [left, right]] = padding.map((pair, axis) => pair.map((n) => Math.min(Math.max(n, 0), margin[axis])));
    context.setLineDash([3, 3]);
    lines(context, { y: -top, x: -left, h: rows + top + bottom, w: cols + left + right }, size, palette.muted, top + bottom + left + right > 0);
    context.setLineDash([]);
    context.fillStyle = palette.paper;
    context.fillRect(0, 0, cols * size, rows * size);
    lines(context, { y: 0, x: 0, h: rows, w: cols }, size, palette.faint, true);
    context.strokeStyle = palette.muted;
    context.lineWidth = 1;
    context.strokeRect(0.5, 0.5, cols * size - 1, rows * size - 1);
    // Rows and columns that no window reaches: the last of them may be padding.
    const [low, far] = [rows + padding[0][1], cols + padding[1][1]];
    const [ends, sides] = [Math.min(low, rows + margin[0]), Math.min(far, cols + margin[1])];
    const [firstRow, firstCol] = [Math.max(0, low - unread[0]), Math.max(0, far - unread[1])];
    if (unread[0] && ends > firstRow) hatch(context, 0, firstRow * size, cols * size, (ends - firstRow) * size, palette.muted);
    if (unread[1] && sides > firstCol) hatch(context, firstCol * size, 0, (sides - firstCol) * size, rows * size, palette.muted);
  }

  #draw() {
    const context = this.canvas.getContext("2d");
    if (!context) return;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.kept, 0, 0);
    const { rows, cols, margin } = this.ground;
    if (!this.sight || !rows || !cols) return;
    context.setTransform(this.ratio, 0, 0, this.ratio, margin[1] * this.size * this.ratio, margin[0] * this.size * this.ratio);
    this.#drawSight(context, this.sight);
  }

  /** @param {CanvasRenderingContext2D} context @param {Sight} sight */
  #drawSight(context, sight) {
    const { size } = this;
    const { rows, cols, margin } = this.ground;
    const palette = /** @type {Record<string, string>} */ (this.palette);
    const [y0, y1] = [Math.max(0, sight.rows.lo), Math.min(rows, sight.rows.hi)];
    const [x0, x1] = [Math.max(0, sight.cols.lo), Math.min(cols, sight.cols.hi)];
    const gap = size >= ROOM_FOR_LINES ? 1 : 0;
    if (!sight.heat && !sight.isSeen) {
      context.globalAlpha = 0.55;
      context.fillStyle = palette[sight.colour];
      if (y1 > y0 && x1 > x0) context.fillRect(x0 * size, y0 * size, (x1 - x0) * size, (y1 - y0) * size);
      context.globalAlpha = 1;
    } else {
      this.#drawCells(context, sight, [y0, y1, x0, x1], gap);
    }
    // The box, open where it goes on past what is drawn.
    const [top, left] = [Math.max(sight.rows.lo, -margin[0] - 1), Math.max(sight.cols.lo, -margin[1] - 1)];
    const [bottom, right] = [Math.min(sight.rows.hi, rows + margin[0] + 1), Math.min(sight.cols.hi, cols + margin[1] + 1)];
    if (bottom <= top || right <= left) return;
    const stroke = Math.min(3, Math.max(1.5, size / 8));
    context.lineWidth = sight.isPinned ? 3 : stroke;
    context.strokeStyle = sight.isPinned ? palette.ink : palette[sight.colour];
    const inset = context.lineWidth / 2;
    context.strokeRect(left * size + inset, top * size + inset, Math.max((right - left) * size - 2 * inset, 1), Math.max((bottom - top) * size - 2 * inset, 1));
  }

  /** @param {CanvasRenderingContext2D} context @param {Sight} sight @param {number[]} box @param {number} gap */
  #drawCells(context, sight, [y0, y1, x0, x1], gap) {
    const { size } = this;
    const palette = /** @type {Record<string, string>} */ (this.palette);
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.font = `${Math.max(9, Math.floor(size * 0.36))}px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace`;
    for (let y = y0; y < y1; y += 1) {
      for (let x = x0; x < x1; x += 1) {
        if (sight.isSeen && !sight.isSeen(y, x)) continue;
        const heat = sight.heat?.(y, x);
        const fill = heat === undefined ? palette[sight.colour] : amount(heat, 1);
        context.globalAlpha = heat === undefined ? 0.55 : 1;
        context.fillStyle = fill;
        context.fillRect(x * size + gap, y * size + gap, size - gap, size - gap);
        if (!sight.text || size < ROOM_FOR_TEXT) continue;
        context.globalAlpha = 1;
        context.fillStyle = heat === undefined ? palette.ink : textOn(fill);
        context.fillText(sight.text(y, x), (x + 0.5) * size, (y + 0.5) * size + 0.5, size - 3);
      }
    }
    context.globalAlpha = 1;
  }

  #listen() {
    const { canvas, options } = this;
    canvas.addEventListener("pointermove", (event) => options.onHover(this.#under(event)));
    canvas.addEventListener("pointerleave", () => options.onHover(null));
    canvas.addEventListener("blur", () => options.onHover(null));
    canvas.addEventListener("click", (event) => {
      const cell = this.#under(event);
      if (cell) options.onPin(cell);
    });
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {MouseEvent} event @returns {[number, number] | null} */
  #under(event) {
    const { rows, cols, margin } = this.ground;
    const [y, x] = [Math.floor(event.offsetY / this.size) - margin[0], Math.floor(event.offsetX / this.size) - margin[1]];
    this.cursor = y < 0 || x < 0 || y >= rows || x >= cols ? null : [y, x];
    return this.cursor;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = STEPS[event.key];
    const { rows, cols } = this.ground;
    if (step && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const [y, x] = this.cursor ?? [Math.floor(rows / 2) - step[0], Math.floor(cols / 2) - step[1]];
      this.cursor = [clamp(y + step[0], rows), clamp(x + step[1], cols)];
      this.options.onHover(this.cursor);
    } else if (event.key === "Enter" && this.cursor) {
      this.options.onPin(this.cursor);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** @param {number} v @param {number} length */
function clamp(v, length) {
  return Math.min(length - 1, Math.max(0, v));
}

/** Lines between cells; only around all of them where cells are small.
 * @param {CanvasRenderingContext2D} context @param {{ y: number, x: number, h: number, w: number }} box
 * @param {number} size @param {string} colour @param {boolean} isWanted */
function lines(context, { y, x, h, w }, size, colour, isWanted) {
  if (!isWanted) return;
  context.strokeStyle = colour;
  context.lineWidth = 1;
  if (size < ROOM_FOR_LINES) {
    context.strokeRect(x * size + 0.5, y * size + 0.5, w * size - 1, h * size - 1);
    return;
  }
  context.beginPath();
  for (let row = 0; row <= h; row += 1) {
    context.moveTo(x * size, (y + row) * size + 0.5);
    context.lineTo((x + w) * size, (y + row) * size + 0.5);
  }
  for (let col = 0; col <= w; col += 1) {
    context.moveTo((x + col) * size + 0.5, y * size);
    context.lineTo((x + col) * size + 0.5, (y + h) * size);
  }
  context.stroke();
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y
 * @param {number} w @param {number} h @param {string} colour */
function hatch(context, x, y, w, h, colour) {
  context.save();
  context.beginPath();
  context.rect(x, y, w, h);
  context.clip();
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  for (let at = -h; at < w; at += 6) {
    context.moveTo(x + at, y + h);
    context.lineTo(x + at + h, y);
  }
  context.stroke();
  context.restore();
}
