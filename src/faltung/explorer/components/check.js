// @ts-check
/**
 * Check: questions that are drawn, and marked on the spot with the working.
 *
 * @import { Marked, Problem } from "faltung/check-marking"
 * @import { State, Store } from "faltung/store"
 * @import { Host, Shown, View } from "faltung/view"
 *
 * @typedef {Record<string, [number, number, number]>} Score by family: right, asked, right in a row
 */

import { marked, problemOf, solution } from "faltung/check-marking";
import { button } from "faltung/controls";
import { el, freshId } from "faltung/dom";
import { integer, value } from "faltung/fields";
import { Frame } from "faltung/frame";
import { Grid } from "faltung/grid";
import { letter } from "faltung/reading";

const LARGEST_SEED = 2 ** 31 - 1;
const MOST_FAMILIES = 100;
const COLOURS = /** @type {Record<string, string>} */ ({ image: "input", f: "input", kernel: "kernel", g: "kernel" });

const name = (/** @type {string} */ label) => value(label, (given) => (/^[a-z-]{1,20}$/.test(given) ? given : undefined));
const isCount = (/** @type {any} */ n) => Number.isInteger(n) && n >= 0 && n <= 1e6;

const fields = {
  family: name("Ask about"),
  drawn: name("Question of"),
  seed: integer("Number of the question", 0, LARGEST_SEED),
  given: value("Answer", (given) => (given === null ? null : typeof given === "string" ? given.slice(0, 200) : undefined)),
  score: value("Score", (given) => (isScore(given) ? given : undefined)),
  streak: integer("Right in a row", 0, 1e6),
  best: integer("Most in a row", 0, 1e6),
};

/** @type {View} */
export const check = {
  name: "check",
  title: "Check",
  question: "Did I get it?",
  fields,
  example: { family: "any", drawn: "conv", seed: 0, given: null, score: {}, streak: 0, best: 0 },
  mount: (frame, store, host) => new Check(frame, store, host).shown(),
};

class Check {
  /** @param {Frame} frame @param {Store} store @param {Host} host */
  constructor(frame, store, host) {
    this.frame = frame;
    this.store = store;
    this.host = host;
    /** @type {[string, string, boolean][]} */
    this.families = host.data.families;
    this.titles = new Map(this.families.map(([key, title]) => [key, title]));
    /** @type {Problem | null} */
    this.problem = null;
    this.key = "";
    /** @type {string} what is said about an answer that could not be read */
    this.unread = "";
    /** @type {Grid[]} */
    this.grids = [];
    /** @type {Map<string, number>} by family, the question that was drawn last */
    this.turns = new Map();
    this.kind = el("p", { class: "ft-quiz-kind" });
    this.asked = el("h3", { class: "ft-quiz-asked", tabIndex: -1 });
    this.pictures = el("div", { class: "ft-grids" });
    this.answering = el("div", { class: "ft-quiz-answering" });
    this.verdict = el("p", { class: "ft-quiz-verdict", role: "status" });
    this.next = button("Next question", () => this.#next("any"), { key: "n" });
    this.like = button("Another like it", () => this.#next(this.#family()), { key: "m" });
    this.giveUp = button("Show me", () => this.#mark(""), { key: "s" });
    const buttons = el("div", { class: "ft-buttons" }, this.next, this.like, this.giveUp);
    frame.stage.append(this.kind, this.asked, this.pictures, this.answering, this.verdict, buttons);
    this.choosing = this.#selector();
    this.total = el("p", { class: "ft-quiz-total" });
    this.table = el("table", { class: "ft-table ft-score" });
    frame.panel.append(this.choosing, el("div", {}, el("h3", {}, "Score"), this.total, this.table));
    this.stop = store.subscribe((state) => this.#change(state));
  }

  /** @returns {Shown} */
  shown() {
    return {
      figures: () => this.figures(),
      onKey: (event) => this.#key(event),
      dispose: () => {
        this.stop();
        this.#clearGrids();
      },
    };
  }

  figures() {
    const { state } = this.store;
    const { problem } = this;
    const verdict = this.#verdict();
    return {
      family: this.#family(),
      seed: this.#seed(),
      text: problem?.text ?? "",
      choices: problem?.choices ?? [],
      grids: problem?.grids ?? [],
      verdict: verdict && { ...verdict },
      solution: verdict && problem ? solution(problem) : null,
      working: verdict && problem ? problem.working : null,
      python: verdict ? this.frame.full : "",
      score: state.score,
      streak: state.streak,
      best: state.best,
    };
  }

  // Which question -------------------------------------------------------------------------

  /** The family that is asked; one that there is not is the first. */
  #family() {
    const { drawn } = this.store.state;
    return this.titles.has(drawn) ? drawn : this.families[0][0];
  }

  /** The question's number; without Python, one of those that the page has. */
  #seed() {
    const { seed } = this.store.state;
    return this.host.canAsk ? seed : seed % this.#recorded().length;
  }

  /** @returns {any[]} */
  #recorded() {
    return this.host.data.problems[this.#family()];
  }

  /** @param {State} state */
  #change(state) {
    const key = `${this.#family()} ${this.#seed()}`;
    if (key !== this.key) {
      this.key = key;
      this.unread = "";
      this.#fetch(key);
    } else {
      this.#showMark();
    }
    this.choosing.querySelector("select")?.setAttribute("data-family", state.family);
    this.#showScore(state);
  }

  /** Take a question from those of the page, or ask Python for it. @param {string} key */
  async #fetch(key) {
    const record = this.#recorded()[this.#seed()];
    this.problem = record ? this.#read(record) : null;
    const isOther = this.#seed() !== this.store.state.seed;
    this.frame.setNote(isOther ? "There is no Python here to draw this question; this is another of its kind." : "");
    this.#showProblem();
    if (record) return;
    const answer = await this.frame.busy(this.host.ask("check.drawn", { family: this.#family(), seed: this.#seed() }));
    if (key !== this.key || !answer) return;
    this.problem = this.#read(answer);
    this.#showProblem();
    if (document.activeElement === document.body) this.#focus();
  }

  /** @param {any[]} record */
  #read(record) {
    return problemOf(record, this.host.data.texts);
  }

  /** Go on to a question that was not asked yet, as far as possible. @param {string} wish a family, or any */
  #next(wish) {
    const wanted = wish === "any" ? this.store.state.family : wish;
    const drawn = this.titles.has(wanted) ? wanted : this.#least();
    const seed = this.host.canAsk ? below(LARGEST_SEED + 1) : this.#following(drawn);
    this.store.set({ drawn, seed, given: null });
    this.#focus();
  }

  /** The next of the page's questions of a family: all of them come before one comes again. @param {string} drawn */
  #following(drawn) {
    const count = this.host.data.problems[drawn].length;
    const before = this.turns.get(drawn) ?? (drawn === this.#family() ? this.#seed() : below(count));
    const next = (before + 1) % count;
    this.turns.set(drawn, next);
    return next;
  }

  /** One of the families that were asked least, but not the one that stands there. */
  #least() {
    const { score } = this.store.state;
    const asked = (/** @type {string} */ key) => score[key]?.[1] ?? 0;
    const others = this.families.map(([key]) => key).filter((key) => key !== this.#family());
    const fewest = Math.min(...others.map(asked));
    const open = others.filter((key) => asked(key) === fewest);
    return open[below(open.length)];
  }

  // Marking --------------------------------------------------------------------------------

  /** @returns {Marked | null} */
  #verdict() {
    const { given } = this.store.state;
    return given === null || !this.problem ? null : marked(this.problem, given);
  }

