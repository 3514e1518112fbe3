// @ts-check
/**
 * The controls of Lab's kernel: the library, its size, one entry to drag.
 *
 * @import { State, Store } from "faltung/store"
 *
 * @typedef {{ name: string, kernels: number[][][] }[]} Library
 */

import { button, control } from "faltung/controls";
import { el, freshId } from "faltung/dom";
import { fields, LARGEST_KERNEL, resizedKernel } from "faltung/lab-state";

/** @param {Store} store @param {Library} library */
export function kernelControls(store, library) {
  const flip = control(store, "flip", fields.flip);
  return el("fieldset", { class: "ft-controls" }, el("legend", {}, "Kernel"), librarySelect(store, library), sizes(store), entry(store), flip, buttons(store));
}

/** Each library's kernels, written out once: they are looked up at each move of a slider.
 * @type {WeakMap<Library, Map<string, string>>} */
const WRITTEN = new WeakMap();

/** The library's name of the kernels that are shown, or "". @param {Library} library @param {State} state */
export function nameOf(library, state) {
  const names = WRITTEN.get(library) ?? new Map(library.map(({ name, kernels }) => [JSON.stringify(kernels), name]));
  WRITTEN.set(library, names);
  return names.get(JSON.stringify(state.kernels)) ?? "";
}

/** Change one entry. @param {Store} store @param {[number, number, number]} cell @param {number} given @param {boolean} isDrag */
export function editEntry(store, [which, row, column], given, isDrag) {
  const kernels = structuredClone(store.state.kernels);
  kernels[which][row][column] = given;
  store.set({ kernels, cell: [which, row, column] }, isDrag);
}

/** @param {Store} store @param {Library} library */
function librarySelect(store, library) {
  const id = freshId("library");
  const options = library.map(({ name, kernels }) => el("option", { value: name }, kernels.length > 1 ? `${name} (pair)` : name));
  const list = el("select", { id }, el("option", { value: "" }, "your own"), ...options);
  list.addEventListener("change", () => {
    const found = library.find(({ name }) => name === list.value);
    if (found) store.set({ kernels: found.kernels });
    list.value = nameOf(library, store.state);
  });
  store.subscribe((state) => {
    list.value = nameOf(library, state);
  });
  const row = el("div", { class: "ft-control" }, el("label", { for: id }, "Library"), list);
  row.dataset.field = "library";
  return row;
}

/** @param {Store} store */
function sizes(store) {
  const boxes = ["Rows", "Columns"].map((label, axis) => {
    const box = el("input", { type: "number", min: "1", max: String(LARGEST_KERNEL), "aria-label": `${label} of the kernel` });
    box.addEventListener("change", () => {
      const given = Math.min(LARGEST_KERNEL, Math.max(1, Math.round(Number(box.value) || 1)));
      const resized = (/** @type {number[][]} */ k) => (axis === 0 ? resizedKernel(k, given, k[0].length) : resizedKernel(k, k.length, given));
      store.set({ kernels: store.state.kernels.map(resized) });
      box.value = String(given);
    });
    store.subscribe(({ kernels }) => {
      box.value = String(axis === 0 ? kernels[0].length : kernels[0][0].length);
    });
    return box;
  });
  const row = el("div", { class: "ft-control ft-pair" }, el("span", {}, "Rows, columns"), ...boxes);
  row.dataset.field = "kernel-size";
  return row;
}

/** The entry that was clicked, to drag. @param {Store} store */
function entry(store) {
  const id = freshId("entry");
  const slider = el("input", { type: "range", id, step: "0.01" });
  const box = el("input", { type: "number", step: "any", "aria-label": "Entry, as a number" });
  const label = el("label", { for: id });
  slider.addEventListener("input", () => editEntry(store, store.state.cell, Number(slider.value), true));
  box.addEventListener("change", () => {
    if (box.value !== "" && Number.isFinite(Number(box.value))) editEntry(store, store.state.cell, Number(box.value), false);
  });
  store.subscribe(({ kernels, cell }) => {
    const [which, row, column] = cell;
    const given = kernels[which][row][column];
    if (document.activeElement !== slider) {
      const most = Math.max(2, 2 * Math.abs(given));
      Object.assign(slider, { min: String(-most), max: String(most) });
    }
    slider.value = String(given);
    if (document.activeElement !== box) box.value = String(Number(given.toPrecision(6)));
    label.textContent = `Entry ${kernels.length > 1 ? `${"ab"[which]} ` : ""}(${row}, ${column})`;
  });
  const made = el("div", { class: "ft-control", title: "Click an entry of the kernel, then drag its value." }, label, slider, box);
  made.dataset.field = "entry";
  return made;
}

/** @param {Store} store */
function buttons(store) {
  const each = (/** @type {(k: number[][]) => number[][]} */ change) => () => store.set({ kernels: store.state.kernels.map(change) });
  const toOne = (/** @type {number[][]} */ k) => {
    const sum = k.flat().reduce((total, v) => total + v, 0);
    return Math.abs(sum) < 1e-9 ? k : k.map((row) => row.map((v) => v / sum));
  };
  return el(
    "div",
    { class: "ft-buttons" },
    button("Sum to 1", each(toOne)),
    button("Negative", each((k) => k.map((row) => row.map((v) => 0 - v)))),
    button("Turn", each((k) => k[0].map((_, x) => k.map((row) => row[x])).reverse())),
  );
}
