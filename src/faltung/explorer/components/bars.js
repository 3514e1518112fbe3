// @ts-check
/**
 * Bars on a logarithmic scale, one below the other, with their numbers written out.
 *
 * @typedef {object} Bar
 * @property {string} label
 * @property {number} value at least 1
 * @property {string} text
 * @property {string} colour a CSS variable's name
 */

import { el } from "faltung/dom";

/** Where there are lines, and what stands at them. */
const SCALE = /** @type {[number, string][]} */ ([
  [1, "1"],
  [1e3, "10³"],
  [1e6, "10⁶"],
  [1e9, "10⁹"],
  [1e12, "10¹²"],
  [1e15, "10¹⁵"],
]);

export class Bars {
  /**
   * @param {object} options
   * @param {string} options.label
   * @param {(index: number | null) => void} options.onHover
   * @param {(index: number) => void} options.onPin
   */
  constructor(options) {
    this.options = options;
    this.rows = el("div", { class: "ft-bars-rows" });
    this.scale = el("div", { class: "ft-bars-scale", "aria-hidden": "true" });
    this.element = el("div", { class: "ft-bars", role: "group", "aria-label": options.label }, this.rows, this.scale);
    /** @type {{ row: HTMLButtonElement, words: HTMLElement, bar: HTMLElement }[]} */
    this.made = [];
  }

  /** @param {Bar[]} bars @param {number} most the scale's end @param {number | null} pinned */
  show(bars, most, pinned) {
    const share = (/** @type {number} */ value) => (100 * Math.log10(Math.max(1, value))) / Math.log10(most);
    while (this.made.length < bars.length) this.#add();
    for (const [i, { label, text, value, colour }] of bars.entries()) {
      const { row, words, bar } = this.made[i];
      words.textContent = `${label}: ${text}`;
      bar.style.width = `${share(value)}%`;
      bar.style.background = `var(--${colour})`;
      row.setAttribute("aria-pressed", String(i === pinned));
    }
    const lines = SCALE.filter(([value]) => value <= most).map(([value, name]) => {
      const line = el("span", {}, name);
      line.style.left = `${share(value)}%`;
      return line;
    });
    this.scale.replaceChildren(...lines);
  }

  #add() {
    const index = this.made.length;
    const { onHover, onPin } = this.options;
    const [words, bar] = [el("span", { class: "ft-bar-words" }), el("span", { class: "ft-bar" })];
    const row = el(
      "button",
      {
        type: "button",
        class: "ft-bar-row",
        onPointerenter: () => onHover(index),
        onPointerleave: () => onHover(null),
        onFocus: () => onHover(index),
        onBlur: () => onHover(null),
        onClick: () => onPin(index),
      },
      words,
      bar,
    );
    this.made.push({ row, words, bar });
    this.rows.append(row);
  }
}
