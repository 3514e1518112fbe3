// @ts-check
/**
 * The controls of Connect, and the table that counts all four layers.
 *
 * @import { Corner } from "faltung/connect-counts"
 * @import { State, Store } from "faltung/store"
 */

import { CORNERS, counts, violation } from "faltung/connect-counts";
import { fields, LARGEST, LONGEST, shapeOf } from "faltung/connect-state";
import { button, controls } from "faltung/controls";
import { el } from "faltung/dom";
import { whole } from "faltung/numbers";

/** @param {State} state @param {Corner} corner */
export function countsOf(state, corner) {
  const shape = shapeOf(state, corner);
  return violation(shape) ? null : counts(shape);
}

/** The four layers and their counts; a button for each. @param {(corner: Corner) => void} onChoose */
export function cornerTable(onChoose) {
  const heads = ["layer", "parameters", "connections", "with padding"];
  const rows = CORNERS.map((corner) => {
    const choose = el("button", { type: "button", class: "ft-quiet", "aria-pressed": "false", onClick: () => onChoose(corner) }, corner);
    const cells = heads.slice(1).map(() => el("td"));
    return { corner, choose, cells, row: el("tr", {}, el("th", { scope: "row" }, choose), ...cells) };
  });
  const head = el("thead", {}, el("tr", {}, ...heads.map((name) => el("th", { scope: "col" }, name))));
  const table = el("table", { class: "ft-table ft-counts" }, head, el("tbody", {}, ...rows.map(({ row }) => row)));
  return {
    element: el("div", { class: "ft-wide", tabIndex: 0, role: "region", "aria-label": "Parameters and connections" }, table),
    show(/** @type {State} */ state) {
      for (const { corner, choose, cells, row } of rows) {
        const found = countsOf(state, corner);
        choose.setAttribute("aria-pressed", String(corner === state.corner));
        row.classList.toggle("ft-chosen", corner === state.corner);
        for (const [i, v] of [found?.parameters, found?.connections, found?.padded].entries()) cells[i].textContent = v === undefined ? "–" : whole(v);
      }
    },
  };
}

/** @param {Store} store @returns {HTMLElement[]} */
export function panel(store) {
  const kinds = controls(store, fields, ["corner", "axes"], "Layer");
  const sizes = controls(store, fields, ["height", "width"], "Size");
  const window = controls(store, fields, ["top", "bottom", "left", "right"], "Window that locality keeps");
  const dense = controls(store, fields, ["same_size", "outputs"], "Outputs");
  const values = controls(store, fields, ["padding", "seed"], "Shown");
  const random = button("Other values", () => store.set({ seed: Math.floor(Math.random() * 1000), x: {}, w: {} }));
  store.subscribe((state) => {
    const isLine = state.axes === "1";
    hide(sizes, "height", isLine);
    for (const name of ["top", "bottom"]) hide(window, name, isLine);
    for (const [name, text] of [["left", isLine ? "From offset" : "Columns from"], ["right", isLine ? "To offset" : "Columns to"]]) {
      const label = row(window, name)?.querySelector("label");
      if (label) label.textContent = text;
    }
    for (const box of row(sizes, "width")?.querySelectorAll("input") ?? []) box.max = String(isLine ? LONGEST : LARGEST);
    dense.hidden = state.corner !== "dense";
    hide(dense, "outputs", state.same_size);
    hide(values, "padding", state.corner === "dense");
  });
  return [kinds, sizes, window, dense, values, el("div", { class: "ft-buttons" }, random)];
}

/** @param {HTMLElement} group @param {string} name @returns {HTMLElement | null} */
function row(group, name) {
  return group.querySelector(`[data-field="${name}"]`);
}

/** @param {HTMLElement} group @param {string} name @param {boolean} isHidden */
function hide(group, name, isHidden) {
  const found = row(group, name);
  if (found) found.hidden = isHidden;
}
