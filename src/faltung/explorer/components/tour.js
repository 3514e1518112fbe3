// @ts-check
/**
 * Tour: from a dense layer to a convolution, and what follows, in twelve cards: each a question, a
 * view that is set up for it, and a quick check.
 *
 * @import { Check } from "faltung/quick-check"
 * @import { State } from "faltung/store"
 * @import { Host, Mounted, Shown, View } from "faltung/view"
 *
 * @typedef {object} Card
 * @property {string} name
 * @property {string} title
 * @property {string} question
 * @property {string} text
 * @property {string[]} view tables and pictures made of letters
 * @property {{ said: string, exact: string, why: string }[]} often_said
 * @property {Check} check
 * @property {string[]} cells Python that does the same
 * @property {string} command
 */

import { button } from "faltung/controls";
import { el, freshId } from "faltung/dom";
import { integer, value } from "faltung/fields";
import { Frame } from "faltung/frame";
import { accepts, judge } from "faltung/quick-check";
import { letter } from "faltung/reading";
import { Store, toFragment } from "faltung/store";
import { SETTINGS } from "faltung/tour-views";
import { mount } from "faltung/view";

const CARDS = 12;
const LONGEST_ANSWER = 200;
/** In place of an answer: somebody wanted to be shown it. */
const SHOWN = "";

const fields = {
  card: integer("Card", 1, CARDS),
  answers: value("Answers", (given) => (areAnswers(given) ? given : undefined)),
};

/** @type {View} */
export const tour = {
  name: "tour",
  title: "Tour",
  question: "How does a dense layer become a convolution, and what follows?",
  fields,
  example: { card: 1, answers: {} },
  mount: (frame, store, host) => new Tour(frame, store, host).shown(),
};

