// @ts-check
/**
 * What Slide is set up with: sizes, steps, padding, channels, known kernels.
 *
 * @import { Store } from "faltung/store"
 */

import { button, controls } from "faltung/controls";
import { el } from "faltung/dom";
import { fields, KERNELS } from "faltung/slide-state";

/** @param {Store} store @returns {HTMLElement[]} */
export function panel(store) {
  const kernels = el(
    "select",
    { "aria-label": "A known kernel" },
    el("option", { value: "" }, "a known kernel …"),
    ...Object.keys(KERNELS).map((name) => el("option", { value: name }, name)),
  );
  kernels.addEventListener("change", () => {
    const kernel = KERNELS[kernels.value];
    if (kernel) store.set({ axes: "2", kernel_height: 3, kernel_width: 3, w: store.state.w.map((/** @type {any[]} */ j) => j.map(() => kernel)) });
    kernels.value = "";
  });
  const draw = button("Random input", () => store.set({ x: store.state.x.map((/** @type {number[][]} */ rows) => rows.map((row) => row.map(() => Math.floor(Math.random() * 10)))) }));
  const sizes = controls(store, fields, ["axes", "height", "width", "kernel_height", "kernel_width"], "Sizes");
  const pads = controls(store, fields, ["padding", "top", "bottom", "left", "right"], "Padding");
  const steps = el("fieldset", { class: "ft-controls" }, el("legend", {}, "Steps"), ...pairs(store));
  const channels = controls(store, fields, ["in_channels", "out_channels", "groups"], "Channels");
  const kinds = controls(store, fields, ["flip", "transposed"], "Kind");
  store.subscribe((state) => {
    for (const row of sizes.querySelectorAll("[data-field='height'], [data-field='kernel_height']")) {
      /** @type {HTMLElement} */ (row).hidden = state.axes === "1";
    }
    for (const row of pads.querySelectorAll("[data-field]:not([data-field='padding'])")) {
      const isRow = ["top", "bottom"].includes(/** @type {HTMLElement} */ (row).dataset.field ?? "");
      /** @type {HTMLElement} */ (row).hidden = state.padding !== "each" || (isRow && state.axes === "1");
    }
  });
  return [sizes, steps, pads, channels, kinds, el("div", { class: "ft-buttons" }, kernels, draw)];
}

/** Stride and dilation, each for rows and columns. @param {Store} store */
function pairs(store) {
  return ["stride", "dilation"].map((name) => {
    const max = name === "stride" ? 5 : 4;
    const boxes = ["rows", "columns"].map((axis, i) => {
      const box = el("input", { type: "number", min: "1", max: String(max), "aria-label": `${name} over ${axis}` });
      box.addEventListener("change", () => {
        const both = [...store.state[name]];
        both[i] = Math.min(max, Math.max(1, Math.round(Number(box.value) || 1)));
        store.set({ [name]: both });
      });
      store.subscribe((state) => {
        box.value = String(state[name][i]);
        box.hidden = i === 0 && state.axes === "1";
      });
      return box;
    });
    const label = name === "stride" ? "Stride" : "Dilation";
    const row = el("div", { class: "ft-control ft-pair" }, el("span", {}, label), ...boxes);
    row.dataset.field = name;
    return row;
  });
}