  /** @param {string} given */
  #mark(given) {
    if (!this.problem || this.store.state.given !== null) return;
    const { isRead, isRight, text } = marked(this.problem, given);
    this.unread = isRead ? "" : text;
    if (!isRead) return this.#showMark();
    const { score, streak, best } = this.store.state;
    const key = this.#family();
    const [right, asked, before] = score[key] ?? [0, 0, 0];
    const row = isRight ? streak + 1 : 0;
    this.store.set({
      given,
      score: { ...score, [key]: [right + Number(isRight), asked + 1, isRight ? before + 1 : 0] },
      streak: row,
      best: Math.max(best, row),
    });
    this.next.focus();
  }

  // What is shown --------------------------------------------------------------------------

  #showProblem() {
    const { problem } = this;
    this.kind.textContent = `${this.titles.get(this.#family())} · question ${this.#seed()}`;
    this.asked.textContent = problem?.text ?? "";
    this.#clearGrids();
    for (const [label, rows] of problem?.grids ?? []) this.#showGrid(label, rows);
    this.answering.replaceChildren(...(problem ? [problem.choices.length ? this.#choices(problem) : this.#line(problem)] : []));
    this.#showMark();
  }

  /** @param {string} label @param {number[][]} rows */
  #showGrid(label, rows) {
    const grid = new Grid({ label: `${label}: ${rows.map((row) => row.join(" ")).join("; ")}`, caption: label, largest: 40 });
    grid.show({ rows: rows.length, cols: rows[0].length, value: (y, x) => rows[y][x] });
    this.grids.push(grid);
    this.pictures.append(el("div", { class: `ft-${COLOURS[label] ?? "input"} ft-narrow` }, grid.element));
  }

  #clearGrids() {
    for (const grid of this.grids) grid.dispose();
    this.grids = [];
    this.pictures.replaceChildren();
  }

  /** @param {Problem} problem */
  #choices({ choices }) {
    const made = choices.map((choice, i) =>
      el("button", { type: "button", class: "ft-choice", "data-index": i, onClick: () => this.#mark(letter(i)) }, `(${letter(i)}) ${choice}`),
    );
    return el("div", { class: "ft-choices", role: "group", "aria-label": "Answers" }, ...made);
  }

  /** @param {Problem} problem */
  #line(problem) {
    const id = freshId("answer");
    const box = el("input", { type: "text", id, autocomplete: "off", spellcheck: false, inputMode: "text", maxLength: 200 });
    const mark = () => (box.value.trim() ? this.#mark(box.value) : box.focus());
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // or the button that is focused then takes it
      mark();
    });
    const label = problem.answer.length === 1 ? "Answer" : `Answer, ${problem.answer.length} numbers`;
    return el("div", { class: "ft-quiz-answer" }, el("label", { for: id }, label), box, button("Mark", mark, { key: "Enter" }));
  }

  #showMark() {
    const { problem } = this;
    const verdict = this.#verdict();
    const kind = verdict ? (verdict.isRight ? "right" : "wrong") : "open";
    this.verdict.dataset.kind = kind;
    this.verdict.textContent = verdict ? `${verdict.isRight ? "✓" : "✗"} ${verdict.text}` : this.unread;
    const isWrong = verdict && !verdict.isRight && this.store.state.given.trim();
    const answer = problem && isWrong ? `It is ${solution(problem)}. ` : "";
    this.frame.setFormula(verdict && problem ? `${answer}${problem.working}` : "");
    const code = verdict && problem ? problem.code : "";
    this.frame.setCode(code, code && `${this.host.data.imports}\nprint(${code})\n`);
    this.giveUp.hidden = Boolean(verdict);
    this.#showAnswer(verdict);
  }

  /** Mark what was chosen or typed. @param {Marked | null} verdict */
  #showAnswer(verdict) {
    const given = this.store.state.given ?? "";
    for (const choice of this.answering.querySelectorAll(".ft-choice")) {
      if (!(choice instanceof HTMLButtonElement)) continue;
      const index = Number(choice.dataset.index);
      const isGiven = verdict && given && letter(index) === given;
      const isRight = verdict && this.problem?.answer[0] === index;
      choice.dataset.kind = isRight ? "right" : isGiven ? "wrong" : "";
      choice.disabled = Boolean(verdict);
    }
    const box = this.answering.querySelector("input");
    const mark = this.answering.querySelector("button:not(.ft-choice)");
    if (!box || !(mark instanceof HTMLButtonElement)) return;
    box.readOnly = mark.disabled = Boolean(verdict);
    if (verdict) box.value = given;
    if (this.problem) box.placeholder = this.problem.answer.length === 1 ? "a whole number" : `${this.problem.answer.length} whole numbers`;
  }

  /** @param {State} state */
  #showScore({ score, streak, best }) {
    const rows = this.families.filter(([key]) => score[key]);
    const right = rows.reduce((sum, [key]) => sum + score[key][0], 0);
    const asked = rows.reduce((sum, [key]) => sum + score[key][1], 0);
    this.total.textContent = asked ? `${right} of ${asked} right · ${streak} in a row, at most ${best}` : "Nothing answered yet.";
    this.table.hidden = !asked;
    const head = el("tr", {}, ...["questions", "right", "of", "in a row"].map((text) => el("th", {}, text)));
    const body = rows.map(([key, title]) => el("tr", {}, ...[title, ...score[key].map(String)].map((text) => el("td", {}, text))));
    this.table.replaceChildren(el("thead", {}, head), el("tbody", {}, ...body));
  }

  #selector() {
    const id = freshId("family");
    const group = (/** @type {string} */ label, /** @type {boolean} */ isIdea) =>
      el("optgroup", { label }, ...this.families.filter((f) => f[2] === isIdea).map(([key, title]) => el("option", { value: key }, title)));
    const list = el("select", { id }, el("option", { value: "any" }, "everything"), group("Numbers", false), group("Ideas", true));
    list.addEventListener("change", () => {
      this.store.set({ family: list.value });
      if (list.value !== "any" && list.value !== this.#family()) this.#next("any");
    });
    this.store.subscribe((state) => {
      list.value = this.titles.has(state.family) ? state.family : "any";
    });
    return el("div", { class: "ft-control" }, el("label", { for: id }, "Ask about"), list);
  }

  #focus() {
    const first = this.answering.querySelector("input") ?? this.asked;
    first.focus();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const index = "abcdefgh".indexOf(event.key);
    if (event.key === "n") this.#next("any");
    else if (event.key === "m") this.#next(this.#family());
    else if (event.key === "s") this.#mark("");
    else if (index >= 0 && index < (this.problem?.choices.length ?? 0)) this.#mark(event.key);
    else return false;
    return true;
  }
}

/** A whole number at random, below another. @param {number} end */
function below(end) {
  return Math.floor(Math.random() * end);
}

/** @param {any} given */
function isScore(given) {
  if (given === null || typeof given !== "object" || Array.isArray(given)) return false;
  const rows = Object.entries(given);
  const isRow = (/** @type {any} */ row) => Array.isArray(row) && row.length === 3 && row.every(isCount) && row[0] <= row[1] && row[2] <= row[0];
  return rows.length <= MOST_FAMILIES && rows.every(([key, row]) => /^[a-z-]{1,20}$/.test(key) && isRow(row));
}