class Tour {
  /** @param {Frame} frame @param {Store} store @param {Host} host */
  constructor(frame, store, host) {
    this.frame = frame;
    this.store = store;
    this.host = host;
    /** @type {Card[]} */
    this.cards = host.data.cards;
    this.shownCard = 0;
    /** @type {Mounted | null} */
    this.mounted = null;
    /** @type {Map<string, State>} how somebody left the view of a card */
    this.left = new Map();
    this.steps = el("ol", { class: "ft-steps", "aria-label": "Cards" }, ...this.cards.map((card, i) => this.#step(card, i + 1)));
    this.words = el("div", { class: "ft-card" });
    frame.stage.append(this.steps, this.words);
    this.checking = el("div", { class: "ft-check" });
    this.verdict = el("p", { class: "ft-quiz-verdict", role: "status" });
    this.back = button("Previous card", () => this.#go(-1), { key: "←" });
    this.on = button("Next card", () => this.#go(1), { key: "→" });
    this.progress = el("p", { class: "ft-quiz-total" });
    frame.panel.append(
      el("section", { "aria-label": "Quick check" }, el("h3", {}, "Quick check"), this.checking, this.verdict),
      el("div", { class: "ft-buttons" }, this.back, this.on),
      this.progress,
    );
    this.live = el("div", { class: "ft-live" });
    this.link = el("a", { href: "#" });
    this.hint = el("span", {});
    this.where = el("p", { class: "ft-live-hint" }, this.hint, " ", this.link);
    frame.element.classList.add("ft-tour");
    frame.element.append(this.where, this.live);
    this.stop = store.subscribe((state) => this.#change(state));
  }

  /** @returns {Shown} */
  shown() {
    return {
      figures: () => this.figures(),
      onKey: (event) => this.#key(event),
      dispose: () => {
        this.stop();
        this.mounted?.dispose();
      },
    };
  }

  figures() {
    const card = this.#card();
    const { answers } = this.store.state;
    return {
      number: this.store.state.card,
      name: card.name,
      question: card.question,
      text: card.text,
      check: card.check.question,
      verdict: this.verdict.textContent,
      done: this.cards.filter((each) => this.#isDone(each, answers)).map(({ name }) => name),
      view: this.mounted ? SETTINGS[card.name].view.name : null,
      live: this.mounted?.figures() ?? null,
      python: this.frame.full,
    };
  }

  #card() {
    return this.cards[this.store.state.card - 1];
  }

  /** @param {Card} card @param {Record<string, string>} answers */
  #isDone(card, answers) {
    return card.name in answers && accepts(card.check, answers[card.name]);
  }

  /** @param {number} by */
  #go(by) {
    const next = Math.min(CARDS, Math.max(1, this.store.state.card + by));
    this.store.set({ card: next });
    this.steps.scrollIntoView({ block: "nearest" });
  }

  /** @param {string} given */
  #answer(given) {
    const { answers } = this.store.state;
    this.store.set({ answers: { ...answers, [this.#card().name]: given.slice(0, LONGEST_ANSWER) } });
    if (!accepts(this.#card().check, given)) return;
    (this.on.disabled ? this.back : this.on).focus();
  }

  // What is shown --------------------------------------------------------------------------

  /** @param {State} state */
  #change(state) {
    if (state.card !== this.shownCard) {
      this.shownCard = state.card;
      this.#showCard(this.#card());
    }
    this.#showCheck(state);
  }

  /** @param {Card} card */
  #showCard(card) {
    const figures = card.view.map((block) => el("pre", { tabIndex: 0 }, block));
    const said = card.often_said.map(({ said: loose, exact, why }) => el("p", { class: "ft-why" }, `Often said: “${loose}” Exactly: ${exact} ${why}`));
    const command = card.command ? [el("p", { class: "ft-why" }, "On a terminal: ", el("code", {}, card.command))] : [];
    const details = el("details", {}, el("summary", {}, "The figures"), ...figures, ...command);
    this.words.replaceChildren(
      el("p", { class: "ft-quiz-kind" }, `Card ${this.shownCard} of ${CARDS} · ${card.title}`),
      el("h3", { class: "ft-quiz-asked" }, card.question),
      el("p", { class: "ft-card-text" }, card.text),
      ...said,
      details,
    );
    const lines = card.cells[0].split("\n").map((each) => each.trim());
    const line = lines.find((each) => each.includes("faltung.") && !each.startsWith("from ")) ?? "";
    this.frame.setCode(line, [this.host.data.setup, ...card.cells, ""].join("\n\n"));
    this.checking.replaceChildren(...this.#asking(card.check));
    this.#showLive(card);
    details.open = !this.mounted;
  }

  /** Put the card's view on the page, as it was left. @param {Card} card */
  #showLive(card) {
    this.mounted?.dispose();
    this.mounted = null;
    const { view, state, hint, needsData } = SETTINGS[card.name];
    const { page } = this.host;
    const known = page?.data ?? this.host.data.views ?? {};
    const isThere = !needsData || view.name in known;
    this.where.hidden = this.live.hidden = !isThere;
    if (!isThere) return;
    this.hint.textContent = hint;
    this.link.hidden = !page?.names.includes(view.name);
    this.link.textContent = `Open ${view.title} by itself`;
    this.live.setAttribute("role", "group");
    this.live.setAttribute("aria-label", `${view.title}, set up for this card`);
    const host = { ...this.host, isPart: true, data: known[view.name] ?? null };
    const mounted = mount(this.live, view, host, this.left.get(card.name) ?? state);
    mounted.frame.heading.hidden = true;
    mounted.store.subscribe((now) => {
      this.left.set(card.name, now);
      const fragment = toFragment(now, mounted.store.example);
      this.link.setAttribute("href", `#${view.name}${fragment ? `=${fragment}` : ""}`);
    });
    this.mounted = mounted;
  }

  /** @param {Check} check @returns {Node[]} */
  #asking(check) {
    const show = button("Show me", () => this.#answer(SHOWN), { key: "s" });
    if (check.choices.length) {
      const choices = check.choices.map((choice, i) =>
        el("button", { type: "button", class: "ft-choice", onClick: () => this.#answer(letter(i)) }, `(${letter(i)}) ${choice}`),
      );
      return [el("p", {}, check.question), el("div", { class: "ft-choices" }, ...choices), show];
    }
    const id = freshId("answer");
    const box = el("input", { type: "text", id, autocomplete: "off", spellcheck: false, maxLength: LONGEST_ANSWER });
    const mark = () => (box.value.trim() ? this.#answer(box.value) : box.focus());
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // or the button that is focused then takes it
      mark();
    });
    const line = el("div", { class: "ft-quiz-answer" }, el("label", { for: id }, "Answer"), box, button("Mark", mark, { key: "Enter" }), show);
    return [el("p", {}, check.question), line];
  }

  /** @param {State} state */
  #showCheck({ card, answers }) {
    const { name, check } = this.#card();
    const given = answers[name];
    const isRight = given !== undefined && accepts(check, given);
    const isMarked = given !== undefined && given !== SHOWN;
    this.verdict.dataset.kind = isMarked ? (isRight ? "right" : "wrong") : "open";
    if (isMarked) this.verdict.textContent = `${isRight ? "✓" : "✗"} ${judge(check, given)}`;
    else this.verdict.textContent = given === SHOWN ? `It is ${check.solution}. ${check.reason}` : "";
    const box = this.checking.querySelector("input");
    if (box && document.activeElement !== box) box.value = given ?? "";
    for (const [i, choice] of [...this.checking.querySelectorAll(".ft-choice")].entries()) {
      if (choice instanceof HTMLElement) choice.dataset.kind = given === letter(i) || given === check.choices[i] ? (isRight ? "right" : "wrong") : "";
    }
    this.back.disabled = card === 1;
    this.on.disabled = card === CARDS;
    const done = this.cards.filter((each) => this.#isDone(each, answers)).length;
    this.progress.textContent = `${done} of ${CARDS} checks right`;
    for (const [i, step] of [...this.steps.querySelectorAll("button")].entries()) {
      const each = this.cards[i];
      const isDone = this.#isDone(each, answers);
      step.setAttribute("aria-label", `Card ${i + 1}: ${each.title}${isDone ? ", done" : ""}`);
      step.dataset.done = String(isDone);
      if (i + 1 === card) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
    }
  }

  /** @param {Card} card @param {number} number */
  #step(card, number) {
    const step = el("button", { type: "button", title: card.title, onClick: () => this.store.set({ card: number }) }, String(number));
    return el("li", {}, step);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const isInView = event.target instanceof Node && this.live.contains(event.target);
    const steps = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1, p: -1, n: 1 });
    const { check } = this.#card();
    const index = "abcdefgh".indexOf(event.key);
    if (event.key in steps && !(isInView && event.key.length > 1)) this.#go(steps[event.key]);
    else if (event.key === "s" && !isInView) this.#answer(SHOWN);
    else if (index >= 0 && index < check.choices.length && !isInView) this.#answer(event.key);
    else return false;
    return true;
  }
}

/** @param {any} given */
function areAnswers(given) {
  if (given === null || typeof given !== "object" || Array.isArray(given)) return false;
  const rows = Object.entries(given);
  return rows.length <= CARDS && rows.every(([name, text]) => /^[a-z]{1,20}$/.test(name) && typeof text === "string" && text.length <= LONGEST_ANSWER);
}
