// @ts-check
/**
 * Square: what sharing and locality each take away from a dense layer's weight matrix.
 *
 * @import { Cell } from "faltung/grid"
 * @import { Frame } from "faltung/frame"
 * @import { Corner, Setting } from "faltung/square-matrix"
 * @import { State, Store } from "faltung/store"
 * @import { View } from "faltung/view"
 */

import { diverging, hue } from "faltung/colour";
import { button, control, controls, fileButton } from "faltung/controls";
import { el, freshId } from "faltung/dom";
import { choice, integer, matrix, real, value } from "faltung/fields";
import { Grid } from "faltung/grid";
import { number, percent, whole } from "faltung/numbers";
import { between, CORNERS, counts, energy, labels, offset, parsed, projection } from "faltung/square-matrix";

const LARGEST = 7;
const MOST = LARGEST ** 2;

const fields = {
  height: integer("Height", 1, LARGEST),
  width: integer("Width", 1, LARGEST),
  up: integer("Up", 0, LARGEST - 1),
  down: integer("Down", 0, LARGEST - 1),
  left: integer("Left", 0, LARGEST - 1),
  right: integer("Right", 0, LARGEST - 1),
  sharing: real("Sharing", 0, 1, 0.05, "How far the weights of one offset have become one."),
  locality: real("Locality", 0, 1, 0.05, "How far weights outside the window have vanished."),
  shown: choice("Colours", { tied: "one a weight", values: "values" }),
  given: value("Matrix", (m) => (m === null ? null : matrix("", MOST, MOST).clean(m))),
  pinned: value("Pinned entry", (c) => (c === null || (Array.isArray(c) && c.length === 2 && c.every(Number.isInteger)) ? c : undefined)),
};

/** @type {View} */
export const square = {
  name: "square",
  title: "Square",
  question: "What do sharing and locality each take away from a dense layer?",
  fields,
  example: { height: 3, width: 3, up: 1, down: 1, left: 1, right: 1, sharing: 0, locality: 0, shown: "tied", given: null, pinned: null },
  fit: (state) => (state.given && state.given.length !== state.height * state.width ? { ...state, given: null } : state),
  mount: (frame, store) => new Square(frame, store).shown(),
};

