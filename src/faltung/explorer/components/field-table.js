// @ts-check
/**
 * The values of Field as a table: one row for each, a button to select it.
 *
 * @import { Box, Value } from "faltung/field-network"
 */

import { el } from "faltung/dom";
import { jumpText, seesText, spanText, startText } from "faltung/field-words";
import { percent, whole } from "faltung/numbers";

const HEADS = ["value", "layer", "output", "sees", "jump", "start", "share", "popular rule", "the cell sees"];

export class Table {
  /** @param {{ onHover: (value: number | null) => void, onSelect: (value: number) => void }} options */
  constructor(options) {
    this.options = options;
    this.body = el("tbody");
    const head = el("thead", {}, el("tr", {}, ...HEADS.map((name) => el("th", { scope: "col" }, name))));
    this.table = el("table", { class: "ft-table ft-field-table" }, head, this.body);
    this.element = el("div", { class: "ft-wide ft-field-rows", tabIndex: 0, role: "region", "aria-label": "What each value sees" }, this.table);
    /** @type {{ row: HTMLTableRowElement, button: HTMLButtonElement, here: HTMLTableCellElement }[]} */
    this.rows = [];
  }

  /** @param {Value[]} values */
  setValues(values) {
    const focused = this.rows.findIndex(({ button }) => button === document.activeElement);
    this.rows = values.map((value, index) => this.#row(value, index));
    this.body.replaceChildren(...this.rows.map(({ row }) => row));
    if (focused >= 0) this.rows[Math.min(focused, this.rows.length - 1)].button.focus({ preventScroll: true });
  }

  /** @param {Value} value @param {number} index */
  #row(value, index) {
    const { name, layer, space, fields, share, loose } = value;
    const button = el("button", { type: "button", class: "ft-quiet", "aria-pressed": "false", onClick: () => this.options.onSelect(index) }, name);
    button.addEventListener("keydown", (event) => this.#key(event, index));
    const here = el("td", { title: "rows × columns" });
    const size = fields[0]?.size;
    const isLoose = size !== null && fields.some((field) => field.size !== loose);
    const cells = [layer, space.map(whole).join("×"), seesText(fields), jumpText(fields), startText(fields), percent(share)];
    const row = el(
      "tr",
      {},
      el("th", { scope: "row" }, button),
      ...cells.map((text, i) => el("td", { class: i ? undefined : "ft-left" }, text)),
      el("td", { class: isLoose ? "ft-loose" : undefined, title: isLoose ? "the exact size differs" : undefined }, whole(loose)),
      here,
    );
    row.addEventListener("pointerenter", () => this.options.onHover(index));
    row.addEventListener("pointerleave", () => this.options.onHover(null));
    row.addEventListener("click", (event) => {
      if (!(event.target instanceof HTMLButtonElement)) this.options.onSelect(index);
    });
    return { row, button, here };
  }

  /** @param {number} selected @param {(index: number) => Box | undefined} boxAt */
  show(selected, boxAt) {
    for (const [i, { row, button, here }] of this.rows.entries()) {
      const isIt = String(i === selected);
      if (button.getAttribute("aria-pressed") !== isIt) {
        button.setAttribute("aria-pressed", isIt);
        row.classList.toggle("ft-chosen", i === selected);
      }
      const box = boxAt(i);
      const text = box ? `${spanText(box[0])} × ${spanText(box[1])}` : "";
      if (here.textContent !== text) here.textContent = text;
    }
  }

  /** @param {KeyboardEvent} event @param {number} index */
  #key(event, index) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) return;
    const next = this.rows[index + step];
    if (next) {
      next.button.focus();
      this.options.onSelect(index + step);
    }
    event.preventDefault();
    event.stopPropagation();
  }
}
