// @ts-check
/**
 * A matrix as cells, drawn on a canvas: a colour for each value, and the number where there is room.
 *
 * Cells have the coordinates of the data: what is negative or past the end is padding. The canvas
 * takes the pointer and the keyboard: hover or arrows show a cell, click or Enter pins it.
 *
 * @typedef {[number, number]} Cell row and column
 *
 * @typedef {object} Outline
 * @property {number} y
 * @property {number} x
 * @property {number} [h]
 * @property {number} [w]
 * @property {string} colour a CSS variable's name, such as "kernel"
 * @property {boolean} [dashed]
 *
 * @typedef {object} Picture
 * @property {number} rows
 * @property {number} cols
 * @property {(y: number, x: number) => number | null} value null for a blank cell
 * @property {number} [limit] value of the strongest colour; the largest there is if left out
 * @property {(y: number, x: number) => string} [colour] instead of the diverging scale
 * @property {(y: number, x: number) => string} [text] instead of the value
 * @property {{ top: number, bottom: number, left: number, right: number }} [padding]
 * @property {(y: number, x: number) => boolean} [isDropped] hatched: no window reaches it
 * @property {Cell[]} [marked] cells with a dot: those that take part
 * @property {Outline[]} [outlines]
 * @property {Cell | null} [pinned]
 *
 * @typedef {object} Options
 * @property {string} label what the grid shows, for those who cannot see it
 * @property {string} caption
 * @property {(cell: Cell | null) => void} [onHover]
 * @property {(cell: Cell | null) => void} [onPin]
 * @property {(cell: Cell, value: number) => void} [onEdit] makes the cells of the data editable
 * @property {number} [largest] pixels of the largest cell
 * @property {number} [height] pixels that the grid should not exceed
 */

import { diverging, onTheme, textOn } from "faltung/colour";
import { el } from "faltung/dom";
import { number } from "faltung/numbers";

const ROOM_FOR_TEXT = 22;
const LARGEST = 44;
const SMALLEST = 1;

export class Grid {
  /** @param {Options} options */
  constructor(options) {
    this.options = options;
    this.canvas = el("canvas", {
      class: "ft-grid",
      tabIndex: 0,
      role: "application",
      "aria-roledescription": "grid of numbers",
      "aria-label": options.label,
    });
    this.caption = el("figcaption", {}, options.caption);
    this.element = el("figure", { class: "ft-figure" }, this.caption, this.canvas);
    /** @type {Picture} */
    this.picture = { rows: 0, cols: 0, value: () => null };
    /** @type {Cell | null} */
    this.cursor = null;
    this.size = LARGEST;
    this.ratio = 0;
    this.#listen();
    this.observer = new ResizeObserver(() => this.#draw());
    this.observer.observe(this.element);
    this.stopTheme = onTheme(() => this.#draw());
  }

  /** Show a picture. @param {Picture} picture */
  show(picture) {
    this.picture = picture;
    this.#draw();
  }

  /** @param {string} text */
  setCaption(text) {
    if (this.caption.textContent !== text) this.caption.textContent = text;
  }

  dispose() {
    this.observer.disconnect();
    this.stopTheme();
  }

  /** The values as they are shown, row by row, without padding. */
  values() {
    const { rows, cols, value } = this.picture;
    return Array.from({ length: rows }, (_, y) => Array.from({ length: cols }, (_, x) => value(y, x)));
  }

  /** The middle of a cell, in pixels from the canvas's corner. @param {Cell} cell */
  centre(cell) {
    const { top, left } = this.#padding();
    return [(cell[1] + left + 0.5) * this.size, (cell[0] + top + 0.5) * this.size];
  }

  #padding() {
    return this.picture.padding ?? { top: 0, bottom: 0, left: 0, right: 0 };
  }

  #span() {
    const { top, bottom, left, right } = this.#padding();
    return { rows: this.picture.rows + top + bottom, cols: this.picture.cols + left + right };
  }

