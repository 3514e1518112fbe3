// @ts-check
/**
 * A picture of many pixels on a canvas, enlarged without smoothing. As in a grid, hover or the
 * arrow keys show a pixel, click or Enter pins it; a drag marks a box where that is asked for.
 *
 * @import { Cell, Outline } from "faltung/grid"
 *
 * @typedef {object} Shot what is shown
 * @property {number} height
 * @property {number} width
 * @property {Uint8ClampedArray<ArrayBuffer>} rgba
 *
 * @typedef {object} Marks
 * @property {(Outline & { label?: string })[]} [outlines]
 * @property {Cell | null} [pinned]
 *
 * @typedef {object} Options
 * @property {string} label what it shows, for those who cannot see it
 * @property {string} caption
 * @property {(cell: Cell | null) => void} [onHover]
 * @property {(cell: Cell | null) => void} [onPin]
 * @property {(from: Cell, to: Cell) => void} [onBox] called while something is dragged
 * @property {(step: Cell) => void} [onStep] takes the arrow keys, in place of the cursor
 * @property {number} [tall] pixels that it should not exceed
 */

import { onTheme } from "faltung/colour";
import { el } from "faltung/dom";

const LARGEST_PIXEL = 16;

export class Raster {
  /** @param {Options} options */
  constructor(options) {
    this.options = options;
    this.canvas = el("canvas", {
      class: options.onBox ? "ft-grid ft-raster ft-boxing" : "ft-grid ft-raster",
      tabIndex: 0,
      role: "application",
      "aria-roledescription": "picture",
      "aria-label": options.label,
    });
    this.caption = el("figcaption", {}, options.caption);
    this.element = el("figure", { class: "ft-figure" }, this.caption, this.canvas);
    /** @type {OffscreenCanvas | null} */
    this.bitmap = null;
    /** @type {{ height: number, width: number }} */
    this.shape = { height: 0, width: 0 };
    /** @type {Marks} */
    this.marks = {};
    /** @type {Cell | null} */
    this.cursor = null;
    /** @type {Cell | null} */
    this.grabbed = null;
    this.scale = 1;
    this.isDue = false;
    this.observer = new ResizeObserver(() => this.#draw());
    this.observer.observe(this.element);
    this.stopTheme = onTheme(() => this.#draw());
    this.#listen();
  }

  /** @param {Shot} shot */
  show({ height, width, rgba }) {
    this.shape = { height, width };
    this.bitmap = null;
    if (height && width) {
      this.bitmap = new OffscreenCanvas(width, height);
      this.bitmap.getContext("2d")?.putImageData(new ImageData(rgba, width, height), 0, 0);
    }
    this.#drawSoon();
  }

  /** @param {Marks} marks */
  mark(marks) {
    this.marks = marks;
    this.#drawSoon();
  }

  /** @param {string} text */
  setCaption(text) {
    if (this.caption.textContent !== text) this.caption.textContent = text;
  }

  dispose() {
    this.observer.disconnect();
    this.stopTheme();
  }

  /** Draw once, however much changes now. */
  #drawSoon() {
    if (this.isDue) return;
    this.isDue = true;
    queueMicrotask(() => {
      this.isDue = false;
      this.#draw();
    });
  }

  #draw() {
    const { height, width } = this.shape;
    const room = this.element.clientWidth || 320;
    const fitting = Math.min(room / Math.max(width, 1), (this.options.tall ?? 420) / Math.max(height, 1));
    this.scale = Math.min(LARGEST_PIXEL, fitting >= 1 ? Math.floor(fitting * 4) / 4 : fitting);
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const [w, h] = [width, height].map((n) => Math.max(1, Math.round(n * this.scale)));
    const { canvas } = this;
    if (canvas.width !== Math.round(w * ratio)) canvas.width = Math.round(w * ratio);
    if (canvas.height !== Math.round(h * ratio)) canvas.height = Math.round(h * ratio);
    canvas.style.width = `${w}px`;
    canvas.style.height = `${h}px`;
    const context = canvas.getContext("2d");
    if (!context) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, w, h);
    if (!this.bitmap) return;
    context.imageSmoothingEnabled = this.scale < 1;
    context.drawImage(this.bitmap, 0, 0, w, h);
    this.#drawMarks(context);
  }

  /** @param {CanvasRenderingContext2D} context */
  #drawMarks(context) {
    const { scale } = this;
    const colours = getComputedStyle(this.element);
    const frame = (/** @type {Outline} */ o, /** @type {number} */ width, /** @type {string} */ colour) => {
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.setLineDash(o.dashed ? [5, 4] : []);
      context.strokeRect(o.x * scale, o.y * scale, (o.w ?? 1) * scale, (o.h ?? 1) * scale);
    };
    context.font = "600 12px system-ui, sans-serif";
    for (const o of this.marks.outlines ?? []) {
      frame({ ...o, dashed: false }, 4, "#000000");
      frame(o, 2, colours.getPropertyValue(`--${o.colour}`) || o.colour);
      if (!o.label) continue;
      const [x, y] = [Math.max(0, o.x * scale) + 3, Math.max(0, o.y * scale) + 13];
      context.lineWidth = 3;
      context.setLineDash([]);
      context.strokeStyle = "#000000";
      context.strokeText(o.label, x, y);
      context.fillStyle = "#ffffff";
      context.fillText(o.label, x, y);
    }
    if (this.marks.pinned) {
      const [y, x] = this.marks.pinned;
      frame({ y, x, colour: "" }, 5, colours.getPropertyValue("--paper"));
      frame({ y, x, colour: "" }, 2.5, colours.getPropertyValue("--ink"));
    }
  }

  #listen() {
    const { canvas, options } = this;
    canvas.addEventListener("pointermove", (event) => {
      const cell = this.#under(event);
      if (this.grabbed && cell) options.onBox?.(this.grabbed, cell);
      else options.onHover?.(cell);
    });
    canvas.addEventListener("pointerleave", () => options.onHover?.(null));
    canvas.addEventListener("click", (event) => options.onPin?.(this.#under(event)));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => {
      this.cursor = null;
    });
    if (!options.onBox) return;
    canvas.addEventListener("pointerdown", (event) => {
      this.grabbed = this.#under(event);
      canvas.setPointerCapture(event.pointerId);
    });
    for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) {
      canvas.addEventListener(name, () => {
        this.grabbed = null;
      });
    }
  }

  /** @param {MouseEvent} event @returns {Cell | null} */
  #under(event) {
    const { height, width } = this.shape;
    const [y, x] = [Math.floor(event.offsetY / this.scale), Math.floor(event.offsetX / this.scale)];
    const isInside = y >= 0 && x >= 0 && y < height && x < width;
    if (this.grabbed) return this.options.onStep ? [y, x] : [clamp(y, height), clamp(x, width)];
    if (isInside) this.cursor = [y, x];
    return isInside ? [y, x] : null;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = STEPS[event.key];
    const { height, width } = this.shape;
    if (step && this.options.onStep) this.options.onStep(step);
    else if (step && !event.ctrlKey && !event.metaKey && !event.altKey && height && width) {
      const [y, x] = this.cursor ?? [-step[0], -step[1]];
      const far = event.shiftKey ? 8 : 1;
      this.cursor = [clamp(y + far * step[0], height), clamp(x + far * step[1], width)];
      this.options.onHover?.(this.cursor);
    } else if (event.key === "Enter" && this.cursor) this.options.onPin?.(this.cursor);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** @type {Record<string, Cell>} */
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** @param {number} v @param {number} size */
function clamp(v, size) {
  return Math.min(size - 1, Math.max(0, v));
}
