// @ts-check
/**
 * The panel of Network: which model, which digit, which cell; and a run to follow.
 *
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
  const cell = controls(store, fields, ["layer", "map", "from"], "What is looked at");
  if (!canAsk) return { parts: [digits, cell], train: button("Train", acts.train), stop: button("Stop", acts.stop), last: cell };
  const train = button("Train", acts.train);
  const stop = button("Stop", acts.stop);
  const run = controls(store, fields, ["train", "epochs", "lr"], "Train one and look on");
  run.append(el("div", { class: "ft-buttons" }, train, stop));
  return { parts: [models(store, acts.upload), digits, cell, run], train, stop, last: cell };
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
