// @ts-check
/**
 * Exercises: questions, hints one by one, worked answers, and code that Python marks.
 *
 * @import { Frame } from "faltung/frame"
 * @import { Block } from "faltung/report"
 * @import { State, Store } from "faltung/store"
 * @import { Host, View } from "faltung/view"
 *
 * @typedef {{ function: string, starter: string, solution: string }} Task
 * @typedef {object} Exercise
 * @property {string} name
 * @property {string} title
 * @property {string} group
 * @property {string} question
 * @property {string[]} hints
 * @property {Block[]} answer
 * @property {Record<string, any>} figures
 * @property {Task | null} task
 *
 * @typedef {{ name: string, state: "right" | "wrong" | "stopped", text: string, printed: string }} Outcome
 */

import { CodeEditor } from "faltung/code-editor";
import { button } from "faltung/controls";
import { el } from "faltung/dom";
import { value, words } from "faltung/fields";
import { report } from "faltung/report";

const LONGEST = 20000;
const MOST = 100;

const isName = (/** @type {any} */ given) => typeof given === "string" && given.length <= 40;
const names = (/** @type {string} */ label) =>
  value(label, (given) => (Array.isArray(given) ? [...new Set(given.filter(isName))].slice(0, MOST) : undefined));
const byName = (/** @type {string} */ label, /** @type {(given: any) => boolean} */ fits) =>
  value(label, (given) => {
    if (given === null || typeof given !== "object" || Array.isArray(given)) return undefined;
    return Object.fromEntries(Object.entries(given).filter(([name, each]) => isName(name) && fits(each)).slice(0, MOST));
  });

const fields = {
  open: words("Exercise", 40),
  hints: byName("Hints shown", (n) => Number.isInteger(n) && n > 0 && n < 20),
  answers: names("Answers shown"),
  done: names("Done"),
  code: byName("Code", (text) => typeof text === "string" && text.length <= LONGEST),
};

/** @type {View} */
export const exercises = {
  name: "exercises",
  title: "Exercises",
  question: "Can I build it?",
  fields,
  example: { open: "conv2d", hints: {}, answers: [], done: [], code: {} },
  mount: (frame, store, host) => new Exercises(frame, store, host).shown(),
};