class Square {
  /** @param {Frame} frame @param {Store} store */
  constructor(frame, store) {
    this.frame = frame;
    this.store = store;
    /** @type {Cell | null} */
    this.hovered = null;
    /** @type {number[][]} */
    this.weights = [];
    /** What is seen: the weights on their way between corners. @type {number[][]} */
    this.mixed = [];
    /** @type {Record<string, number[][]>} */
    this.labels = {};
    /** @type {{ corner: Corner, params: number, entries: number, share: number, chance: number }[]} */
    this.corners = [];
    this.large = new Grid({
      label: "Weight matrix: arrow keys move, Enter pins",
      caption: "",
      height: 460,
      onHover: (cell) => {
        this.hovered = cell;
        this.#draw();
      },
      onPin: (cell) => store.set({ pinned: cell && store.state.pinned?.join() !== cell.join() ? cell : null }),
    });
    this.small = CORNERS.map((corner) => new Grid({ label: `the matrix of the ${corner} layer`, caption: corner, height: 130, largest: 14, onPin: () => this.#go(corner) }));
    this.table = el("tbody");
    const head = el("tr", {}, ...["layer", "parameters", "entries", "share", "by chance"].map((name) => el("th", {}, name)));
    const table = el("table", { class: "ft-table" }, el("thead", {}, head), this.table);
    frame.stage.append(
      el("div", { class: "ft-grids" }, this.large.element),
      el("div", { class: "ft-corners" }, ...this.small.map((grid) => grid.element)),
      el("div", { class: "ft-wide", tabIndex: 0, role: "region", "aria-label": "Counts and shares" }, table),
    );
    this.#panel();
    this.stop = store.subscribe((state) => this.#change(state));
  }

  shown() {
    return {
      figures: () => ({ corners: this.corners, matrix: this.mixed, weights: this.weights, said: this.frame.formula.textContent }),
      onKey: (/** @type {KeyboardEvent} */ event) => {
        if (event.key !== "Escape") return false;
        this.store.set({ pinned: null });
        return true;
      },
      dispose: () => {
        this.stop();
        for (const grid of [this.large, ...this.small]) grid.dispose();
      },
    };
  }

  #panel() {
    const { frame, store } = this;
    const id = freshId("matrix");
    const text = el("textarea", { id, rows: 3, spellcheck: false, placeholder: "one row a line" });
    const take = (/** @type {string} */ given) => {
      const found = parsed(given);
      if ("error" in found) frame.setNote(found.error);
      else this.#take(found.matrix);
    };
    frame.panel.append(
      el("div", { class: "ft-buttons" }, ...CORNERS.map((corner) => button(corner, () => this.#go(corner)))),
      controls(store, fields, ["sharing", "locality"], "From corner to corner"),
      controls(store, fields, ["height", "width"], "Image"),
      controls(store, fields, ["up", "down", "left", "right"], "Window: reach of a neuron"),
      el("fieldset", { class: "ft-controls" }, el("legend", {}, "Matrix"), control(store, "shown", fields.shown), el("label", { for: id }, "Paste your own"), text,
        el("div", { class: "ft-buttons" }, button("Use it", () => take(text.value)), fileButton("Open a text file", ".csv,.txt,.tsv", async (file) => take(await file.text())), button("Drawn at random", () => store.set({ given: null })))),
    );
  }

  /** @param {number[][]} given */
  #take(given) {
    const { height, width } = this.store.state;
    const n = given.length;
    if (n > MOST) {
      this.frame.setNote(`The matrix is ${n}×${n}; the view takes up to ${MOST}×${MOST}.`);
      return;
    }
    const side = Math.round(Math.sqrt(n));
    const size = height * width === n ? {} : side * side === n ? { height: side, width: side } : n <= LARGEST ? { height: 1, width: n } : null;
    if (size) this.store.set({ ...size, given, sharing: 0, locality: 0, shown: "values", pinned: null });
    else this.frame.setNote(`${n} positions are no image of a height and width that are set; set them first.`);
  }

  /** @param {Corner} corner */
  #go(corner) {
    this.store.set({
      sharing: corner === "shared" || corner === "convolution" ? 1 : 0,
      locality: corner === "local" || corner === "convolution" ? 1 : 0,
    });
  }

  /** @param {State} state */
  #change(state) {
    const setting = settingOf(state);
    this.weights = state.given ?? drawn(state.height * state.width);
    this.labels = Object.fromEntries(CORNERS.map((corner) => [corner, labels(setting, corner)]));
    const total = energy(this.weights);
    this.corners = CORNERS.map((corner) => {
      const { params, entries } = counts(this.labels[corner]);
      const explained = energy(projection(this.weights, this.labels[corner]));
      return { corner, params, entries, share: total ? explained / total : 1, chance: params / this.weights.length ** 2 };
    });
    const shared = between(this.weights, projection(this.weights, this.labels.shared), state.sharing);
    this.mixed = between(shared, projection(shared, this.labels.local), state.locality);
    const rows = this.corners.map((c) => el("tr", {}, ...[c.corner, whole(c.params), whole(c.entries), percent(c.share, 2), percent(c.chance, 2)].map((text) => el("td", {}, text))));
    this.table.replaceChildren(...rows);
    for (const [i, corner] of CORNERS.entries()) this.#drawSmall(this.small[i], corner);
    this.frame.setNote("");
    const window = `((${-state.up}, ${state.down}), (${-state.left}, ${state.right}))`;
    const line = `faltung.constraints.square((${state.height}, ${state.width}), window=${window})`;
    this.frame.setCode(`square = ${line}`, pasted(state, this.weights, line));
    this.#draw();
  }

  /** The corner whose ties are seen: where the sliders are nearest. @returns {Corner} */
  #corner() {
    const { sharing, locality } = this.store.state;
    if (sharing >= 1) return locality >= 1 ? "convolution" : "shared";
    return locality >= 1 ? "local" : "dense";
  }

  #draw() {
    const { state } = this.store;
    const corner = this.#corner();
    const labelled = this.labels[corner] ?? [];
    const n = labelled.length;
    const at = this.#at(n);
    const label = at ? labelled[at[0]][at[1]] : -1;
    const { mixed } = this;
    const limit = Math.max(...mixed.flat().map(Math.abs), 1e-9);
    this.large.setCaption(`${n}×${n}: rows are outputs, columns inputs; here ${corner === "dense" && (state.sharing || state.locality) ? "between corners" : corner}`);
    this.large.show({
      rows: n,
      cols: n,
      value: (o, p) => (labelled[o][p] < 0 ? null : mixed[o][p]),
      colour: (o, p) => (state.shown === "tied" && corner !== "dense" ? hueOf(labelled[o][p]) : diverging(mixed[o][p], limit)),
      marked: label < 0 ? [] : places(labelled, label),
      outlines: at ? [{ y: at[0], x: 0, w: n, h: 1, colour: "output" }, { y: 0, x: at[1], h: n, w: 1, colour: "input" }] : [],
      pinned: state.pinned && at && state.pinned.join() === at.join() ? at : null,
    });
    this.frame.setFormula(at ? this.#said(at, label, labelled) : "Point at an entry: which output, which input, whose weight.");
  }

  /** @param {number} n @returns {Cell | null} */
  #at(n) {
    const at = this.hovered ?? this.store.state.pinned;
    return at && at[0] < n && at[1] < n && at[0] >= 0 && at[1] >= 0 ? at : null;
  }

  /** @param {Cell} at @param {number} label @param {number[][]} labelled */
  #said([o, p], label, labelled) {
    const { width } = this.store.state;
    const [down, across] = offset(settingOf(this.store.state), o, p);
    const place = (/** @type {number} */ n) => `(${Math.floor(n / width)}, ${n % width})`;
    const where = `output ${place(o)}, input ${place(p)}, offset (${number(down)}, ${number(across)})`;
    if (label < 0) return `${where}: outside the window, no weight`;
    const tied = places(labelled, label).length;
    const weight = `weight ${number(this.mixed[o][p])}`;
    return `${where}: ${weight}, ${tied === 1 ? "its own" : `one for ${tied} entries`}`;
  }

