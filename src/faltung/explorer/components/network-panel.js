// @ts-check
/**
 * The panel of Network: which model, which digit, which cell; and a run to follow.
 *
 * @import { LayerRecord } from "faltung/network-run"
 * @import { Store } from "faltung/store"
 */

import { button, controls, fileButton } from "faltung/controls";
import { el, freshId } from "faltung/dom";
import { fields } from "faltung/network-state";

/** Networks of the zoo that are quickly made; their weights are fresh. */
const ZOO = ["small", "zero-one", "lenet", "resnet", "lenet5", "resnet20", "mobilenet-v2"];

/**
 * @param {Store} store @param {boolean} canAsk
 * @param {object} acts
 * @param {(file: File) => void} acts.upload
 * @param {() => void} acts.train
 * @param {() => void} acts.stop
 * @param {() => void} acts.clear
 */
export function panel(store, canAsk, acts) {
  const digits = controls(store, fields, ["drawn", "centred"], "Digit");
  const more = button("Other digits", () => store.set({ seed: (store.state.seed % 2 ** 31) + 1, drawn: false }));
  more.hidden = !canAsk;
  digits.append(el("div", { class: "ft-buttons" }, button("Clear the pad", acts.clear), more));
  const cell = el("fieldset", { class: "ft-controls" }, el("legend", {}, "What is looked at"), layerList(store), count(store, "map"), count(store, "from"));
  if (!canAsk) return { parts: [digits, cell], train: button("Train", acts.train), stop: button("Stop", acts.stop), last: cell };
  const train = button("Train", acts.train);
  const stop = button("Stop", acts.stop);
  const run = controls(store, fields, ["train", "epochs", "lr"], "Train one and look on");
  run.append(el("div", { class: "ft-buttons" }, train, stop));
  return { parts: [models(store, acts.upload), digits, cell, run], train, stop, last: cell };
}

/** The layers by name; `network` says which there are. @param {Store} store */
function layerList(store) {
  const id = freshId("layer");
  const list = el("select", { id, class: "ft-layers" });
  list.addEventListener("change", () => store.set({ layer: Number(list.value), map: 0, pinned: null }));
  return el("div", { class: "ft-control" }, el("label", { for: id }, fields.layer.label), list);
}

/** Show which layers there are, and which is looked at. @param {HTMLElement} root
 * @param {LayerRecord[]} layers @param {number} chosen */
export function showLayers(root, layers, chosen) {
  const list = /** @type {HTMLSelectElement} */ (root.querySelector(".ft-layers"));
  const names = layers.map(({ name }) => name).join();
  if (list.dataset.layers !== names) {
    list.replaceChildren(...layers.slice(1).map(({ name, words }, i) => el("option", { value: String(i + 1) }, `${name}: ${words}`)));
    list.dataset.layers = names;
  }
  list.value = String(chosen);
}

/** A number box alone: how far it goes depends on the network. @param {Store} store
 * @param {"map" | "from"} name */
function count(store, name) {
  const { label, min, max, hint } = fields[name];
  const id = freshId(name);
  const box = el("input", { type: "number", id, min: String(min), max: String(max), step: "1" });
  box.addEventListener("change", () => {
    if (box.value !== "") store.set({ [name]: Number(box.value), pinned: null });
    box.value = String(store.state[name]);
  });
  store.subscribe((state) => {
    box.value = String(state[name]);
  });
  const row = el("div", { class: "ft-control ft-number" }, el("label", { for: id }, label), box);
  if (hint) row.title = hint;
  return row;
}

/** @param {Store} store @param {(file: File) => void} upload */
function models(store, upload) {
  const id = freshId("model");
  const zoo = ZOO.map((name) => el("option", { value: `zoo:${name}` }, `${name}, untrained`));
  const own = el("option", { value: "own", hidden: true }, "");
  const live = el("option", { value: "live", hidden: true }, "the run below");
  const list = el("select", { id }, el("option", { value: "" }, "small, a recorded run"), ...zoo, live, own);
  list.addEventListener("change", () => store.set({ model: list.value, label: "", snapshot: 99, pinned: null }));
  store.subscribe(({ model, label }) => {
    const isListed = model === "" || model === "live" || zoo.some((option) => option.value === model);
    own.textContent = label || "a file";
    own.hidden = isListed;
    live.hidden = model !== "live";
    list.value = isListed ? model : "own";
  });
  return el(
    "fieldset",
    { class: "ft-controls" },
    el("legend", {}, "Network"),
    el("div", { class: "ft-control" }, el("label", { for: id }, "Model"), list),
    controls(store, fields, ["unit"]),
    el("div", { class: "ft-buttons" }, fileButton("Open an ONNX file", ".onnx", upload)),
  );
}
