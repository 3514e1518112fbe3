// @ts-check
/** A box to write code in: Tab indents, and Escape before it leaves, so that no key is a trap. */

import { el, freshId } from "faltung/dom";

const INDENT = "    ";

export class CodeEditor {
  /**
   * @param {{ label: string, onInput: (text: string) => void, onRun?: () => void }} given `onRun` at Ctrl+Enter
   */
  constructor({ label, onInput, onRun }) {
    const id = freshId("keys");
    this.onRun = onRun;
    this.leaves = false;
    this.area = el("textarea", {
      class: "ft-editor",
      "aria-label": label,
      "aria-describedby": id,
      spellcheck: false,
      autocapitalize: "off",
      autocomplete: "off",
      wrap: "off",
      rows: 12,
      onInput: () => {
        this.#fit();
        onInput(this.area.value);
      },
      onKeydown: (/** @type {KeyboardEvent} */ event) => this.#key(event),
      onBlur: () => this.#leaving(false),
    });
    this.hint = el("p", { id, class: "ft-keys" }, keys(onRun));
    this.element = el("div", {}, this.area, this.hint);
  }

  /** @param {string} text */
  show(text) {
    if (this.area.value !== text) this.area.value = text;
    this.#fit();
  }

  #fit() {
    this.area.rows = Math.min(30, Math.max(8, this.area.value.split("\n").length + 1));
  }

  /** @param {boolean} leaves */
  #leaving(leaves) {
    this.leaves = leaves;
    this.hint.textContent = leaves ? "Tab leaves the code now." : keys(this.onRun);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { leaves } = this;
    if (event.key !== "Shift") this.#leaving(event.key === "Escape");
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.onRun?.();
    else if (event.key === "Tab" && !event.shiftKey && !leaves) this.#insert(INDENT);
    else if (event.key === "Enter" && !event.shiftKey) this.#insert(`\n${this.#indent()}`);
    else return;
    event.preventDefault();
  }

  /** How far the next line begins: as this one, further behind a colon. */
  #indent() {
    const before = this.area.value.slice(0, this.area.selectionStart);
    const line = before.slice(before.lastIndexOf("\n") + 1);
    const spaces = /^ */.exec(line)?.[0] ?? "";
    return line.trimEnd().endsWith(":") ? spaces + INDENT : spaces;
  }

  /** Write at the caret, so that the browser can undo it. @param {string} text */
  #insert(text) {
    if (document.execCommand("insertText", false, text)) return;
    this.area.setRangeText(text, this.area.selectionStart, this.area.selectionEnd, "end");
    this.area.dispatchEvent(new Event("input"));
  }
}

/** @param {(() => void) | undefined} onRun */
function keys(onRun) {
  return `Tab indents. Escape, then Tab, leaves the code.${onRun ? " Ctrl+Enter checks it." : ""}`;
}
