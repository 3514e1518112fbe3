// @ts-check
/**
 * A card's quick check, judged as `faltung.tour.quick_check` does.
 *
 * @typedef {object} Check
 * @property {string} question
 * @property {string[]} choices
 * @property {number[] | string} answer
 * @property {string} reason
 * @property {string} solution the answer as text
 * @property {boolean} is_set whether the order of several numbers does not matter
 */

import { letter, plain, wholeNumbers } from "faltung/reading";

/** Whether an answer is right. @param {Check} check @param {string} given */
export function accepts(check, given) {
  if (typeof check.answer === "string") return chosen(check, given) === check.answer;
  const found = wholeNumbers(given, check.answer.length !== 1);
  if (!found) return false;
  if (!check.is_set) return found.join() === check.answer.join();
  const inOrder = (/** @type {Iterable<number>} */ values) => [...values].sort((a, b) => a - b).join();
  return inOrder(new Set(found)) === inOrder(check.answer);
}

/** What is said about an answer. @param {Check} check @param {string} given */
export function judge(check, given) {
  if (accepts(check, given)) return `Right: ${check.solution}. ${check.reason}`;
  return `Not ${given.trim()}. Try again.`;
}

/** The choice that a text means, by its letter or its words. @param {Check} check @param {string} given */
function chosen({ choices }, given) {
  const said = plain(given, "().,;:!? \t\n");
  return choices.find((choice, i) => said === letter(i) || said === choice.toLowerCase()) ?? "";
}
