// @ts-check
/**
 * What is asked of the network and what it says: a row of test digits to choose from, and its
 * predictions as bars.
 *
 * @import { Digit, Seen } from "faltung/network-source"
 */

import { el } from "faltung/dom";
import { percent } from "faltung/numbers";

const MOST = 10;

/** The classes that the network thinks most of, each with its probability: all if there are ten.
 * @param {number[]} probabilities @param {string[]} classes */
export function ranking(probabilities, classes) {
  const all = probabilities.map((p, i) => ({ name: classes[i] ?? String(i), p, i }));
  if (all.length <= MOST) return all;
  return all.sort((a, b) => b.p - a.p).slice(0, MOST);
}

export class Predictions {
  constructor() {
    this.told = el("p", { class: "ft-says", role: "status" });
    this.list = el("ul", { class: "ft-chances", "aria-label": "Predictions" });
    this.element = el("div", { class: "ft-predictions" }, this.told, this.list);
  }

  /** @param {Seen} seen @param {string[]} classes @param {boolean} isBlank */
  show({ probabilities }, classes, isBlank) {
    if (!probabilities) {
      this.told.textContent = "This network does not tell classes apart.";
      this.list.replaceChildren();
      return;
    }
    const ranked = ranking(probabilities, classes);
    const best = ranked.reduce((a, b) => (b.p > a.p ? b : a));
    const says = `It says ${best.name}, with ${percent(best.p)}`;
    const text = isBlank ? `${says}, of nothing at all: draw a digit` : says;
    if (this.told.textContent !== text) this.told.textContent = text;
    this.list.replaceChildren(
      ...ranked.map(({ name, p, i }) => {
        const bar = el("span", { class: "ft-chance" });
        bar.style.width = `${100 * p}%`;
        const row = el("li", {}, el("span", { class: "ft-class" }, name), el("span", { class: "ft-track" }, bar), el("span", { class: "ft-share" }, percent(p)));
        if (i === best.i) row.classList.add("ft-best");
        return row;
      }),
    );
  }
}

export class DigitRow {
  /** @param {(position: number) => void} onChoose */
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.element = el("div", { class: "ft-digits", role: "group", "aria-label": "Test digits" });
    /** @type {Digit[]} */
    this.digits = [];
  }

  /** @param {Digit[]} digits @param {number} chosen −1 for none */
  show(digits, chosen) {
    if (digits !== this.digits) this.#make(digits);
    for (const [i, child] of Array.from(this.element.children).entries()) child.setAttribute("aria-pressed", String(i === chosen));
  }

  /** @param {Digit[]} digits */
  #make(digits) {
    this.digits = digits;
    this.element.replaceChildren(
      ...digits.map(({ index, label, pixels }, i) => {
        const canvas = el("canvas", { width: 28, height: 28 });
        const image = new ImageData(28, 28);
        for (let at = 0; at < 784; at += 1) image.data.set([pixels[at], pixels[at], pixels[at], 255], 4 * at);
        canvas.getContext("2d")?.putImageData(image, 0, 0);
        const properties = { type: "button", class: "ft-digit", "aria-label": `A handwritten ${label}`, title: `test digit ${index}, a ${label}` };
        return el("button", { ...properties, onClick: () => this.onChoose(i) }, el("img", { src: canvas.toDataURL(), alt: "" }));
      }),
    );
  }
}
