// @ts-check
/**
 * Small convolutions, one term at a time, for what is under the pointer; tests compare every value
 * with Python's. Arrays are nested lists: an input (channels, rows, columns), weights
 * (out_channels, in_channels / groups, ky, kx), of a transposed one (in_channels, out_channels /
 * groups, ky, kx). Nothing is flipped unless it is asked for.
 *
 * @import { Axis } from "faltung/geometry"
 *
 * @typedef {object} Layer
 * @property {number[][][]} x
 * @property {number[][][][]} w
 * @property {[Axis, Axis]} axes rows, then columns
 * @property {number} groups
 * @property {boolean} isFlipped
 * @property {boolean} isTransposed
 *
 * @typedef {object} Term one product of the sum
 * @property {[number, number, number]} at channel, row, column of the input; outside it is padding
 * @property {[number, number, number, number]} weight which weight
 * @property {boolean} isInside
 * @property {number} a the input's value, 0 on padding
 * @property {number} b the weight's
 */

import { outSize, tap, transposedSize, transposedTaps } from "faltung/geometry";

/** The output's channels, rows and columns. @param {Layer} layer @returns {[number, number, number]} */
export function outShape({ w, axes, groups, isTransposed }) {
  const channels = isTransposed ? w[0].length * groups : w.length;
  const size = isTransposed ? transposedSize : outSize;
  return [channels, size(axes[0]), size(axes[1])];
}

/**
 * The products that one output adds up, in the order of the definition: channel, row, column.
 *
 * @param {Layer} layer @param {number} co @param {number} oy @param {number} ox
 * @returns {Term[]}
 */
export function terms(layer, co, oy, ox) {
  return layer.isTransposed ? transposedTerms(layer, co, oy, ox) : directTerms(layer, co, oy, ox);
}

/** @param {Layer} layer @param {number} co @param {number} oy @param {number} ox */
function directTerms(layer, co, oy, ox) {
  const { x, w, axes, groups } = layer;
  const perGroup = w[0].length;
  const first = Math.floor(co / (w.length / groups)) * perGroup;
  /** @type {Term[]} */
  const found = [];
  for (let j = 0; j < perGroup; j += 1) {
    for (let ky = 0; ky < axes[0].kernel; ky += 1) {
      for (let kx = 0; kx < axes[1].kernel; kx += 1) {
        const [iy, ix] = [tap(axes[0], oy, ky), tap(axes[1], ox, kx)];
        found.push(term(layer, [first + j, iy, ix], stored(layer, co, j, ky, kx), x));
      }
    }
  }
  return found;
}

/** @param {Layer} layer @param {number} co @param {number} oy @param {number} ox */
function transposedTerms(layer, co, oy, ox) {
  const { x, w, axes, groups } = layer;
  const perGroup = w[0].length;
  const inGroup = x.length / groups;
  const first = Math.floor(co / perGroup) * inGroup;
  /** @type {Term[]} */
  const found = [];
  for (let ci = first; ci < first + inGroup; ci += 1) {
    for (const { i: iy, k: ky } of transposedTaps(axes[0], oy)) {
      for (const { i: ix, k: kx } of transposedTaps(axes[1], ox)) {
        found.push(term(layer, [ci, iy, ix], stored(layer, ci, co % perGroup, ky, kx), x));
      }
    }
  }
  return found;
}

/** Which stored weight stands at a kernel position: itself, or its mirror where it is flipped.
 * @param {Layer} layer @param {number} a @param {number} b @param {number} ky @param {number} kx
 * @returns {[number, number, number, number]} */
function stored({ axes, isFlipped }, a, b, ky, kx) {
  return isFlipped ? [a, b, axes[0].kernel - 1 - ky, axes[1].kernel - 1 - kx] : [a, b, ky, kx];
}

/** @param {Layer} layer @param {[number, number, number]} at
 * @param {[number, number, number, number]} weight @param {number[][][]} x @returns {Term} */
function term({ w }, at, weight, x) {
  const [c, y, column] = at;
  const a = x[c][y]?.[column];
  const [i, j, ky, kx] = weight;
  return { at, weight, isInside: a !== undefined, a: a ?? 0, b: w[i][j][ky][kx] };
}

/** Every output, as nested lists. @param {Layer} layer @returns {number[][][]} */
export function convolution(layer) {
  const [channels, rows, cols] = outShape(layer);
  return Array.from({ length: channels }, (_, co) =>
    Array.from({ length: rows }, (_, oy) =>
      Array.from({ length: cols }, (_, ox) =>
        terms(layer, co, oy, ox).reduce((sum, { a, b }) => sum + a * b, 0),
      ),
    ),
  );
}
