// @ts-check
/**
 * A question of Check and what is said about an answer, as `faltung.explorer.quiz` marks it.
 *
 * @typedef {object} Problem
 * @property {string} text
 * @property {number[]} answer whole numbers; of a choice, its index
 * @property {string} working
 * @property {{ answer: number[], why: string }[]} near
 * @property {string[]} choices
 * @property {string} code
 * @property {[string, number[][]][]} grids
 *
 * @typedef {object} Marked
 * @property {boolean} isRead whether it could be understood; if not, it does not count
 * @property {boolean} isRight
 * @property {string} text
 */

import { whole } from "faltung/numbers";
import { letter, plain, wholeNumbers } from "faltung/reading";

/**
 * Read a question as Python records it.
 *
 * @param {any[]} record @param {string[]} texts what numbers in place of texts stand for
 * @returns {Problem}
 */
export function problemOf([text, answer, working, near, choices, code, grids], texts) {
  const said = (/** @type {number | string} */ t) => (typeof t === "number" ? texts[t] : t);
  return {
    text,
    answer,
    working,
    near: near.map((/** @type {[number[], number | string]} */ [miss, why]) => ({ answer: miss, why: said(why) })),
    choices: choices.map(said),
    code,
    grids,
  };
}

/** An answer as text. @param {Problem} problem @param {number[]} [answer] */
export function solution({ choices, answer: right }, answer = right) {
  if (choices.length) return `(${letter(answer[0])}) ${choices[answer[0]]}`;
  return answer.map((n) => (answer.length === 1 ? whole(n) : String(n).replace("-", "−"))).join(", ");
}

/** The answer that a text means; null if it is none. @param {Problem} problem @param {string} given */
export function read({ choices, answer }, given) {
  if (!choices.length) {
    const found = wholeNumbers(given, answer.length !== 1);
    return found?.length === answer.length ? found : null;
  }
  const said = plain(given, "(). \t\n");
  const index = choices.findIndex((choice, i) => said === letter(i) || said === plain(choice, "()."));
  return index < 0 ? null : [index];
}

/** Mark an answer; an empty one gives up. @param {Problem} problem @param {string} given @returns {Marked} */
export function marked(problem, given) {
  if (!given.trim()) return { isRead: true, isRight: false, text: `It is ${solution(problem)}.` };
  const found = read(problem, given);
  if (!found) return { isRead: false, isRight: false, text: wanted(problem) };
  if (found.join() === problem.answer.join()) return { isRead: true, isRight: true, text: `Right: ${solution(problem)}.` };
  const whys = problem.near.filter(({ answer }) => answer.join() === found.join()).map(({ why }) => why);
  return { isRead: true, isRight: false, text: [`Not ${solution(problem, found)}.`, ...whys].join(" ") };
}

/** What can be typed. @param {Problem} problem */
export function wanted({ choices, answer }) {
  if (choices.length) return "Choose one of them.";
  return answer.length === 1 ? "Type a whole number." : `Type ${answer.length} whole numbers.`;
}
