// @ts-check
/**
 * Connect: which weights a neuron has, and whose they are too.
 *
 * @import { Corner, Edge, Shape } from "faltung/connect-counts"
 * @import { Part } from "faltung/connect-stage"
 * @import { State, Store } from "faltung/store"
 * @import { Shown, View } from "faltung/view"
 */

import { hue } from "faltung/colour";
import { CORNERS, edges, outputCount, place, violation } from "faltung/connect-counts";
import { cornerTable, countsOf, panel } from "faltung/connect-panel";
import { ConnectStage } from "faltung/connect-stage";
import { example, fields, fit, inputName, inputValue, pythonOf, shapeOf, weightValue } from "faltung/connect-state";
import { el, freshId } from "faltung/dom";
import { Frame } from "faltung/frame";
import { number, sumOf } from "faltung/numbers";
import { Player } from "faltung/player";

const MOST_SPELT = 12;
const WORDS = {
  dense: "A weight for each pair of an output and an input: nothing is shared.",
  shared: "One weight for each offset, the same at every place; it reaches everywhere.",
  local: "Only near inputs, but each output has weights of its own.",
  convolution: "Only near inputs, with the same weights at every place.",
};

/** @type {View} */
export const connect = {
  name: "connect",
  title: "Connect",
  question: "Which weights does this neuron have, and whose are they too?",
  fields,
  example,
  fit,
  mount: (frame, store) => new Connect(frame, store).shown(),
};

