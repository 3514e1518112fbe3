// @ts-check
/**
 * What Slide says: the sum of an output, where an input or a weight goes, what no output sees.
 *
 * @import { Layer, Term } from "faltung/convolution"
 * @import { State } from "faltung/store"
 *
 * @typedef {["input" | "kernel" | "output", number, number, number]} Part a cell of one of the grids
 */

import { dropped } from "faltung/geometry";
import { number, sumOf } from "faltung/numbers";

/** What happens at the edges. @param {Layer} layer @param {boolean} isTransposed @param {number} outputs */
export function edges(layer, isTransposed, outputs) {
  if (!outputs) return "The kernel covers more than the padded input: the output is empty.";
  if (isTransposed) return "";
  const [rows, cols] = layer.axes;
  const lost = [[dropped(rows), "row"], [dropped(cols), "column"]].filter(([n]) => Number(n) > 0);
  if (!lost.length) return "";
  const parts = lost.map(([n, word]) => `${n} ${word}${n === 1 ? "" : "s"}`);
  return `The stride does not divide: the last ${parts.join(" and ")} of the padded input (hatched) reach no output.`;
}

/** An output, of so many channels, as the sum that it is.
 * @param {Part} part @param {number} channels @param {Term[]} products */
export function sum([, co, y, x], channels, products) {
  const name = channels > 1 ? `y[${co}, ${y}, ${x}]` : `y[${y}, ${x}]`;
  const padded = products.filter(({ isInside }) => !isInside).length;
  const note = padded ? `   (${padded} of ${products.length} taps on padding)` : "";
  return `${name} = ${sumOf(products.map(({ a, b }) => [a, b]))}${note}`;
}

/** Where an input goes, or a weight of one of the kernels.
 * @param {Part} part @param {State} state @param {number} first
 * @param {{ output: number[], term: Term }[]} used */
export function feeds([kind, grid, y, x], state, first, used) {
  const outputs = new Set(used.map(({ output }) => output.join())).size;
  const to = `${outputs} output${outputs === 1 ? "" : "s"}`;
  if (kind === "kernel") {
    return `w[${first}, ${grid}, ${y}, ${x}] = ${number(state.w[first][grid][y][x])}: one weight, used for ${used.length} products in ${to}`;
  }
  const given = state.x[grid][y]?.[x];
  const name = given === undefined ? `padding at (${y}, ${x}) = 0` : `x[${grid}, ${y}, ${x}] = ${number(given)}`;
  if (!used.length) return `${name} reaches no output`;
  const shown = used.slice(0, 6).map(({ output, term }) => `y[${output.join(", ")}] by ${number(term.b)}`);
  return `${name} goes to ${to}: ${shown.join(", ")}${used.length > 6 ? ` … ${used.length - 6} more` : ""}`;
}
