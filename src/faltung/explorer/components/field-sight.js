// @ts-check
/**
 * What is drawn on what a cell sees: the positions that take part, how many paths lead to each, or
 * the gradients that Python measured.
 *
 * @import { Sight } from "faltung/field-plane"
 */

/** By the paths along each axis. @param {Sight} sight @param {number[]} ys @param {number[]} xs
 * @param {boolean} isHeat @returns {Sight} */
export function counted(sight, ys, xs, isHeat) {
  if (isHeat) {
    const most = largest(ys) * largest(xs);
    const text = (/** @type {number} */ y, /** @type {number} */ x) => String(BigInt(ys[y]) * BigInt(xs[x]));
    return { ...sight, heat: (y, x) => (ys[y] * xs[x]) / most, text };
  }
  const hasHoles = holes(ys, sight.rows) || holes(xs, sight.cols);
  return hasHoles ? { ...sight, isSeen: (y, x) => ys[y] > 0 && xs[x] > 0 } : sight;
}

/** By measured weights, of 1 to 3 axes. @param {Sight} sight @param {any[]} weights @returns {Sight} */
export function measured(sight, weights) {
  const rows = Array.isArray(weights[0]) ? weights : [weights];
  const plane = Array.isArray(rows[0][0]) ? rows[Math.floor(rows.length / 2)] : rows;
  return { ...sight, heat: (y, x) => plane[y]?.[x] ?? 0 };
}

/** @param {number[]} counts */
function largest(counts) {
  return counts.reduce((most, count) => Math.max(most, count), 1);
}

/** Whether dilation leaves positions out between those that are seen. @param {number[]} counts
 * @param {{ lo: number, hi: number }} span */
function holes(counts, { lo, hi }) {
  for (let i = Math.max(lo, 0); i < Math.min(hi, counts.length); i += 1) if (!counts[i]) return true;
  return false;
}

/** @param {[number[][], number[][]]} counts */
export function pathsText([ys, xs]) {
  const [rows, cols] = [ys[0], xs[0]];
  const sum = (/** @type {number[]} */ each) => each.reduce((total, count) => total + BigInt(count), 0n);
  const most = BigInt(largest(rows)) * BigInt(largest(cols));
  return `${(sum(rows) * sum(cols)).toLocaleString("en-US")} paths from the input, at most ${most.toLocaleString("en-US")} from one position`;
}

/** @param {any} found */
export function measuredText({ share_of_area, area, samples, silent, drawn_weights }) {
  const share = share_of_area === null ? "" : `95 % of the squared gradient in ${(100 * share_of_area).toFixed(1)} % of the ${area.toLocaleString("en-US")} positions inside; `;
  return `${share}${samples} random images${drawn_weights ? ", weights drawn" : ""}${silent ? `, ${silent} without any gradient` : ""}`;
}
