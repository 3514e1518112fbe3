// @ts-check
/**
 * The controls of Field: the input's size, known stacks, the layer that is selected, files.
 *
 * @import { Layer } from "faltung/field-stack"
 * @import { State, Store } from "faltung/store"
 * @import { Host } from "faltung/view"
 */

import { button, control, controls, fileButton } from "faltung/controls";
import { el } from "faltung/dom";
import { fields, layerFields, MOST_LAYERS, PLAIN, PRESETS } from "faltung/field-state";

/**
 * @param {Store} store @param {Host} host
 * @param {{ open: (file: File) => void, measure: () => void }} acts
 * @returns {HTMLElement[]}
 */
export function panel(store, host, acts) {
  const size = controls(store, fields, ["height", "width"], "Input");
  const stack = [presets(store), size, editor(store)];
  const shown = controls(store, fields, ["paths"], "Effective field");
  const measure = button("Measure it by gradients", acts.measure);
  measure.title = "The mean squared gradient over random images, in Python.";
  if (host.canAsk) shown.append(measure);
  store.subscribe(({ file }) => {
    for (const part of stack) part.hidden = Boolean(file);
    for (const part of shown.querySelectorAll("[data-field]")) /** @type {HTMLElement} */ (part).hidden = Boolean(file);
    shown.hidden = Boolean(file) && !host.canAsk;
    measure.hidden = !file;
  });
  return [networks(store, host, acts.open), ...stack, shown];
}

/** A network in place of the stack. @param {Store} store @param {Host} host @param {(file: File) => void} open */
function networks(store, host, open) {
  const names = host.canAsk ? (host.data?.zoo ?? []) : Object.keys(host.data?.recorded ?? {});
  const list = el("select", { "aria-label": "What is looked at" });
  const own = el("option", { value: "" }, "a stack of your own");
  const file = el("option", { value: "file", hidden: true });
  list.append(own, file, ...names.map((/** @type {string} */ name) => el("option", { value: `zoo ${name}` }, name)));
  list.addEventListener("change", () => {
    if (list.value === "file") return;
    const zoo = list.value.slice(4);
    store.set(zoo ? { file: { zoo }, selected: 1e6, pinned: null } : { file: null, pinned: null });
  });
  store.subscribe((state) => {
    const isOwn = state.file && "name" in state.file;
    file.hidden = !isOwn;
    file.textContent = isOwn ? state.file.label : "";
    list.value = state.file ? (isOwn ? "file" : `zoo ${state.file.zoo}`) : "";
  });
  const group = el("fieldset", { class: "ft-controls" }, el("legend", {}, "Network"), list);
  if (host.canAsk) group.append(fileButton("Open an ONNX file …", ".onnx", open));
  else group.append(el("p", { class: "ft-hint" }, "Files need Python: faltung explore field"));
  return group;
}

/** @param {Store} store */
function presets(store) {
  const list = el("select", { "aria-label": "A known stack" }, el("option", { value: "" }, "a known stack …"));
  list.append(...Object.keys(PRESETS).map((name) => el("option", { value: name }, name)));
  list.addEventListener("change", () => {
    const preset = PRESETS[list.value];
    if (preset) store.set({ height: preset.size, width: preset.size, layers: preset.layers, selected: preset.layers.length, pinned: null });
    list.value = "";
  });
  return el("div", { class: "ft-buttons" }, list);
}

/** The selected layer's settings, and what can be done with it. @param {Store} store */
function editor(store) {
  const inner = layerStore(store);
  const legend = el("legend");
  const rows = Object.entries(layerFields).map(([name, field]) => control(inner, name, field));
  const buttons = {
    add: button("Add a layer", () => add(store)),
    up: button("Earlier", () => move(store, -1), { sign: "↑ earlier" }),
    down: button("Later", () => move(store, 1), { sign: "↓ later" }),
    remove: button("Remove", () => remove(store), { sign: "× remove" }),
  };
  const bar = el("div", { class: "ft-buttons" }, ...Object.values(buttons));
  const group = el("fieldset", { class: "ft-controls" }, legend, ...rows, bar);
  store.subscribe((state) => {
    const at = state.file ? 0 : state.selected;
    const layer = state.layers[at - 1] ?? PLAIN;
    legend.textContent = at ? `Layer ${at} of ${state.layers.length}` : `The input; ${state.layers.length} layers`;
    for (const row of rows) row.hidden = !at || isHidden(row.dataset.field ?? "", layer);
    const stride = rows.find((row) => row.dataset.field === "stride")?.querySelector("label");
    if (stride) stride.textContent = layer.kind === "upsample" ? "Factor" : "Stride";
    buttons.add.disabled = state.layers.length >= MOST_LAYERS;
    buttons.up.disabled = at < 2;
    buttons.down.disabled = !at || at === state.layers.length;
    buttons.remove.disabled = !at;
  });
  return group;
}

/** @param {string} name @param {Layer} layer */
function isHidden(name, layer) {
  if (layer.kind === "upsample") return !["kind", "stride"].includes(name);
  return ["lo", "hi"].includes(name) && layer.padding !== "each";
}

/** The selected layer, as a store of its own for controls. @param {Store} store @returns {Store} */
function layerStore(store) {
  const now = (/** @type {State} */ state) => state.layers[state.selected - 1] ?? PLAIN;
  const inner = {
    get state() {
      return now(store.state);
    },
    set(/** @type {Partial<Layer>} */ patch) {
      const { layers, selected } = store.state;
      store.set({ layers: layers.map((/** @type {Layer} */ layer, /** @type {number} */ i) => (i === selected - 1 ? { ...layer, ...patch } : layer)) });
    },
    subscribe: (/** @type {(state: State) => void} */ listener) => store.subscribe((state) => listener(now(state))),
  };
  return /** @type {Store} */ (/** @type {unknown} */ (inner));
}

/** Another like the selected one, after it. @param {Store} store */
function add(store) {
  const { layers, selected } = store.state;
  const like = layers[selected - 1] ?? PLAIN;
  store.set({ layers: layers.toSpliced(selected, 0, { ...like }), selected: selected + 1, pinned: null });
}

/** @param {Store} store */
function remove(store) {
  const { layers, selected } = store.state;
  store.set({ layers: layers.toSpliced(selected - 1, 1), selected: Math.max(selected - 1, 0), pinned: null });
}

/** @param {Store} store @param {number} by */
function move(store, by) {
  const { layers, selected } = store.state;
  const moved = layers.toSpliced(selected - 1, 1).toSpliced(selected - 1 + by, 0, layers[selected - 1]);
  store.set({ layers: moved, selected: selected + by, pinned: null });
}
