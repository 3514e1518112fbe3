// @ts-check
/**
 * The state of Shift: its fields, the worked example, and the layers that it describes.
 *
 * @import { Border } from "faltung/filtering"
 * @import { Step } from "faltung/shift-layers"
 */

import { choice, integer, matrix } from "faltung/fields";

export const FARTHEST = 16;

export const KERNELS = /** @type {Record<string, number[][]>} */ ({
  gauss: [[1, 2, 1], [2, 4, 2], [1, 2, 1]],
  "sobel-x": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
  "sobel-y": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
  laplacian: [[0, 1, 0], [1, -4, 1], [0, 1, 0]],
  corner: [[2, 1, 0], [1, 0, -1], [0, -1, -2]],
});
/** A blur of weights 1, 2, 1 on both axes. */
export const BLUR = KERNELS.gauss.map((row) => row.map((v) => v / 16));

export const fields = {
  layer: choice("Layer", {
    conv: "convolution",
    stride: "strided convolution",
    max: "max pooling",
    avg: "average pooling",
    blur: "blur pooling",
    stack: "small stack",
    network: "whole network",
  }),
  picture: choice("Picture", { noise: "noise, 0 to 9", arrow: "arrow", digit: "handwritten digit", camera: "photograph", own: "your own" }),
  dy: integer("Down", -FARTHEST, FARTHEST),
  dx: integer("Right", -FARTHEST, FARTHEST),
  move: choice("Moves over", { torus: "a torus", border: "a border" }, "Round the torus nothing is lost; over a border zeros come in."),
  kernel: matrix("Kernel", 5, 5),
  padding: choice("Padding", { zeros: "'same', zeros", circular: "'same', circular" }),
  stride: integer("Stride", 2, 4),
  window: integer("Window", 2, 4),
  region: choice("Compared", { everywhere: "everywhere", inside: "away from the border" }),
  map: integer("Map", 0, 39),
};

export const example = {
  layer: "conv",
  picture: "noise",
  dy: 0,
  dx: 5,
  move: "torus",
  kernel: KERNELS["sobel-x"],
  padding: "zeros",
  stride: 2,
  window: 2,
  region: "everywhere",
  map: 0,
};

/** Settings worth a look. @type {Record<string, Record<string, any>>} */
export const PRESETS = {
  "Shift by 5, zeros at the border": { ...example },
  "Shift by 5, circular": { ...example, padding: "circular" },
  "Stride 2, shift by 1": { ...example, layer: "stride", picture: "arrow", padding: "circular", dx: 1 },
  "Stride 2, shift by 2": { ...example, layer: "stride", picture: "arrow", padding: "circular", dx: 2 },
  "Max pooling, shift by 1": { ...example, layer: "max", picture: "digit", padding: "circular", dx: 1 },
  "Blur pooling, shift by 1": { ...example, layer: "blur", picture: "digit", padding: "circular", dx: 1 },
  "A stack over a border": { ...example, layer: "stack", picture: "digit", move: "border", dx: 2, dy: 2, region: "inside" },
  "A trained network": { ...example, layer: "network", picture: "digit", move: "border", dx: 1, region: "inside" },
};

/** What a state's layer does, step by step. @param {Record<string, any>} state @returns {Step[]} */
export function stepsOf(state) {
  const { layer, kernel, stride, window } = state;
  const border = /** @type {Border} */ (state.padding);
  const conv = (/** @type {number} */ by) => /** @type {Step} */ ({ kind: "conv", kernel, stride: by, before: Math.floor((kernel.length - 1) / 2), after: Math.floor(kernel.length / 2), border });
  const pool = (/** @type {"max" | "avg"} */ kind, /** @type {number} */ by) => /** @type {Step} */ ({ kind, window, stride: by, before: 0, after: 0, border });
  const relu = /** @type {Step} */ ({ kind: "relu", stride: 1, before: 0, after: 0, border });
  if (layer === "conv") return [conv(1)];
  if (layer === "stride") return [conv(stride)];
  if (layer === "max" || layer === "avg") return [pool(layer, stride)];
  if (layer === "stack") return [conv(1), relu, pool("max", 2), conv(1), relu];
  // The pooling moves by one; a blur takes the stride.
  const dense = { ...pool("max", 1), after: border === "circular" ? window - 1 : 0 };
  const blur = /** @type {Step} */ ({ kind: "conv", kernel: BLUR, stride, before: 1, after: 1, border: border === "circular" ? "circular" : "reflect" });
  return [dense, blur];
}

/** A square kernel, so that both axes have one padding. @param {Record<string, any>} state */
export function fit(state) {
  const isSquare = state.kernel.length === state.kernel[0].length;
  return isSquare ? state : { ...state, kernel: example.kernel };
}

/** What to call it, and what it has. @type {Record<string, string>} */
export const WORDS = {
  conv: "Convolution is equivariant: its output moves along with its input. Padding with zeros breaks this at the border alone; circular padding on a torus breaks it nowhere.",
  stride: "A stride keeps every second, third or fourth output, counted from the border: only multiples of the stride move the output by whole positions.",
  max: "Max pooling is locally, approximately invariant: small shifts change few outputs. It is equivariant only for multiples of its stride.",
  avg: "Average pooling is locally, approximately invariant, smoother than max pooling, and equivariant only for multiples of its stride.",
  blur: "Blur pooling: the pooling moves by one and a blur takes the stride. What is left of the difference is smaller; it is not gone.",
  stack: "Convolutions with a pooling between them: the total stride counts, and the border reaches further with each layer.",
  network: "Maps are compared where neither padding nor the border has a part. A prediction that stays the same is no invariant network.",
};
