// @ts-check
/**
 * A report of Python's as it stands: tables and sentences, in their order.
 *
 * @typedef {{ kind: "text", text: string }} Sentence
 * @typedef {{ kind: "table", title: string, header: string[], rows: string[][], footer: string[], left: number[] }} TableBlock
 * @typedef {Sentence | TableBlock} Block
 */

import { el } from "faltung/dom";

/** @param {Block[]} blocks @returns {HTMLElement} */
export function report(blocks) {
  return el("div", { class: "ft-report" }, ...blocks.map((b) => (b.kind === "table" ? table(b) : el("p", {}, b.text))));
}

/** A table that scrolls within its own box. @param {TableBlock} block @returns {HTMLElement} */
export function table({ title, header, rows, footer, left }) {
  const cells = (/** @type {string[]} */ texts, /** @type {"th" | "td"} */ tag) =>
    el("tr", {}, ...texts.map((text, i) => el(tag, { class: left.includes(i) ? "ft-left" : "" }, text)));
  const parts = [el("thead", {}, cells(header, "th")), el("tbody", {}, ...rows.map((row) => cells(row, "td")))];
  if (footer.length) parts.push(el("tfoot", {}, cells(footer, "th")));
  const made = el("table", { class: "ft-table" }, ...parts);
  if (title) made.prepend(el("caption", {}, title));
  return el("div", { class: "ft-wide", tabIndex: 0, role: "region", "aria-label": title || header.join(", ") }, made);
}