  #draw() {
    const { rows, cols } = this.#span();
    this.#fit(rows, cols);
    const context = this.canvas.getContext("2d");
    if (!context) return;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, cols * this.size, rows * this.size);
    if (!rows || !cols) return;
    const colours = getComputedStyle(this.element);
    this.#drawCells(context, colours);
    this.#drawMarks(context, colours);
  }

  /** Choose the cells' size from the room there is. @param {number} rows @param {number} cols */
  #fit(rows, cols) {
    const width = this.element.clientWidth || 320;
    const height = this.options.height ?? 460;
    const most = this.options.largest ?? LARGEST;
    const fitting = Math.floor(Math.min(width / Math.max(cols, 1), height / Math.max(rows, 1)));
    this.size = Math.max(SMALLEST, Math.min(most, fitting));
    this.ratio = Math.min(window.devicePixelRatio || 1, 2);
    const [w, h] = [cols * this.size, rows * this.size].map((n) => Math.max(1, n));
    if (this.canvas.width !== Math.round(w * this.ratio)) this.canvas.width = Math.round(w * this.ratio);
    if (this.canvas.height !== Math.round(h * this.ratio)) this.canvas.height = Math.round(h * this.ratio);
    if (this.canvas.style.width !== `${w}px`) this.canvas.style.width = `${w}px`;
    if (this.canvas.style.height !== `${h}px`) this.canvas.style.height = `${h}px`;
  }

  /** @param {CanvasRenderingContext2D} context @param {CSSStyleDeclaration} colours */
  #drawCells(context, colours) {
    const { picture, size } = this;
    const { top, bottom, left, right } = this.#padding();
    const limit = picture.limit ?? this.#largest();
    const [muted, faint, paper] = ["muted", "faint", "paper"].map((n) => colours.getPropertyValue(`--${n}`));
    const font = Math.max(9, Math.min(14, Math.floor(size * 0.36)));
    context.font = `${font}px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const lined = size >= 6;
    for (let y = -top; y < picture.rows + bottom; y += 1) {
      for (let x = -left; x < picture.cols + right; x += 1) {
        const [px, py] = [(x + left) * size, (y + top) * size];
        const isInside = y >= 0 && x >= 0 && y < picture.rows && x < picture.cols;
        const v = isInside ? picture.value(y, x) : null;
        if (isInside && v !== null) {
          const fill = picture.colour ? picture.colour(y, x) : diverging(v, limit);
          context.fillStyle = fill;
          context.fillRect(px, py, size, size);
          const text = picture.text ? picture.text(y, x) : size >= ROOM_FOR_TEXT ? number(v) : "";
          if (text && size >= ROOM_FOR_TEXT) {
            context.fillStyle = textOn(fill);
            context.fillText(text, px + size / 2, py + size / 2 + 0.5, size - 4);
          }
        } else {
          context.fillStyle = paper;
          context.fillRect(px, py, size, size);
        }
        if (lined) {
          context.strokeStyle = isInside ? faint : muted;
          context.lineWidth = 1;
          context.setLineDash(isInside ? [] : [3, 3]);
          context.strokeRect(px + 0.5, py + 0.5, size - 1, size - 1);
        }
        if (picture.isDropped?.(y, x)) hatch(context, px, py, size, muted);
      }
    }
    context.setLineDash([]);
  }

  /** @param {CanvasRenderingContext2D} context @param {CSSStyleDeclaration} colours */
  #drawMarks(context, colours) {
    const { picture, size } = this;
    const { top, left } = this.#padding();
    const ink = colours.getPropertyValue("--ink");
    for (const [y, x] of picture.marked ?? []) {
      const radius = Math.max(1.5, size * 0.08);
      context.beginPath();
      context.arc((x + left) * size + size - radius - 3, (y + top) * size + radius + 3, radius, 0, 7);
      context.fillStyle = "#000000";
      context.fill();
      context.strokeStyle = "#ffffff";
      context.lineWidth = 1;
      context.stroke();
    }
    for (const o of picture.outlines ?? []) {
      context.strokeStyle = colours.getPropertyValue(`--${o.colour}`) || o.colour;
      context.lineWidth = Math.min(3, Math.max(1.5, size / 8));
      context.setLineDash(o.dashed ? [5, 4] : []);
      const inset = context.lineWidth / 2;
      context.strokeRect(
        (o.x + left) * size + inset,
        (o.y + top) * size + inset,
        (o.w ?? 1) * size - 2 * inset,
        (o.h ?? 1) * size - 2 * inset,
      );
    }
    context.setLineDash([]);
    if (picture.pinned) {
      const [y, x] = picture.pinned;
      context.strokeStyle = ink;
      context.lineWidth = 3;
      context.strokeRect((x + left) * size + 1.5, (y + top) * size + 1.5, size - 3, size - 3);
    }
  }

  #largest() {
    const { rows, cols, value } = this.picture;
    let most = 0;
    for (let y = 0; y < rows; y += 1) {
      for (let x = 0; x < cols; x += 1) {
        const v = Math.abs(value(y, x) ?? 0);
        if (v > most && Number.isFinite(v)) most = v;
      }
    }
    return most;
  }

  // Pointer and keyboard ----------------------------------------------------------------------

  #listen() {
    const { canvas, options } = this;
    canvas.addEventListener("pointermove", (event) => options.onHover?.(this.#under(event)));
    canvas.addEventListener("pointerleave", () => options.onHover?.(null));
    canvas.addEventListener("click", (event) => options.onPin?.(this.#under(event)));
    canvas.addEventListener("dblclick", (event) => this.#edit(this.#under(event)));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => {
      this.cursor = null;
    });
  }

  /** @param {MouseEvent} event @returns {Cell | null} */
  #under(event) {
    const { top, left } = this.#padding();
    const { rows, cols } = this.#span();
    const [y, x] = [Math.floor(event.offsetY / this.size), Math.floor(event.offsetX / this.size)];
    if (y < 0 || x < 0 || y >= rows || x >= cols) return null;
    this.cursor = [y - top, x - left];
    return this.cursor;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = STEPS[event.key];
    if (step && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const { top, bottom, left, right } = this.#padding();
      const [y, x] = this.cursor ?? [0, -step[1] === 1 ? 1 : 0];
      const started = this.cursor !== null;
      this.cursor = [
        clamp(y + (started ? step[0] : 0), -top, this.picture.rows + bottom - 1),
        clamp(x + (started ? step[1] : 0), -left, this.picture.cols + right - 1),
      ];
      this.options.onHover?.(this.cursor);
    } else if (event.key === "Enter" && this.cursor) {
      if (event.shiftKey || !this.options.onPin) this.#edit(this.cursor);
      else this.options.onPin(this.cursor);
    } else if (/^[-−0-9.]$/.test(event.key) && this.cursor && this.options.onEdit) {
      this.#edit(this.cursor, event.key);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Put a number box over a cell. @param {Cell | null} cell @param {string} [typed] */
  #edit(cell, typed) {
    const { onEdit } = this.options;
    const { rows, cols, value } = this.picture;
    if (!cell || !onEdit || cell[0] < 0 || cell[1] < 0 || cell[0] >= rows || cell[1] >= cols) return;
    const [cx, cy] = this.centre(cell);
    const box = el("input", {
      type: "text",
      inputMode: "decimal",
      class: "ft-edit",
      value: typed ?? String(value(...cell) ?? 0),
      "aria-label": `value at row ${cell[0]}, column ${cell[1]}`,
    });
    box.style.left = `${this.canvas.offsetLeft + cx - 32}px`;
    box.style.top = `${this.canvas.offsetTop + cy - 14}px`;
    let isOpen = true;
    const close = (/** @type {boolean} */ isTaken) => {
      if (!isOpen) return; // taking the box away blurs it once more
      isOpen = false;
      const given = Number(box.value.replace("−", "-"));
      const isGiven = box.value.trim() !== "" && Number.isFinite(given);
      box.remove();
      if (isTaken && isGiven) onEdit(cell, given);
      this.canvas.focus({ preventScroll: true });
      this.cursor = cell;
    };
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter") close(true);
      else if (event.key === "Escape") close(false);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    box.addEventListener("blur", () => close(true));
    this.element.append(box);
    box.focus({ preventScroll: true });
    if (typed === undefined) box.select();
  }
}

/** @type {Record<string, Cell>} */
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** @param {number} v @param {number} low @param {number} high */
function clamp(v, low, high) {
  return Math.min(high, Math.max(low, v));
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y
 * @param {number} size @param {string} colour */
function hatch(context, x, y, size, colour) {
  context.save();
  context.beginPath();
  context.rect(x, y, size, size);
  context.clip();
  context.setLineDash([]);
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  for (let at = -size; at < size; at += 6) {
    context.moveTo(x + at, y + size);
    context.lineTo(x + at + size, y);
  }
  context.stroke();
  context.restore();
}