  /** @param {Grid} grid @param {Corner} corner */
  #drawSmall(grid, corner) {
    const labelled = this.labels[corner] ?? [];
    const { params, entries } = counts(labelled);
    grid.setCaption(`${corner}: ${whole(params)} of ${whole(entries)}`);
    grid.show({
      rows: labelled.length,
      cols: labelled.length,
      value: (o, p) => (labelled[o][p] < 0 ? null : 1),
      colour: (o, p) => (corner === "dense" ? "#c9cfd6" : hueOf(labelled[o][p])),
      text: () => "",
    });
  }
}

/** @param {State} state @returns {Setting} */
function settingOf(state) {
  return { height: state.height, width: state.width, rows: [-state.up, state.down], cols: [-state.left, state.right] };
}

/** @param {number[][]} labelled @param {number} label @returns {Cell[]} */
function places(labelled, label) {
  return labelled.flatMap((row, o) => row.flatMap((l, p) => (l === label ? [/** @type {Cell} */ ([o, p])] : [])));
}

/** @type {Map<number, string>} */
const hues = new Map();

/** @param {number} label */
function hueOf(label) {
  let colour = hues.get(label);
  if (!colour) {
    colour = hue(label);
    hues.set(label, colour);
  }
  return colour;
}

/** Weights as if drawn at random, the same ones each time. @param {number} n @returns {number[][]} */
function drawn(n) {
  let seed = 12345;
  const next = () => {
    seed = (seed * 48271) % 2147483647;
    return Math.round((seed / 2147483647) * 18 - 9);
  };
  return Array.from({ length: n }, () => Array.from({ length: n }, next));
}

/** @param {State} state @param {number[][]} weights @param {string} line */
function pasted(state, weights, line) {
  return [
    "import numpy as np",
    "import faltung.constraints",
    "from faltung.constraints import explained",
    "",
    `w = np.array(${JSON.stringify(weights)}, dtype=float)`,
    `square = ${line}`,
    "print(square)",
    "print(explained(square, w))",
    "",
  ].join("\n");
}