class Exercises {
  /** @param {Frame} frame @param {Store} store @param {Host} host */
  constructor(frame, store, host) {
    this.frame = frame;
    this.store = store;
    this.host = host;
    /** @type {Exercise[]} */
    this.all = host.data.exercises;
    /** The last outcome of each exercise, and the code that it is of. @type {Map<string, [string, Outcome]>} */
    this.outcomes = new Map();
    this.shownName = "";
    this.shownCode = "";
    this.article = el("article", { class: "ft-exercise" });
    this.hints = el("ol", { class: "ft-hints" });
    this.hintButton = button("Show a hint", () => this.#hint());
    this.answer = el("div", { class: "ft-answer" });
    this.answerButton = button("Show the worked answer", () => this.#toggle("answers"));
    this.doneBox = el("input", { type: "checkbox", onChange: () => this.#toggle("done") });
    this.editor = new CodeEditor({
      label: "Your code",
      onInput: (text) => this.#write(text),
      onRun: host.canAsk ? () => this.#check() : undefined,
    });
    this.checkButton = button("Check", () => this.#check(), { key: "Ctrl+Enter" });
    this.outcome = el("div", { class: "ft-outcome", role: "status" });
    this.how = el("p", { class: "ft-how" });
    this.position = el("span", { class: "ft-where" });
    /** @type {Map<string, HTMLButtonElement>} */
    this.links = new Map();
    frame.stage.append(this.#steps(), this.article);
    frame.panel.append(this.#list());
    this.stop = store.subscribe((state) => this.#show(state));
  }

  shown() {
    return {
      figures: () => this.figures(),
      onKey: (/** @type {KeyboardEvent} */ event) => this.#key(event),
      dispose: this.stop,
    };
  }

  figures() {
    const { name, figures } = this.#opened();
    const { hints, done, answers } = this.store.state;
    const outcome = this.outcomes.get(name)?.[1] ?? null;
    return { name, figures, hints: hints[name] ?? 0, done: this.#count(done), answered: answers.includes(name), outcome };
  }

  /** @returns {Exercise} */
  #opened() {
    return this.all.find(({ name }) => name === this.store.state.open) ?? this.all[0];
  }

  /** How many of these names are exercises. @param {string[]} found */
  #count(found) {
    return this.all.filter(({ name }) => found.includes(name)).length;
  }

  // What is done ---------------------------------------------------------------------------

  #hint() {
    const { name, hints } = this.#opened();
    const before = Math.min(this.store.state.hints[name] ?? 0, hints.length);
    if (before < hints.length) this.store.set({ hints: { ...this.store.state.hints, [name]: before + 1 } });
  }

  /** @param {"answers" | "done"} list */
  #toggle(list) {
    const { name } = this.#opened();
    const before = /** @type {string[]} */ (this.store.state[list]);
    this.store.set({ [list]: before.includes(name) ? before.filter((n) => n !== name) : [...before, name] });
  }

  /** @param {string} text */
  #write(text) {
    const { name } = this.#opened();
    this.store.set({ code: { ...this.store.state.code, [name]: text.slice(0, LONGEST) } }, true);
  }

  async #check() {
    const { name, task } = this.#opened();
    if (!task || this.checkButton.disabled) return;
    const code = this.#codeOf(name, task);
    this.checkButton.disabled = true;
    this.outcome.replaceChildren(el("p", {}, "Running …"));
    /** @type {Outcome | undefined} */
    const outcome = await this.frame.busy(this.host.ask("exercises.check", { name, code }));
    this.checkButton.disabled = false;
    if (outcome) this.outcomes.set(name, [code, outcome]);
    const { done } = this.store.state;
    if (outcome?.state === "right" && !done.includes(name)) this.store.set({ done: [...done, name] });
    else this.#showOutcome();
  }

  /** @param {number} by */
  #step(by) {
    const at = this.all.indexOf(this.#opened()) + by;
    if (at >= 0 && at < this.all.length) this.store.set({ open: this.all[at].name });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const steps = /** @type {Record<string, number>} */ ({ ".": 1, ",": -1, ArrowRight: 1, ArrowLeft: -1 });
    if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return false;
    this.#step(steps[event.key]);
    return true;
  }

  // What is seen ---------------------------------------------------------------------------

  #steps() {
    this.before = button("Previous", () => this.#step(-1), { key: ",", sign: "‹ Previous" });
    this.next = button("Next", () => this.#step(1), { key: ".", sign: "Next ›" });
    return el("div", { class: "ft-buttons ft-steps" }, this.before, this.next, this.position);
  }

  #list() {
    const nav = el("nav", { class: "ft-exercises", "aria-label": "Exercises" });
    for (const group of new Set(this.all.map((each) => each.group))) {
      const rows = this.all.filter((each) => each.group === group).map((each) => el("li", {}, this.#link(each)));
      nav.append(el("div", {}, el("h3", {}, group), el("ul", {}, ...rows)));
    }
    return nav;
  }

  /** @param {Exercise} exercise */
  #link({ name, title, task }) {
    const sign = el("span", { class: "ft-sign", "aria-hidden": "true" });
    const code = task ? [el("span", { class: "ft-tag" }, "code")] : [];
    const link = el("button", { type: "button", class: "ft-plain", onClick: () => this.store.set({ open: name }) }, sign, title, ...code);
    this.links.set(name, link);
    return link;
  }

  /** @param {State} state */
  #show(state) {
    const exercise = this.#opened();
    if (exercise.name !== this.shownName) this.#open(exercise);
    for (const { name, title, task } of this.all) {
      const link = this.links.get(name);
      const isDone = state.done.includes(name);
      if (!link) continue;
      link.setAttribute("aria-current", String(name === exercise.name));
      link.setAttribute("aria-label", `${title}${task ? ", code" : ""}${isDone ? ", done" : ""}`);
      if (link.firstChild) link.firstChild.textContent = isDone ? "✓" : "○";
    }
    this.doneBox.checked = state.done.includes(exercise.name);
    this.#showHints(exercise, Math.min(state.hints[exercise.name] ?? 0, exercise.hints.length));
    this.#showAnswer(exercise, state.answers.includes(exercise.name));
    if (exercise.task) this.editor.show(this.#codeOf(exercise.name, exercise.task));
    this.#showOutcome();
    const at = this.all.indexOf(exercise);
    if (this.before) this.before.disabled = !at;
    if (this.next) this.next.disabled = at === this.all.length - 1;
    this.position.textContent = `${at + 1} of ${this.all.length}`;
    this.frame.setFormula(`${this.#count(state.done)} of ${this.all.length} done.`);
  }

  /** @param {Exercise} exercise */
  #open({ name, title, question, task }) {
    // From the list, which stands under it on narrow screens.
    if (this.shownName && this.article.getBoundingClientRect().top < 0) this.frame.heading.scrollIntoView();
    this.shownName = name;
    const done = el("label", { class: "ft-done" }, this.doneBox, "I have it");
    const code = task ? [this.#code(name, task)] : [];
    this.article.replaceChildren(
      el("h3", {}, title),
      el("p", { class: "ft-asked" }, question),
      this.hints,
      el("div", { class: "ft-buttons" }, this.hintButton, this.answerButton, done),
      ...code,
      this.answer,
    );
    const call = `exercise("${name}").worked()`;
    this.frame.setCode(`worked = ${call}`, `from faltung.exercises import exercise\n\nworked = ${call}\nprint(worked)\n`);
  }

  /** @param {string} name @param {Task} task */
  #code(name, task) {
    const file = `${name.replaceAll("-", "_")}.py`;
    this.how.textContent = this.host.canAsk
      ? `Or on the command line: faltung exercise start ${name}, then faltung exercise check ${file}`
      : `A saved page has no Python to check it. Save the code as ${file} and run: faltung exercise check ${file}`;
    const check = this.host.canAsk ? [this.checkButton] : [];
    const again = button("Back to the beginning", () => this.#write(task.starter));
    return el("div", { class: "ft-code-task" }, this.editor.element, el("div", { class: "ft-buttons" }, ...check, again), this.outcome, this.how);
  }

  /** @param {string} name @param {Task} task @returns {string} */
  #codeOf(name, task) {
    return this.store.state.code[name] ?? task.starter;
  }

  /** @param {Exercise} exercise @param {number} count */
  #showHints({ hints }, count) {
    this.hints.replaceChildren(...hints.slice(0, count).map((hint) => el("li", {}, hint)));
    this.hints.hidden = !count;
    this.hintButton.disabled = count === hints.length;
    const label = count === hints.length ? "No more hints" : `Show hint ${count + 1} of ${hints.length}`;
    this.hintButton.textContent = label;
    this.hintButton.setAttribute("aria-label", label);
    this.hintButton.title = label;
  }

  /** @param {Exercise} exercise @param {boolean} isShown */
  #showAnswer({ answer, task }, isShown) {
    const label = isShown ? "Hide the worked answer" : "Show the worked answer";
    this.answerButton.textContent = label;
    this.answerButton.setAttribute("aria-label", label);
    this.answerButton.title = label;
    this.answerButton.setAttribute("aria-expanded", String(isShown));
    const code = task ? [el("h4", {}, "A solution"), el("pre", { class: "ft-python", tabIndex: 0 }, task.solution.trimEnd())] : [];
    this.answer.replaceChildren(...(isShown ? [el("h4", {}, "Answer"), report(answer), ...code] : []));
  }

  #showOutcome() {
    const { name, task } = this.#opened();
    const [code, outcome] = this.outcomes.get(name) ?? ["", null];
    const isOfThis = task && outcome && code === this.#codeOf(name, task);
    if (this.checkButton.disabled) return;
    this.outcome.className = `ft-outcome${isOfThis ? ` ft-${outcome.state}` : ""}`;
    const printed = outcome?.printed ? [el("p", {}, "It printed:"), el("pre", { class: "ft-python", tabIndex: 0 }, outcome.printed.trimEnd())] : [];
    this.outcome.replaceChildren(...(isOfThis ? [el("p", {}, outcome.text), ...printed] : []));
  }
}
