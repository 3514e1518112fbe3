// @ts-check
/**
 * A pad to draw a digit on: pen, finger or mouse; with the keyboard the arrows move a pen that the
 * space bar puts down and lifts.
 *
 * @import { Stroke } from "faltung/digit"
 */

import { drawn, PAD } from "faltung/digit";
import { el } from "faltung/dom";

const SCALE = 2;
const STEP = 4;

export class Pad {
  /**
   * @param {object} options
   * @param {() => Stroke[]} options.strokes
   * @param {(strokes: Stroke[], isDrag: boolean) => void} options.onDraw
   */
  constructor(options) {
    this.options = options;
    this.canvas = el("canvas", {
      class: "ft-pad",
      width: PAD * SCALE,
      height: PAD * SCALE,
      tabIndex: 0,
      role: "application",
      "aria-roledescription": "drawing pad",
      "aria-label": "Drawing pad: draw with the pointer; or move the pen with the arrows, space puts it down and lifts it, Delete clears",
    });
    this.element = el("figure", { class: "ft-figure" }, el("figcaption", {}, "Draw a digit"), this.canvas);
    /** @type {[number, number]} */
    this.pen = [PAD / 2, PAD / 4];
    this.isDown = false;
    this.hasKeys = false;
    this.#listen();
  }

  /** Show what is drawn, and the pen where the keyboard moves it. */
  show() {
    const context = this.canvas.getContext("2d");
    if (!context) return;
    const { pixels } = drawn(this.options.strokes());
    const image = new ImageData(PAD, PAD);
    for (let i = 0; i < pixels.length; i += 1) image.data.set([pixels[i], pixels[i], pixels[i], 255], 4 * i);
    const small = new OffscreenCanvas(PAD, PAD);
    small.getContext("2d")?.putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, PAD * SCALE, PAD * SCALE);
    if (!this.options.strokes().length && !this.hasKeys) {
      context.fillStyle = "#8f9aa5";
      context.font = "15px system-ui, sans-serif";
      context.textAlign = "center";
      context.fillText("draw here", (PAD * SCALE) / 2, (PAD * SCALE) / 2);
    }
    if (!this.hasKeys) return;
    context.strokeStyle = this.isDown ? "#e69f00" : "#56b4e9";
    context.lineWidth = 2;
    context.beginPath();
    context.arc((this.pen[0] + 0.5) * SCALE, (this.pen[1] + 0.5) * SCALE, 6 * SCALE, 0, 7);
    context.stroke();
  }

  #listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture?.(event.pointerId);
      this.#begin(this.#at(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!(event.buttons & 1)) return;
      for (const each of event.getCoalescedEvents?.() ?? [event]) this.#goOn(this.#at(each));
    });
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => {
      this.hasKeys = this.isDown = false;
      this.show();
    });
  }

  /** @param {PointerEvent} event @returns {[number, number]} */
  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    const place = (/** @type {number} */ share) => Math.min(PAD - 1, Math.max(0, Math.floor(PAD * share)));
    return [place((event.clientX - box.left) / box.width), place((event.clientY - box.top) / box.height)];
  }

  /** @param {[number, number]} point */
  #begin(point) {
    this.hasKeys = this.isDown = false;
    this.pen = point;
    this.options.onDraw([...this.options.strokes(), [point]], false);
  }

  /** @param {[number, number]} point */
  #goOn(point) {
    const strokes = this.options.strokes();
    const last = strokes.at(-1);
    const end = last?.at(-1);
    if (!last || (end && end[0] === point[0] && end[1] === point[1])) return;
    this.pen = point;
    this.options.onDraw([...strokes.slice(0, -1), [...last, point]], true);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = STEPS[event.key];
    if (step) {
      const [x, y] = this.pen.map((v, i) => Math.min(PAD - 1, Math.max(0, v + STEP * step[i])));
      if (this.isDown) this.#goOn([x, y]);
      this.pen = [x, y];
    } else if (event.key === " " || event.key === "Enter") {
      this.isDown = !this.isDown;
      if (this.isDown) this.options.onDraw([...this.options.strokes(), [this.pen]], false);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.options.onDraw([], false);
    } else return;
    this.hasKeys = true;
    this.show();
    event.preventDefault();
    event.stopPropagation();
  }
}

/** @type {Record<string, [number, number]>} */
const STEPS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
