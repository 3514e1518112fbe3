// @ts-check
/** The state of Lab: its fields, the worked example, and settings worth a look. */

import { cell, choice, flag, real, value } from "faltung/fields";

export const LARGEST_KERNEL = 15;

/** By name, in words; `own` is a file of somebody's, which no link carries. */
export const PICTURES = /** @type {Record<string, string>} */ ({
  camera: "photograph, grey",
  cat: "photograph, colour",
  squares1: "squares of 1 pixel",
  squares2: "squares of 2 pixels",
  digit: "handwritten digit",
  text: "text",
  noise: "noise",
  hidden: "scene with hidden eyes",
  page: "page of digits",
  own: "your own",
});

export const fields = {
  task: choice("Task", { filter: "Filter", find: "Find a template", detect: "Detect digits" }),
  picture: choice("Picture", PICTURES),
  kernels: value("Kernel", (given) => (areKernels(given) ? given : undefined)),
  cell: cell("Entry", 3),
  border: choice("Border", {
    zeros: "zeros",
    reflect: "reflected",
    replicate: "last pixel again",
    circular: "the other side",
    symmetric: "reflected with edge",
  }),
  size: choice("Output", { same: "same size", valid: "valid: inside only" }),
  flip: flag("Flip the kernel", "Flipped, it is a convolution; otherwise a cross-correlation."),
  absolute: flag("Absolute value"),
  scale: real("Scale", -8, 8, 0.05, "The output is multiplied by it."),
  offset: real("Offset", -255, 255, 1, "And this is added."),
  look: choice("Shown as", { auto: "what fits", grey: "black to white", signed: "negative, zero, positive" }),
  pinned: cell("Pinned", 2),
  template: choice("Template", { cut: "cut from picture", eye: "the cat's eye", own: "your own" }),
  box: value("Cut", (given) => (isBox(given) ? given : undefined)),
  threshold: real("Threshold", 0.05, 1, 0.01, "The least correlation of a place that counts."),
  min_visible: real("Visible", 0.5, 1, 0.05, "The least share of the template inside the picture."),
  certain: real("Probability", 0.05, 1, 0.001, "The least probability of a digit that counts."),
  digit: value("Map of", (given) => (Number.isInteger(given) && given >= 0 && given < 10 ? given : undefined)),
};

export const example = {
  task: "filter",
  picture: "camera",
  kernels: [[[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]],
  cell: [0, 1, 2],
  border: "zeros",
  size: "same",
  flip: false,
  absolute: false,
  scale: 1,
  offset: 0,
  look: "auto",
  pinned: null,
  template: "cut",
  box: [4, 10, 7, 5],
  threshold: 0.75,
  min_visible: 0.5,
  certain: 0.999,
  digit: 2,
};

const SOBEL = [example.kernels[0], [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]];
const BOX = Array.from({ length: 5 }, () => Array.from({ length: 5 }, () => 1 / 25));

/** Settings worth a look: the fields that they set. @type {Record<string, Record<string, any>>} */
export const PRESETS = {
  "Upright edges of a photograph": { task: "filter", picture: "camera", kernels: [SOBEL[0]] },
  "Edges in every direction": { task: "filter", picture: "camera", kernels: SOBEL },
  "Sobel on squares of 1 pixel": { task: "filter", picture: "squares1", kernels: [SOBEL[0]] },
  "Sobel on squares of 2 pixels": { task: "filter", picture: "squares2", kernels: [SOBEL[0]] },
  "Blur in colour": { task: "filter", picture: "cat", kernels: [BOX] },
  "An even kernel": { task: "filter", picture: "digit", kernels: [[[1, 1], [-1, -1]]] },
  "Where is the eye?": { task: "find", picture: "hidden", template: "eye", threshold: 0.75 },
  "Find the letter e": { task: "find", picture: "text", template: "cut", box: [4, 10, 7, 5], threshold: 0.95 },
  "Digits on a page": { task: "detect", picture: "page" },
};

/** What a preset leaves as the example has it. */
export const NEUTRAL = { flip: false, absolute: false, scale: 1, offset: 0, look: "auto", size: "same", border: "zeros", pinned: null };

/** Make the entry that the slider moves one that is there. @param {Record<string, any>} state */
export function fit(state) {
  const [which, row, column] = state.cell ?? example.cell;
  const kernel = state.kernels[which] ?? state.kernels[0];
  const inside = (/** @type {number} */ at, /** @type {number} */ size) => Math.min(size - 1, Math.max(0, at));
  return { ...state, cell: [state.kernels[which] ? which : 0, inside(row, kernel.length), inside(column, kernel[0].length)] };
}

/** A kernel of another size with the same middle. @param {number[][]} kernel @param {number} rows @param {number} cols */
export function resizedKernel(kernel, rows, cols) {
  const [dy, dx] = [Math.floor(kernel.length / 2) - Math.floor(rows / 2), Math.floor(kernel[0].length / 2) - Math.floor(cols / 2)];
  return Array.from({ length: rows }, (_, y) => Array.from({ length: cols }, (_, x) => kernel[y + dy]?.[x + dx] ?? 0));
}

/** @param {any} given */
function areKernels(given) {
  return Array.isArray(given) && (given.length === 1 || given.length === 2) && given.every(isKernel) && isAlike(given);
}

/** @param {any} given */
function isKernel(given) {
  const isSize = (/** @type {any} */ list) => Array.isArray(list) && list.length >= 1 && list.length <= LARGEST_KERNEL;
  return isSize(given) && given.every((/** @type {any} */ row) => isSize(row) && row.length === given[0].length && row.every(isEntry));
}

/** @param {any} v */
function isEntry(v) {
  return typeof v === "number" && Math.abs(v) <= 1e6;
}

/** Both kernels of a pair have one size, so that their windows are one. @param {number[][][]} kernels */
function isAlike(kernels) {
  return kernels.every((kernel) => kernel.length === kernels[0].length && kernel[0].length === kernels[0][0].length);
}

/** @param {any} given */
function isBox(given) {
  return (
    Array.isArray(given) &&
    given.length === 4 &&
    given.every((n, i) => Number.isInteger(n) && n >= (i < 2 ? 0 : 1) && n <= (i < 2 ? 4096 : 96))
  );
}
