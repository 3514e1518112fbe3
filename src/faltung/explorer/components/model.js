// @ts-check
/**
 * Model: what is in a file, what it costs, and where it stops being local or equivariant.
 *
 * @import { Frame } from "faltung/frame"
 * @import { Store } from "faltung/store"
 * @import { Host, View } from "faltung/view"
 */

import { button, fileButton } from "faltung/controls";
import { el } from "faltung/dom";
import { value, words } from "faltung/fields";
import { ModelGraph } from "faltung/model-graph";
import { number, percent, whole } from "faltung/numbers";
import { report } from "faltung/report";

const fields = {
  zoo: words("Network of the zoo", 40),
  layer: value("Layer", (given) => (given === null || Number.isInteger(given) ? given : undefined)),
};

/** @type {View} */
export const model = {
  name: "model",
  title: "Model",
  question: "What is in this file, what does it cost, where does it stop being local or equivariant?",
  fields,
  example: { zoo: "", layer: null },
  mount: (frame, store, host) => new Model(frame, store, host).shown(),
};

class Model {
  /** @param {Frame} frame @param {Store} store @param {Host} host */
  constructor(frame, store, host) {
    this.frame = frame;
    this.store = store;
    this.host = host;
    this.data = host.data.report;
    /** What Python is asked with: nothing for what came with the page. @type {Record<string, string>} */
    this.source = host.data.source ?? {};
    this.opened = "";
    this.graph = new ModelGraph((index) => this.#pick(index));
    this.facts = el("dl", { class: "ft-facts" });
    this.table = el("tbody");
    this.detail = el("div", { class: "ft-detail" });
    this.sentences = el("div");
    this.audit = el("div");
    const head = el("tr", {}, ...HEADER.map((name) => el("th", {}, name)));
    const rows = el("table", { class: "ft-table ft-rows" }, el("thead", {}, head), this.table);
    frame.stage.append(
      this.facts,
      el("div", { class: "ft-split" }, this.graph.element, el("div", { class: "ft-wide ft-tall", tabIndex: 0, role: "region", "aria-label": "Layers" }, rows)),
      this.detail,
      this.sentences,
      this.audit,
    );
    this.#controls();
    /** Layers that were measured to break equivariance, and by what. @type {Map<string, string>} */
    this.culprits = new Map();
    this.#show(this.data, host.data.audit);
    this.stop = store.subscribe((state) => this.#change(state));
  }

  shown() {
    return {
      figures: () => ({ ...this.data, picked: this.store.state.layer, marks: Object.fromEntries(this.#marks()) }),
      onKey: (/** @type {KeyboardEvent} */ event) => this.#key(event),
      dispose: this.stop,
    };
  }

  #controls() {
    const { frame, host } = this;
    if (!host.canAsk) {
      frame.panel.append(el("p", {}, "A saved page shows one model. For your own: faltung explore model --model FILE.onnx"));
      return;
    }
    const zoo = el("select", { "aria-label": "Network of the zoo" }, el("option", { value: "" }, "a known network …"), ...host.data.zoo.map((/** @type {string} */ name) => el("option", { value: name }, name)));
    zoo.addEventListener("change", () => {
      if (zoo.value) this.store.set({ zoo: zoo.value, layer: null });
      zoo.value = "";
    });
    frame.panel.append(
      el("div", { class: "ft-buttons" }, fileButton("Open an ONNX file", ".onnx", (file) => this.#open(file)), zoo),
      el("p", {}, "or drop a file anywhere here"),
      el("div", { class: "ft-buttons" }, button("Audit equivariance", () => this.#ask("audited")), button("Verify by brute force", () => this.#ask("verified"))),
    );
    frame.element.addEventListener("dragover", (event) => event.preventDefault());
    frame.element.addEventListener("drop", (event) => {
      event.preventDefault();
      const file = event.dataTransfer?.files[0];
      if (file) this.#open(file);
    });
  }

  /** @param {File} file */
  async #open(file) {
    const source = await this.frame.busy(this.host.upload(file, file.name).then((name) => ({ file: name, label: file.name })));
    if (source && (await this.#inspect(source))) this.store.set({ zoo: "", layer: null });
  }

  /** @param {Record<string, string>} source */
  async #inspect(source) {
    const found = await this.frame.busy(this.host.ask("model.inspected", source));
    if (!found) return false;
    this.source = source;
    this.#show(found, null);
    return true;
  }

  /** @param {"audited" | "verified"} question */
  async #ask(question) {
    const source = Object.keys(this.source).length ? this.source : { zoo: this.data.name };
    const answer = await this.frame.busy(this.host.ask(`model.${question}`, source));
    if (!answer) return;
    if (question === "audited") this.#audited(answer);
    else this.audit.replaceChildren(el("h3", {}, TITLES[question]), report(answer.blocks));
    this.audit.scrollIntoView({ block: "nearest" });
  }

  /** @param {Record<string, any>} state */
  #change(state) {
    if (state.zoo && state.zoo !== this.opened && this.host.canAsk) this.#inspect({ zoo: state.zoo });
    this.opened = state.zoo;
    this.#pickShown(state.layer);
  }

  /** @param {{ blocks: any[], culprits: [string, string][] } | null} audit */
  #audited(audit) {
    this.culprits = new Map((audit?.culprits ?? []).map(([name, by]) => [name, `breaks equivariance: ${by}`]));
    this.audit.replaceChildren(...(audit ? [el("h3", {}, TITLES.audited), report(audit.blocks)] : []));
    this.graph.show(this.data.layers, this.#marks());
    this.#pickShown(this.store.state.layer);
  }

  /** What is to be said of layers, by name. */
  #marks() {
    const marks = new Map(this.culprits);
    for (const [name, why] of marksOf(this.data)) marks.set(name, [marks.get(name), why].filter(Boolean).join("; "));
    return marks;
  }

  /** @param {any} data @param {any} audit */
  #show(data, audit) {
    this.data = data;
    const { totals, peak_memory: peak } = data;
    const least = totals.at_least ? "at least " : "";
    const inputs = data.inputs.map((/** @type {any} */ v) => `${v.name}: ${v.shape.join("×")}`).join(", ");
    this.facts.replaceChildren(
      ...fact("model", data.name),
      ...fact("input", inputs),
      ...fact("layers", whole(data.layers.length)),
      ...fact("parameters", least + whole(totals.params)),
      ...fact("MACs", least + whole(totals.macs)),
      ...fact("memory at once", `${least}${whole(peak.bytes)} bytes${peak.layer ? `, at ${peak.layer}` : ""}`),
    );
    this.table.replaceChildren(...data.layers.map((/** @type {any} */ layer, /** @type {number} */ i) => this.#row(layer, i)));
    this.sentences.replaceChildren(el("h3", {}, "In words"), report(data.blocks));
    this.#audited(audit);
    const call = this.source.file ? `faltung.inspect("${this.source.label}")` : `faltung.inspect("${data.name}")`;
    this.frame.setCode(`report = ${call}`, `import faltung\n\nreport = ${call}\nprint(report)\n`);
  }

  /** @param {any} layer @param {number} index */
  #row(layer, index) {
    const size = layer.out_shape ? layer.out_shape.slice(1).join("×") : "?";
    const texts = [layer.operator, size, count(layer.params), count(layer.macs), sees(layer)];
    const name = el("button", { type: "button", class: "ft-plain", onClick: () => this.#pick(index) }, layer.name);
    return el("tr", { "aria-selected": "false" }, el("td", {}, name), ...texts.map((text) => el("td", {}, text)));
  }

  /** @param {number} index */
  #pick(index) {
    this.store.set({ layer: this.store.state.layer === index ? null : index });
  }

  /** @param {number | null} index */
  #pickShown(index) {
    const layer = index === null ? undefined : this.data.layers[index];
    for (const [i, row] of [...this.table.children].entries()) row.setAttribute("aria-selected", String(i === index));
    this.graph.pick(layer ? index : null);
    this.detail.replaceChildren(...(layer ? [detail(layer)] : []));
    const mark = layer && this.#marks().get(layer.name);
    this.frame.setFormula(layer ? `${layer.name} (${layer.operator})${mark ? `: ${mark}` : ""}` : "Pick a layer: in the graph, or in the table.");
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const steps = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowUp: -1, ".": 1, ",": -1 });
    const { layer } = this.store.state;
    if (event.key === "Escape") this.store.set({ layer: null });
    else if (event.key in steps) {
      const last = this.data.layers.length - 1;
      this.store.set({ layer: Math.min(last, Math.max(0, (layer ?? -1) + steps[event.key])) });
    } else return false;
    return true;
  }
}

const HEADER = ["layer", "operator", "output", "params", "MACs", "sees"];
const TITLES = { audited: "What is left of equivariance", verified: "Counted again, by brute force" };

/** What stops being local, or is not known, by layer. @param {any} data @returns {Map<string, string>} */
export function marksOf(data) {
  /** @type {Map<string, string>} */
  const marks = new Map();
  for (const place of Object.values(data.locality)) {
    for (const { node, reason } of /** @type {any} */ (place).global_operators ?? []) marks.set(node, `sees everything: ${reason}`);
    for (const { node, aligned, difference } of /** @type {any} */ (place).merges ?? []) {
      if (!aligned) marks.set(node, `branches do not align: ${difference}`);
    }
  }
  for (const layer of data.layers) if (layer.unknown) marks.set(layer.name, `not known: ${layer.unknown}`);
  return marks;
}

/** @param {string} name @param {string} text */
function fact(name, text) {
  return [el("div", {}, el("dt", {}, name), el("dd", {}, text))];
}

/** @param {number | null} n */
function count(n) {
  return n === null ? "?" : n ? whole(n) : "";
}

/** @param {any} layer */
function sees(layer) {
  const axes = Object.values(layer.fields)[0];
  if (!Array.isArray(axes) || !axes.length) return "";
  return axes.map((axis) => (Number.isInteger(axis.size) ? axis.size : "all")).join("×");
}

/** Everything about one layer. @param {any} layer */
function detail(layer) {
  const facts = [
    ["connections", count(layer.connections)],
    ["of them off padding", count(layer.connections_inside)],
    ["activations", layer.activation_bytes === null ? "?" : `${whole(layer.activation_bytes)} bytes`],
    ["MACs a byte moved", layer.macs_per_byte === null ? "" : number(layer.macs_per_byte)],
    ["dense parameters", layer.dense_params === null ? "" : whole(layer.dense_params)],
    ...Object.entries(layer.fields).flatMap(([source, axes]) =>
      /** @type {any[]} */ (axes).map((axis, i) => [`sees of ${source}, axis ${i}`, seen(axis)]),
    ),
  ].filter(([, text]) => text);
  return el("dl", { class: "ft-facts" }, ...facts.flatMap(([name, text]) => fact(name, text)));
}

/** @param {any} axis */
function seen(axis) {
  if (!Number.isInteger(axis.size)) return "everything";
  const [lo, hi] = axis.interval ?? [axis.start, axis.start + axis.size];
  return `${axis.size} (${percent(axis.share)}), jump ${number(axis.jump)}, output 0: ${lo} to ${hi - 1}`;
}
