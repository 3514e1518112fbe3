// @ts-check
/**
 * The state of Connect: which layer, how large, its values, what is pinned; and the Python for it.
 *
 * @import { Corner, Edge, Shape } from "faltung/connect-counts"
 * @import { State } from "faltung/store"
 */

import { constraintsOf, outputCount } from "faltung/connect-counts";
import { choice, flag, integer, value } from "faltung/fields";

export const LONGEST = 12;
export const LARGEST = 6;
const MOST_OUTPUTS = LARGEST * LARGEST;
const MOST_EDITED = 2000;

export const fields = {
  corner: choice("Layer", { dense: "dense", shared: "shared", local: "local", convolution: "convolution" }),
  axes: choice("Axes", { 1: "1-D", 2: "2-D" }),
  height: integer("Height", 1, LARGEST),
  width: integer("Width", 1, LONGEST),
  top: integer("Rows from", 1 - LARGEST, LARGEST - 1, "The first offset that locality keeps."),
  bottom: integer("Rows to", 1 - LARGEST, LARGEST - 1, "The last offset that locality keeps."),
  left: integer("From offset", 1 - LONGEST, LONGEST - 1, "The first offset that locality keeps."),
  right: integer("To offset", 1 - LONGEST, LONGEST - 1, "The last offset that locality keeps."),
  same_size: flag("As many outputs as inputs", "A dense layer may have any number of outputs."),
  outputs: integer("Outputs", 1, MOST_OUTPUTS),
  padding: flag("Show padding"),
  seed: integer("Values", 0, 999, "Weights and inputs that nobody edited follow from this number."),
  x: value("Inputs", (given) => edited(given, /^x\[\d+(, \d+)?\]$/)),
  w: value("Weights", (given) => edited(given, /^w\[-?\d+(, -?\d+){0,3}\]$/)),
  pinned: value("Pinned", cleanPin),
};

/** @type {State} */
export const example = {
  corner: "convolution",
  axes: "1",
  height: 1,
  width: 5,
  top: -1,
  bottom: 1,
  left: -1,
  right: 1,
  same_size: true,
  outputs: 3,
  padding: true,
  seed: 1,
  x: {},
  w: {},
  pinned: null,
};

/** @param {State} state @returns {State} */
export function fit(state) {
  const isLine = state.axes === "1";
  if (isLine) return { ...state, height: 1 };
  return { ...state, width: Math.min(state.width, LARGEST) };
}

/** @param {State} state @param {Corner} [corner] @returns {Shape} */
export function shapeOf(state, corner = state.corner) {
  const isLine = state.axes === "1";
  const rows = /** @type {[number, number]} */ (isLine ? [0, 0] : [state.top, state.bottom]);
  const outputs = corner === "dense" && !state.same_size ? state.outputs : null;
  return { corner, axes: isLine ? 1 : 2, size: [state.height, state.width], window: [rows, [state.left, state.right]], outputs };
}

/** @param {Shape} shape @param {number} i */
export function inputName({ axes, size }, i) {
  return axes === 1 ? `x[${i}]` : `x[${Math.floor(i / size[1])}, ${i % size[1]}]`;
}

/** @param {State} state @param {Shape} shape @param {number} i */
export function inputValue(state, shape, i) {
  const name = inputName(shape, i);
  return state.x[name] ?? drawn(name, state.seed, 0, 9);
}

/** A small integer, never 0, so that every edge is seen in the sum. @param {State} state @param {string} name */
export function weightValue(state, name) {
  if (state.w[name] !== undefined) return state.w[name];
  const v = drawn(name, state.seed, -3, 2);
  return v < 0 ? v : v + 1;
}

/** An integer that follows from a name and a seed: FNV-1a. @param {string} name @param {number} seed
 * @param {number} low @param {number} high */
function drawn(name, seed, low, high) {
  let hash = 2166136261 ^ seed;
  for (const sign of name) hash = Math.imul(hash ^ sign.charCodeAt(0), 16777619) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 15), 2246822519) >>> 0;
  return low + ((hash >>> 8) % (high - low + 1));
}

/** Numbers by name, no more than can be shown. @param {any} given @param {RegExp} form */
function edited(given, form) {
  if (given === null || typeof given !== "object" || Array.isArray(given)) return undefined;
  const entries = Object.entries(given);
  const fits = entries.length <= MOST_EDITED && entries.every(([name, v]) => form.test(name) && Number.isFinite(v));
  return fits ? Object.fromEntries(entries) : undefined;
}

/** Null, ["output", o], ["input", i] or ["edge", o, row, column]. @param {any} given */
function cleanPin(given) {
  if (given === null) return null;
  const lengths = /** @type {Record<string, number>} */ ({ output: 2, input: 2, edge: 4 });
  const isPin = Array.isArray(given) && lengths[given[0]] === given.length;
  return isPin && given.slice(1).every(Number.isInteger) ? given : undefined;
}

/** The Python that counts and computes the same. @param {State} state @param {Edge[]} all */
export function pythonOf(state, all) {
  const shape = shapeOf(state);
  const own = shape.axes === 1 ? [1] : [0, 1];
  const inputs = Array.from({ length: shape.size[0] * shape.size[1] }, (_, i) => inputValue(state, shape, i));
  const byWeight = new Map(all.filter(({ weight }) => weight >= 0).map(({ weight, name }) => [weight, name]));
  const weights = [...byWeight.keys()].sort((a, b) => a - b).map((weight) => weightValue(state, byWeight.get(weight) ?? ""));
  const lists = [`x = np.array([${inputs.join(", ")}])`];
  if (shape.outputs !== null) {
    const line = `y = w @ x  # dense: ${outputCount(shape)} outputs, ${inputs.length} inputs`;
    lists.push(`w = np.array([${weights.join(", ")}]).reshape(${outputCount(shape)}, ${inputs.length})`);
    return { line, full: ["import numpy as np", "", ...lists, line, "print(w.size, y)", ""].join("\n") };
  }
  const tuple = (/** @type {any[]} */ values) => `(${values.join(", ")}${values.length === 1 ? "," : ""})`;
  const size = tuple(own.map((axis) => shape.size[axis]));
  const window = tuple(own.map((axis) => tuple(shape.window[axis])));
  const square = `square = faltung.square(${size}, window=${constraintsOf(shape.corner).isLocal ? window : 0})`;
  const corner = `"${shape.corner}"`;
  const full = [
    "import numpy as np",
    "import faltung",
    "",
    square,
    ...lists,
    `w = np.array([${weights.join(", ")}]).reshape(square.weight_shape(${corner}))`,
    `y = square.matrix(${corner}, w) @ x`,
    `print(square.parameters(${corner}), square.nonzeros(${corner}))`,
    "print(y)",
    "",
  ].join("\n");
  return { line: `${square}; square.parameters(${corner}), square.nonzeros(${corner})`, full };
}
