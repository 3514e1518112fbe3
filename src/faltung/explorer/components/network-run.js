// @ts-check
/**
 * The recorded network, run in the page: the few layers that it has, values rounded to float32
 * after each layer. Tests compare every map with Python's.
 *
 * @import { Axis } from "faltung/geometry"
 *
 * @typedef {object} LayerRecord a layer, as `faltung.explorer.layer_record` describes it
 * @property {string} name
 * @property {string} operator
 * @property {string} words
 * @property {[number, number, number]} shape maps, rows, columns
 * @property {number[]} from the layers whose values it reads
 * @property {Axis[]} [axes]
 * @property {number} [groups]
 * @property {string[]} [weights] names of its arrays
 *
 * @typedef {{ shape: number[], values: Float32Array }} Weights
 * @typedef {{ shape: number[], scales: number[], levels: string }} Kept
 *
 * @typedef {object} Read cells of one earlier layer
 * @property {number | null} from
 * @property {[number, number, number][]} at
 * @property {(number | null)[]} values
 *
 * @typedef {object} Window what one cell was computed from
 * @property {number | null} value
 * @property {number} layer
 * @property {[number, number, number]} at
 * @property {"sum" | "max" | "mean" | "of"} kind
 * @property {string} [operator]
 * @property {Read[]} reads
 * @property {(number | null)[]} [weights]
 * @property {number | null} [bias]
 * @property {number | null} [sum]
 * @property {number} count
 */

import { outSize, tap } from "faltung/geometry";

/** The character of weight 0. */
const MIDDLE = 94;

/** Read an array of the recording. @param {Kept} kept @returns {Weights} */
export function weightsOf({ shape, scales, levels }) {
  const values = new Float32Array(levels.length);
  const perScale = levels.length / scales.length;
  for (let i = 0; i < levels.length; i += 1) {
    values[i] = (levels.charCodeAt(i) - MIDDLE) * Math.fround(scales[Math.floor(i / perScale)]);
  }
  return { shape, values };
}

/**
 * Every layer's values for one image.
 *
 * @param {LayerRecord[]} layers @param {Record<string, Weights>} weights
 * @param {Float32Array} image
 * @returns {Float32Array[]}
 */
export function forward(layers, weights, image) {
  /** @type {Float32Array[]} */
  const values = [image];
  for (const layer of layers.slice(1)) {
    const run = RUN[layer.operator];
    if (!run) throw new Error(`the page cannot run ${layer.operator}`);
    values.push(run(values[layer.from[0]], layer, (layer.weights ?? []).map((name) => weights[name])));
  }
  return values;
}

/** @type {Record<string, (x: Float32Array, layer: LayerRecord, weights: Weights[]) => Float32Array>} */
const RUN = {
  Sub: (x, _, [mean]) => x.map((v) => v - mean.values[0]),
  Div: (x, _, [std]) => x.map((v) => v / std.values[0]),
  Relu: (x) => x.map((v) => Math.max(0, v)),
  Flatten: (x) => x,
  Dropout: (x) => x,
  Conv: convolve,
  MaxPool: (x, layer) => eachWindow(layer, (c, rows, cols) => largestOf(x, layer, c, rows, cols)),
  Gemm: (x, _, [w, b]) => Float32Array.from({ length: w.shape[0] }, (__, o) => {
    let sum = b.values[o];
    for (let i = 0; i < x.length; i += 1) sum += x[i] * w.values[o * x.length + i];
    return sum;
  }),
};

/** @param {Float32Array} x @param {LayerRecord} layer @param {Weights[]} weights */
function convolve(x, layer, [w, b]) {
  const [rows, cols] = /** @type {Axis[]} */ (layer.axes);
  const [, channels, high, wide] = w.shape;
  return eachWindow(layer, (co, oy, ox) => {
    let sum = b.values[co];
    for (let ci = 0; ci < channels; ci += 1) {
      for (let ky = 0; ky < high; ky += 1) {
        const y = tap(rows, oy, ky);
        if (y < 0 || y >= rows.size) continue;
        const [line, filter] = [(ci * rows.size + y) * cols.size, ((co * channels + ci) * high + ky) * wide];
        for (let kx = 0; kx < wide; kx += 1) {
          const at = tap(cols, ox, kx);
          if (at >= 0 && at < cols.size) sum += x[line + at] * w.values[filter + kx];
        }
      }
    }
    return sum;
  });
}

