// @ts-check
/**
 * The connections of a layer under none, either or both of two constraints, and the weight on each:
 * as `faltung.square` has them, and tests compare the two.
 *
 * @typedef {"dense" | "shared" | "local" | "convolution"} Corner
 * @typedef {[number, number]} Pair rows, then columns
 *
 * @typedef {object} Shape
 * @property {Corner} corner
 * @property {1 | 2} axes 1-D layers have one row
 * @property {Pair} size of the input
 * @property {[Pair, Pair]} window first and last offset that locality keeps: rows, columns
 * @property {number | null} outputs of a dense layer that is not as large as its input
 *
 * @typedef {object} Edge
 * @property {number} o which output
 * @property {Pair} at row and column of the input; outside it is padding
 * @property {number} i which input, or -1 on padding
 * @property {number} weight its position among the layer's weights, or -1 for none
 * @property {string} name
 */

export const CORNERS = /** @type {Corner[]} */ (["dense", "shared", "local", "convolution"]);

/** @param {Corner} corner */
export function constraintsOf(corner) {
  return { isShared: corner === "shared" || corner === "convolution", isLocal: corner === "local" || corner === "convolution" };
}

/** The window without offsets that no two positions have. @param {Shape} shape @returns {[Pair, Pair]} */
export function reach({ size, window }) {
  return /** @type {[Pair, Pair]} */ (window.map(([lo, hi], axis) => [Math.max(lo, 1 - size[axis]), Math.min(hi, size[axis] - 1)]));
}

/** Why there is nothing to show, in the words of the error that Python gives. @param {Shape} shape */
export function violation(shape) {
  if (!constraintsOf(shape.corner).isLocal || reach(shape).every(([lo, hi]) => lo <= hi)) return "";
  const own = shape.axes === 1 ? [1] : [0, 1];
  const tuple = (/** @type {any[]} */ values) => `(${values.join(", ")}${values.length === 1 ? "," : ""})`;
  const got = `got window=${tuple(own.map((axis) => tuple(shape.window[axis])))}, size=${tuple(own.map((axis) => shape.size[axis]))}`;
  return `square: window must hold an offset that the image has on every axis, first to last, ${got}. Use window=(-1, 1). [square S3]`;
}

/** First and last offset of each axis that the layer has weights for. @param {Shape} shape @returns {[Pair, Pair]} */
export function offsets(shape) {
  if (constraintsOf(shape.corner).isLocal) return reach(shape);
  return /** @type {[Pair, Pair]} */ (shape.size.map((n) => [1 - n, n - 1]));
}

/** @param {Shape} shape */
export function outputCount({ corner, size, outputs }) {
  return corner === "dense" && outputs !== null ? outputs : size[0] * size[1];
}

/**
 * What a layer has: weights, connections to inputs, and with those to padding.
 *
 * @param {Shape} shape
 */
export function counts(shape) {
  const inputs = shape.size[0] * shape.size[1];
  const outputs = outputCount(shape);
  if (shape.corner === "dense") return { parameters: outputs * inputs, connections: outputs * inputs, padded: outputs * inputs };
  const axes = offsets(shape).map(([lo, hi], axis) => alongAxis(shape.size[axis], lo, hi));
  const connections = axes[0].inside * axes[1].inside;
  const kernel = axes[0].kernel * axes[1].kernel;
  return { parameters: constraintsOf(shape.corner).isShared ? kernel : connections, connections, padded: kernel * inputs };
}

/** @param {number} n @param {number} lo @param {number} hi */
function alongAxis(n, lo, hi) {
  let inside = 0;
  for (let a = lo; a <= hi; a += 1) inside += n - Math.abs(a);
  return { inside, kernel: hi - lo + 1 };
}

/**
 * Every connection, output by output; with `isPadded` those to padding as well.
 *
 * @param {Shape} shape @param {boolean} [isPadded]
 * @returns {Edge[]}
 */
export function edges(shape, isPadded = false) {
  const { isShared } = constraintsOf(shape.corner);
  if (shape.corner === "dense") return denseEdges(shape);
  const [[top, bottom], [left, right]] = offsets(shape);
  const [height, width] = shape.size;
  /** @type {Edge[]} */
  const found = [];
  let pairs = 0;
  for (let o = 0; o < height * width; o += 1) {
    const [oy, ox] = [Math.floor(o / width), o % width];
    for (let a = top; a <= bottom; a += 1) {
      for (let b = left; b <= right; b += 1) {
        const at = /** @type {Pair} */ ([oy + a, ox + b]);
        const isInside = at[0] >= 0 && at[1] >= 0 && at[0] < height && at[1] < width;
        const i = isInside ? at[0] * width + at[1] : -1;
        const own = isInside ? pairs++ : -1;
        if (!isInside && !isPadded) continue;
        const weight = isShared ? (a - top) * (right - left + 1) + (b - left) : own;
        found.push({ o, at, i, weight, name: nameOf(shape, o, at, [a, b], weight) });
      }
    }
  }
  return found;
}

/** @param {Shape} shape @returns {Edge[]} */
function denseEdges(shape) {
  const [height, width] = shape.size;
  const inputs = height * width;
  return Array.from({ length: outputCount(shape) * inputs }, (_, weight) => {
    const [o, i] = [Math.floor(weight / inputs), weight % inputs];
    const at = /** @type {Pair} */ ([Math.floor(i / width), i % width]);
    return { o, at, i, weight, name: nameOf(shape, o, at, [0, 0], weight) };
  });
}

/** @param {Shape} shape @param {number} o @param {Pair} at @param {Pair} offset @param {number} weight */
function nameOf(shape, o, at, offset, weight) {
  if (weight < 0) return "no weight";
  const pick = (/** @type {number[]} */ both) => (shape.axes === 1 ? both.slice(1) : both);
  if (constraintsOf(shape.corner).isShared) return `w[${pick(offset).join(", ")}]`;
  return `w[${[...place(shape, o), ...pick(at)].join(", ")}]`;
}

/** Where an output is; a dense layer of another size has no rows and columns. @param {Shape} shape @param {number} o */
export function place(shape, o) {
  const isPlain = shape.axes === 1 || (shape.corner === "dense" && shape.outputs !== null);
  return isPlain ? [o] : [Math.floor(o / shape.size[1]), o % shape.size[1]];
}
