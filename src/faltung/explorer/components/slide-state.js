// @ts-check
/**
 * The state of Slide: its fields, the worked example, and how arrays follow the sizes.
 *
 * @import { Axis, Word } from "faltung/geometry"
 * @import { Layer } from "faltung/convolution"
 * @import { State } from "faltung/store"
 */

import { choice, flag, integer, value } from "faltung/fields";
import { padding } from "faltung/geometry";

const LARGEST_INPUT = 32;
const LARGEST_KERNEL = 9;
const MOST_CHANNELS = 4;
const MOST_PADDING = 12;

export const KERNELS = /** @type {Record<string, number[][]>} */ ({
  sobel: [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
  box: [[1, 1, 1], [1, 1, 1], [1, 1, 1]],
  gauss: [[1, 2, 1], [2, 4, 2], [1, 2, 1]],
  laplace: [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
  sharpen: [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
  copy: [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
  shift: [[0, 0, 0], [1, 0, 0], [0, 0, 0]],
});

const numbers = (/** @type {any} */ given, /** @type {number} */ depth) =>
  isNested(given, depth) ? given : undefined;
const pair = (/** @type {string} */ label, /** @type {number} */ max) =>
  value(label, (given) =>
    Array.isArray(given) && given.length === 2 && given.every((n) => Number.isInteger(n) && n >= 1 && n <= max)
      ? given
      : undefined,
  );

export const fields = {
  axes: choice("Axes", { 2: "2-D", 1: "1-D" }),
  height: integer("Height", 1, LARGEST_INPUT),
  width: integer("Width", 1, LARGEST_INPUT),
  kernel_height: integer("Kernel height", 1, LARGEST_KERNEL),
  kernel_width: integer("Kernel width", 1, LARGEST_KERNEL),
  stride: pair("Stride", 5),
  dilation: pair("Dilation", 4),
  padding: choice("Padding", { valid: "valid: none", same: "same", same_lower: "same, extra first", full: "full", each: "each side" }),
  top: integer("Top", 0, MOST_PADDING),
  bottom: integer("Bottom", 0, MOST_PADDING),
  left: integer("Left", 0, MOST_PADDING),
  right: integer("Right", 0, MOST_PADDING),
  in_channels: integer("Input channels", 1, MOST_CHANNELS),
  out_channels: integer("Output channels", 1, MOST_CHANNELS),
  groups: integer("Groups", 1, MOST_CHANNELS),
  flip: flag("Flip the kernel", "Flipped, it is a convolution; as layers do it, a cross-correlation."),
  transposed: flag("Transposed"),
  x: value("Input", (given) => numbers(given, 3)),
  w: value("Weights", (given) => numbers(given, 4)),
  at: integer("Position", 0, 1e6),
  pinned: value("Pinned", cleanPin),
};

/** @type {State} */
export const example = {
  axes: "2",
  height: 6,
  width: 6,
  kernel_height: 3,
  kernel_width: 3,
  stride: [1, 1],
  dilation: [1, 1],
  padding: "valid",
  top: 0,
  bottom: 0,
  left: 0,
  right: 0,
  in_channels: 1,
  out_channels: 1,
  groups: 1,
  flip: false,
  transposed: false,
  x: [[[1, 2, 0, 1, 0, 2], [0, 1, 2, 0, 1, 1], [2, 0, 1, 2, 0, 0], [1, 1, 0, 1, 2, 1], [0, 2, 1, 0, 1, 2], [1, 0, 2, 1, 0, 1]]],
  w: [[KERNELS.sobel]],
  at: 0,
  pinned: null,
};

/** Make sizes and arrays fit each other. @param {State} state @returns {State} */
export function fit(state) {
  const isLine = state.axes === "1";
  const next = { ...state };
  if (isLine) Object.assign(next, { height: 1, kernel_height: 1, stride: [1, state.stride[1]], dilation: [1, state.dilation[1]], top: 0, bottom: 0 });
  next.x = resized(state.x, [next.in_channels, next.height, next.width], inputFill);
  const [a, b] = next.transposed ? [next.in_channels, next.out_channels] : [next.out_channels, next.in_channels];
  next.w = resized(state.w, [a, Math.max(1, Math.floor(b / next.groups)), next.kernel_height, next.kernel_width], weightFill);
  const words = next.padding !== "each";
  if (words) {
    const [rows, cols] = [0, 1].map((axis) => padding(/** @type {Word} */ (next.padding), bare(next, axis)));
    Object.assign(next, { top: isLine ? 0 : rows.lo, bottom: isLine ? 0 : rows.hi, left: cols.lo, right: cols.hi });
  }
  return next;
}

/** The layer that a state describes. @param {State} state @returns {Layer} */
export function layerOf(state) {
  const pads = padsOf(state);
  const axes = /** @type {[Axis, Axis]} */ ([0, 1].map((axis) => ({ ...bare(state, axis), lo: pads[axis][0], hi: pads[axis][1] })));
  return { x: state.x, w: state.w, axes, groups: state.groups, isFlipped: state.flip, isTransposed: state.transposed };
}

/** @param {State} state @returns {[number, number][]} */
export function padsOf(state) {
  return [[state.top, state.bottom], [state.left, state.right]];
}

/** Why there is nothing to show, in the words of the error that Python gives; "" where there is.
 * @param {State} state */
export function violation(state) {
  return divides(state) || (state.transposed ? crops(state) : "");
}

/** @param {State} state */
function divides({ in_channels, out_channels, groups, transposed }) {
  const subject = transposed ? "conv_transpose" : "conv";
  const rules = transposed
    ? [["in_channels", in_channels, "T12"]]
    : [["in_channels", in_channels, "C11"], ["out_channels", out_channels, "C12"]];
  for (const [name, channels, id] of rules) {
    if (channels % groups === 0) continue;
    const fits = Array.from({ length: channels }, (_, i) => i + 1).filter((n) => channels % n === 0);
    const got = `got ${name}=${channels}, groups=${groups}`;
    return `${subject}: ${name} must be divisible by groups, ${got}. Use groups in {${fits.join(", ")}}. [${subject} ${id}]`;
  }
  return "";
}

/** @param {State} state */
function crops(state) {
  for (const [axis, [lo, hi]] of padsOf(state).entries()) {
    const { size, stride, kernel, dilation } = bare(state, axis);
    const uncropped = (size - 1) * stride + dilation * (kernel - 1) + 1;
    if (lo + hi <= uncropped) continue;
    const got = `got padding=(${lo}, ${hi}), uncropped=${uncropped}`;
    return `conv_transpose: padding must not crop more outputs than there are, ${got}. Crop at most ${uncropped}. [conv_transpose T10]`;
  }
  return "";
}

/** @param {State} state @param {number} axis */
function bare(state, axis) {
  const size = axis === 0 ? state.height : state.width;
  const kernel = axis === 0 ? state.kernel_height : state.kernel_width;
  return { size, kernel, stride: state.stride[axis], dilation: state.dilation[axis] };
}

/** @param {any} given @param {number[]} shape @param {(...at: number[]) => number} fill
 * @param {number[]} [at] @returns {any} */
function resized(given, shape, fill, at = []) {
  if (!shape.length) return given === undefined ? fill(...at) : given;
  const [length, ...rest] = shape;
  return Array.from({ length }, (_, i) => resized(given?.[i], rest, fill, [...at, i]));
}

/** What a cell holds that was not there before. @param {...number} at */
function inputFill(...at) {
  const [c, y, x] = at;
  return (5 * c + 3 * y + 7 * x + ((x * y) % 4)) % 4;
}

/** @param {...number} at */
function weightFill(...at) {
  const [a, b, ky, kx] = at;
  return ((2 * a + b + ky + 2 * kx) % 3) - 1;
}

/** @param {any} given @param {number} depth @returns {boolean} */
function isNested(given, depth) {
  if (depth === 0) return typeof given === "number" && Number.isFinite(given);
  return Array.isArray(given) && given.length > 0 && given.length <= LARGEST_INPUT && given.every((v) => isNested(v, depth - 1));
}

/** Null, or ["input" | "kernel" | "output", grid, row, column]. @param {any} given */
function cleanPin(given) {
  if (given === null) return null;
  const isPin = Array.isArray(given) && given.length === 4 && ["input", "kernel", "output"].includes(given[0]);
  return isPin && given.slice(1).every(Number.isInteger) ? given : undefined;
}
