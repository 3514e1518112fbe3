// @ts-check
/**
 * What every view stands in: its question, the stage, the panel, a line with the formula of what is
 * under the pointer, and a line with the Python that does the same.
 */

import { button } from "faltung/controls";
import { el, freshId } from "faltung/dom";

/** Milliseconds until work that goes on shows that it does. */
const PATIENCE = 150;

export class Frame {
  /** @param {string} question */
  constructor(question) {
    const id = freshId("question");
    this.stage = el("div", { class: "ft-stage" });
    this.panel = el("div", { class: "ft-panel" });
    this.note = el("p", { class: "ft-note", role: "status" });
    this.formula = el("p", { class: "ft-formula", "aria-live": "polite" });
    this.code = el("code", { class: "ft-python", tabIndex: 0 });
    this.copied = el("span", { class: "ft-copied", role: "status" });
    this.copyButton = button("Copy", () => this.#copy());
    this.codeLine = el("div", { class: "ft-code" }, this.code, this.copyButton, this.copied);
    this.full = "";
    this.heading = el("h2", { id, class: "ft-question" }, question);
    const told = el("div", { class: "ft-told" }, this.stage, this.note, this.formula, this.codeLine);
    this.element = el(
      "section",
      { class: "ft-view", "aria-labelledby": id },
      this.heading,
      el("div", { class: "ft-body" }, told, this.panel),
    );
    this.setCode("");
  }

  /** One sentence on what is seen, such as dropped columns; empty for none. @param {string} text */
  setNote(text) {
    if (this.note.textContent !== text) this.note.textContent = text;
  }

  /** @param {string} text */
  setFormula(text) {
    if (this.formula.textContent !== text) this.formula.textContent = text;
  }

  /** The Python that does the same. @param {string} line what is shown @param {string} [full] what is copied */
  setCode(line, full = line) {
    if (this.code.textContent !== line) this.code.textContent = line;
    this.full = full;
    this.codeLine.hidden = !line;
  }

  /**
   * Mark the view as at work until a promise ends, once it has taken a while; tell what went wrong.
   *
   * @template T
   * @param {Promise<T>} work
   * @returns {Promise<T | undefined>}
   */
  async busy(work) {
    const timer = setTimeout(() => this.element.setAttribute("aria-busy", "true"), PATIENCE);
    try {
      const result = await work;
      this.setNote("");
      return result;
    } catch (error) {
      this.setNote(error instanceof Error ? error.message : String(error));
      return undefined;
    } finally {
      clearTimeout(timer);
      this.element.removeAttribute("aria-busy");
    }
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.full);
      this.copied.textContent = "Copied";
    } catch {
      getSelection()?.selectAllChildren(this.code);
      this.copied.textContent = "Selected: copy it with Ctrl+C";
    }
    setTimeout(() => {
      this.copied.textContent = "";
    }, 2000);
  }
}