/** @param {LayerRecord} layer @param {(c: number, y: number, x: number) => number} value */
function eachWindow({ shape }, value) {
  const [maps, rows, cols] = shape;
  const values = new Float32Array(maps * rows * cols);
  for (let i = 0; i < values.length; i += 1) values[i] = value(Math.floor(i / (rows * cols)), Math.floor(i / cols) % rows, i % cols);
  return values;
}

/** @param {Float32Array} x @param {LayerRecord} layer @param {number} c @param {number} oy @param {number} ox */
function largestOf(x, layer, c, oy, ox) {
  const cells = windowCells(layer, oy, ox).filter(([y, at]) => isInside(layer, y, at));
  const [rows, cols] = /** @type {Axis[]} */ (layer.axes);
  return Math.max(...cells.map(([y, at]) => x[(c * rows.size + y) * cols.size + at]));
}

/** The positions under one output, row by row. @param {LayerRecord} layer @param {number} oy
 * @param {number} ox @returns {[number, number][]} */
function windowCells(layer, oy, ox) {
  const [rows, cols] = /** @type {Axis[]} */ (layer.axes);
  return Array.from({ length: rows.kernel * cols.kernel }, (_, i) => [tap(rows, oy, Math.floor(i / cols.kernel)), tap(cols, ox, i % cols.kernel)]);
}

/** @param {LayerRecord} layer @param {number} y @param {number} x */
function isInside(layer, y, x) {
  const [rows, cols] = /** @type {Axis[]} */ (layer.axes);
  return y >= 0 && x >= 0 && y < rows.size && x < cols.size;
}

/** The maps' rows and columns agree with the axes: what a damaged recording would not do.
 * @param {LayerRecord} layer */
export function fits(layer) {
  return !layer.axes || layer.axes.every((axis, i) => outSize(axis) === layer.shape[i + 1]);
}

/**
 * What one cell was computed from, as `faltung.explorer.activations.window` says it.
 *
 * @param {LayerRecord[]} layers @param {Record<string, Weights>} weights
 * @param {Float32Array[]} values @param {number} index @param {[number, number, number]} at
 * @returns {Window}
 */
export function windowOf(layers, weights, values, index, at) {
  const layer = layers[index];
  const [c, y, x] = at;
  const [, rows, cols] = layer.shape;
  const found = { value: values[index][(c * rows + y) * cols + x], layer: index, at, operator: layer.operator };
  const from = layer.from[0];
  const cells = cellsOf(layers, layer, at, weights);
  const read = { from, at: cells, values: cells.map((cell) => valueAt(layers[from].shape, values[from], cell)) };
  if (layer.operator !== "Conv" && layer.operator !== "Gemm") {
    return { ...found, kind: layer.operator === "MaxPool" ? "max" : "of", reads: [read], count: cells.length };
  }
  const [w, b] = (layer.weights ?? []).map((name) => weights[name]);
  const first = layer.operator === "Conv" ? c : x;
  const b0 = b.values[first];
  const products = Array.from(w.values.subarray(first * cells.length, (first + 1) * cells.length));
  const sum = products.reduce((total, weight, i) => total + weight * read.values[i], b0);
  return { ...found, kind: "sum", reads: [read], weights: products, bias: b0, sum, count: cells.length };
}

/** The cells of the earlier layer that one cell reads, in the order of its weights.
 * @param {LayerRecord[]} layers @param {LayerRecord} layer @param {[number, number, number]} at
 * @param {Record<string, Weights>} weights @returns {[number, number, number][]} */
function cellsOf(layers, layer, [c, y, x], weights) {
  const [maps, rows, cols] = layers[layer.from[0]].shape;
  if (layer.operator === "Gemm") return Array.from({ length: cols }, (_, i) => [0, 0, i]);
  if (layer.operator === "Flatten") return [[Math.floor(x / (rows * cols)), Math.floor(x / cols) % rows, x % cols]];
  if (!layer.axes) return [[c, y, x]];
  const plane = windowCells(layer, y, x);
  const channels = layer.operator === "Conv" ? Array.from({ length: weights[layer.weights?.[0] ?? ""].shape[1] }, (_, i) => i) : [Math.min(c, maps - 1)];
  return channels.flatMap((channel) => plane.map(([py, px]) => /** @type {[number, number, number]} */ ([channel, py, px])));
}

/** A value, 0 on the padding. @param {number[]} shape @param {Float32Array} values
 * @param {[number, number, number]} cell */
function valueAt([, rows, cols], values, [c, y, x]) {
  return y >= 0 && x >= 0 && y < rows && x < cols ? values[(c * rows + y) * cols + x] : 0;
}