class Connect {
  /** @param {Frame} frame @param {Store} store */
  constructor(frame, store) {
    this.frame = frame;
    this.store = store;
    /** @type {Part | null} */
    this.hovered = null;
    /** @type {Edge[]} with those to padding */
    this.all = [];
    /** @type {Shape} */
    this.shape = shapeOf(store.state);
    this.refusal = "";
    /** @type {Part} the neuron whose weights are listed */
    this.base = ["output", 0];
    this.stage = new ConnectStage({ onHover: (part) => this.#hover(part), onPin: (part) => this.#pin(part) });
    this.chips = el("div", { class: "ft-chips", role: "group", "aria-label": "The weights of this neuron" });
    this.corners = cornerTable((corner) => store.set({ corner, pinned: null }));
    this.words = el("p", { class: "ft-why" });
    this.player = new Player({
      length: () => (this.refusal ? 0 : outputCount(this.shape)),
      position: () => this.#output(),
      go: (o) => {
        this.hovered = null;
        store.set({ pinned: ["output", o] });
      },
      label: "Output neuron",
    });
    frame.stage.append(el("div", { class: "ft-connect-stage" }, this.stage.element), this.chips, this.player.element, this.corners.element, this.words);
    frame.panel.append(...panel(store), this.#editor());
    this.stop = store.subscribe((state) => this.#change(state));
  }

  /** @returns {Shown} */
  shown() {
    return {
      figures: () => this.figures(),
      onKey: (event) => this.#key(event),
      dispose: () => {
        this.stop();
        this.player.dispose();
      },
    };
  }

  figures() {
    const active = this.#active();
    const lit = active ? this.#lit(active) : { own: [], tied: [] };
    const count = this.refusal ? 0 : outputCount(this.shape);
    return {
      counts: Object.fromEntries(CORNERS.map((corner) => [corner, countsOf(this.store.state, corner)])),
      edges: this.all.map(({ o, at, i, weight }) => [o, i, weight, ...at]),
      own: lit.own.map(({ o, i, weight }) => [o, i, weight]),
      tied: lit.tied.map(({ o, i, weight }) => [o, i, weight]),
      active,
      outputs: Array.from({ length: count }, (_, o) => this.#sum(o)),
      refusal: this.refusal,
      python: this.frame.full,
    };
  }

  // What is computed ----------------------------------------------------------------------------

  /** @param {State} state */
  #change(state) {
    this.shape = shapeOf(state);
    this.refusal = violation(this.shape);
    this.all = this.refusal ? [] : edges(this.shape, true);
    this.stage.element.classList.toggle("ft-none", Boolean(this.refusal));
    if (this.refusal) this.frame.setCode("");
    else {
      const inside = this.all.filter(({ i }) => i >= 0);
      this.stage.setShape(this.shape, inside, state.padding, (kind, index) => number(kind === "input" ? inputValue(state, this.shape, index) : this.#sum(index)));
      const { line, full } = pythonOf(state, inside);
      this.frame.setCode(line, full);
    }
    this.frame.setNote(this.refusal || clipped(this.shape));
    this.corners.show(state);
    this.words.textContent = WORDS[/** @type {Corner} */ (state.corner)];
    this.player.update();
    this.#draw();
  }

  /** @param {number} o */
  #sum(o) {
    const { state } = this.store;
    return this.all
      .filter((edge) => edge.o === o && edge.i >= 0)
      .reduce((sum, { i, name }) => sum + weightValue(state, name) * inputValue(state, this.shape, i), 0);
  }

  /** The output that the player stands at. */
  #output() {
    const { pinned } = this.store.state;
    const count = outputCount(this.shape);
    const o = pinned && pinned[0] !== "input" ? pinned[1] : Math.floor(count / 2);
    return Math.min(o, count - 1);
  }

  /** What is hovered, else pinned, else the middle output. @returns {Part | null} */
  #active() {
    if (this.refusal) return null;
    for (const part of [this.hovered, this.store.state.pinned]) if (part && this.#exists(part)) return part;
    return ["output", Math.floor(outputCount(this.shape) / 2)];
  }

  /** @param {Part} part */
  #exists(part) {
    if (part[0] === "output") return part[1] >= 0 && part[1] < outputCount(this.shape);
    if (part[0] === "input") return part[1] >= 0 && part[1] < this.shape.size[0] * this.shape.size[1];
    return this.#edge(part) !== undefined;
  }

  /** @param {Part} part */
  #edge(part) {
    const [, o, y, x] = part;
    return this.all.find((edge) => edge.o === o && edge.at[0] === y && edge.at[1] === x);
  }

  /** The connections of what is active, and those that share a weight with them. @param {Part} part */
  #lit(part) {
    const isOwn = (/** @type {Edge} */ edge) =>
      part[0] === "output" ? edge.o === part[1] : part[0] === "input" ? edge.i === part[1] : edge.o === part[1] && edge.at[0] === part[2] && edge.at[1] === part[3];
    const inside = this.all.filter(({ i }) => i >= 0);
    const seen = this.store.state.padding ? this.all : inside;
    const own = seen.filter(isOwn);
    const weights = new Set(own.map(({ weight }) => weight).filter((weight) => weight >= 0));
    // On planes the padding of all other neurons would hide the rest.
    const others = this.shape.axes === 1 || part[0] === "edge" ? seen : inside;
    return { own, tied: others.filter((edge) => weights.has(edge.weight) && !isOwn(edge)) };
  }

  // What is drawn and said ----------------------------------------------------------------------

  #draw() {
    const active = this.#active();
    if (!active) {
      this.chips.replaceChildren();
      this.frame.setFormula("");
      return;
    }
    const { pinned } = this.store.state;
    const isPinned = Boolean(pinned) && pinned.join() === active.join();
    const lit = this.#lit(active);
    this.stage.show({ ...lit, active, isPinned });
    this.#drawChips(active);
    this.#edited(active);
    if (active[0] === "output") this.frame.setFormula(this.#neuronText(active[1], lit));
    else if (active[0] === "input") this.frame.setFormula(this.#inputText(active[1], lit.own));
    else this.frame.setFormula(this.#edgeText(lit.own[0], lit.tied));
  }

  /** The weights of the active neuron, one chip each. @param {Part} active */
  #drawChips(active) {
    const { state } = this.store;
    // A chip under the pointer makes its own edge active: the chips stay those of the neuron.
    const isOne = active[0] === "edge";
    if (!isOne) this.base = active;
    else if (!this.#edgesOf(this.base).some(({ o, at }) => o === active[1] && at.join() === active.slice(2).join())) this.base = ["output", active[1]];
    const chips = this.#edgesOf(this.base).filter(({ weight, i }) => weight >= 0 && (i >= 0 || state.padding));
    const key = chips.map(({ name, o, at }) => `${name} ${o} ${at} ${weightValue(state, name)}`).join();
    if (key !== this.chips.dataset.key) this.chips.replaceChildren(...chips.map((edge) => this.#chip(edge)));
    this.chips.dataset.key = key;
    this.#pressChips(active);
  }

  /** The connections of a neuron, those to padding too. @param {Part} part */
  #edgesOf(part) {
    return this.all.filter(({ o, i }) => (part[0] === "input" ? i : o) === part[1]);
  }

  /** @param {Part} active */
  #pressChips(active) {
    for (const chip of this.chips.children) {
      const isIt = active[0] === "edge" && /** @type {HTMLElement} */ (chip).dataset.edge === active.slice(1).join();
      chip.setAttribute("aria-pressed", String(isIt));
    }
  }

  /** @param {Edge} edge */
  #chip(edge) {
    const { state } = this.store;
    const swatch = el("span", { class: "ft-swatch" });
    swatch.style.background = hue(edge.weight);
    const part = /** @type {Part} */ (["edge", edge.o, ...edge.at]);
    const chip = el("button", { type: "button", class: `ft-chip${edge.i < 0 ? " ft-chip-padding" : ""}`, "aria-pressed": "false" }, swatch, `${shown(edge.name)} = ${number(weightValue(state, edge.name))}`);
    chip.dataset.edge = part.slice(1).join();
    chip.addEventListener("click", () => this.#pin(part));
    chip.addEventListener("focus", () => {
      if (chip.matches(":focus-visible")) this.#hover(part);
    });
    chip.addEventListener("blur", () => this.#hover(null));
    chip.addEventListener("pointerenter", () => this.#hover(part));
    chip.addEventListener("pointerleave", () => this.#hover(null));
    return chip;
  }

  /** @param {number} o @param {{ own: Edge[], tied: Edge[] }} lit */
  #neuronText(o, { own, tied }) {
    const { state } = this.store;
    const inside = own.filter(({ i }) => i >= 0);
    const y = `y[${place(this.shape, o).join(", ")}]`;
    const signs = inside.slice(0, MOST_SPELT).map(({ name, i }) => `${shown(inputName(this.shape, i))}·${shown(name)}`);
    if (inside.length > MOST_SPELT) signs.push(`… ${inside.length - MOST_SPELT} more`);
    const values = sumOf(inside.map(({ name, i }) => [inputValue(state, this.shape, i), weightValue(state, name)]), MOST_SPELT);
    const outside = this.all.filter((edge) => edge.o === o && edge.i < 0).length;
    const padded = outside ? `   (${outside} more on padding, 0)` : "";
    return `${y} = ${signs.join(" + ") || "nothing"} = ${values}${padded}; ${sharedText(own, tied, "its weights")}`;
  }

  /** @param {number} i @param {Edge[]} own */
  #inputText(i, own) {
    const { state } = this.store;
    const name = `${inputName(this.shape, i)} = ${number(inputValue(state, this.shape, i))}`;
    if (!own.length) return `${name} goes to no output`;
    const to = own.slice(0, 6).map((edge) => `y[${place(this.shape, edge.o).join(", ")}] by ${shown(edge.name)} = ${number(weightValue(state, edge.name))}`);
    const more = own.length > 6 ? ` … ${own.length - 6} more` : "";
    return `${name} goes to ${own.length} output${own.length === 1 ? "" : "s"}: ${to.join(", ")}${more}`;
  }

  /** @param {Edge} edge @param {Edge[]} tied */
  #edgeText(edge, tied) {
    const { state } = this.store;
    const y = `y[${place(this.shape, edge.o).join(", ")}]`;
    const from = edge.i < 0 ? `padding at ${edge.at.slice(this.shape.axes === 1 ? 1 : 0).map(number).join(", ")}` : inputName(this.shape, edge.i);
    if (edge.weight < 0) return `${from} → ${y}: on padding a locally connected layer has no weight`;
    return `${from} → ${y}: weight ${edge.weight}, ${shown(edge.name)} = ${number(weightValue(state, edge.name))}; ${sharedText([edge], tied, "it")}`;
  }

  // What is done --------------------------------------------------------------------------------

  /** A number box for what is pinned. */
  #editor() {
    const id = freshId("value");
    this.label = el("label", { for: id });
    this.box = el("input", { type: "number", id, step: "any" });
    this.row = el("div", { class: "ft-control ft-pair", hidden: true }, this.label, this.box);
    this.box.addEventListener("change", () => {
      const given = Number(this.box?.value);
      const [kind, name] = (this.box?.dataset.edits ?? "").split(":");
      if (!name || this.box?.value === "" || !Number.isFinite(given)) return;
      this.store.set({ [kind]: { ...this.store.state[kind], [name]: given } });
    });
    return el("fieldset", { class: "ft-controls" }, el("legend", {}, "Edit a value"), this.row, el("p", { class: "ft-hint" }, "Click an input, an edge or a weight to edit it."));
  }

  /** @param {Part} active */
  #edited(active) {
    const { row, label, box } = this;
    if (!row || !label || !box || document.activeElement === box) return;
    const { state } = this.store;
    const edge = active[0] === "edge" ? this.#edge(active) : undefined;
    const isWeight = edge !== undefined && edge.weight >= 0;
    row.hidden = !isWeight && active[0] !== "input";
    if (row.hidden) return;
    const name = isWeight ? edge.name : inputName(this.shape, active[1]);
    label.textContent = shown(name);
    box.dataset.edits = `${isWeight ? "w" : "x"}:${name}`;
    box.value = String(isWeight ? weightValue(state, name) : inputValue(state, this.shape, active[1]));
  }

  /** @param {Part | null} part */
  #hover(part) {
    if (part?.join() === this.hovered?.join()) return;
    this.hovered = part;
    this.#draw();
  }

  /** @param {Part} part */
  #pin(part) {
    const { pinned } = this.store.state;
    this.store.set({ pinned: pinned && pinned.join() === part.join() ? null : part });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const cols = this.shape.axes === 1 ? outputCount(this.shape) : this.shape.size[1];
    const steps = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -cols, ArrowDown: cols, ",": -1, ".": 1 });
    if (event.key === " ") this.player.toggle();
    else if (event.key === "Escape") this.store.set({ pinned: null });
    else if (event.key in steps) this.player.step(steps[event.key]);
    else return false;
    return true;
  }
}

/** A name with a minus that is one, and in one piece. @param {string} name */
function shown(name) {
  return name.replaceAll("-", "−").replaceAll(", ", ",\u00a0");
}

/** @param {Edge[]} own @param {Edge[]} tied @param {string} what */
function sharedText(own, tied, what) {
  const outputs = new Set(tied.map(({ o }) => o).filter((o) => own.every((edge) => edge.o !== o)));
  if (!tied.length) return `${what} ${what === "it" ? "is" : "are"} nobody else's`;
  return `${what} ${what === "it" ? "is" : "are"} on ${tied.length} more connection${tied.length === 1 ? "" : "s"}, of ${outputs.size} other output${outputs.size === 1 ? "" : "s"}`;
}

/** @param {Shape} shape */
function clipped(shape) {
  const isWider = shape.window.some(([lo, hi], axis) => (axis === 1 || shape.axes === 2) && (lo <= -shape.size[axis] || hi >= shape.size[axis]));
  const isLocal = shape.corner === "local" || shape.corner === "convolution";
  return isLocal && isWider ? "The window reaches past the input from every output; offsets that no two positions have carry no weight." : "";
}
