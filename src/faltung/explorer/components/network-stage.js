// @ts-check
/**
 * What is seen of Network: the digit and the predictions, the run and the filters, the maps of every
 * layer, one activation.
 *
 * @import { Image, Stroke } from "faltung/digit"
 * @import { MapCell } from "faltung/maps"
 * @import { Curve } from "faltung/network-live"
 * @import { Window } from "faltung/network-run"
 * @import { Digit, Opened, Seen, Snapshot } from "faltung/network-source"
 * @import { Frame } from "faltung/frame"
 * @import { State } from "faltung/store"
 *
 * @typedef {[number, number, number, number]} Active layer, map, row, column
 *
 * @typedef {object} Looked what there is to see now
 * @property {State} state
 * @property {Digit[]} digits
 * @property {Image} ink
 * @property {Opened} opened
 * @property {Seen} seen
 * @property {string} seenFor
 * @property {Snapshot | undefined} snapshot
 * @property {Curve | null} curve null where no run is known
 * @property {string} caption of the run
 * @property {string} moment
 *
 * @typedef {object} Acts what the stage asks for
 * @property {() => Stroke[]} strokes
 * @property {(strokes: Stroke[], isDrag: boolean) => void} draw
 * @property {(digit: number) => void} take
 * @property {(cell: Active | null) => void} hover
 * @property {(cell: Active) => void} pin
 * @property {(layer: number, map: number) => void} choose
 */

import { el } from "faltung/dom";
import { layout, MapStrip } from "faltung/maps";
import { around, Detail } from "faltung/network-detail";
import { CurveFigure } from "faltung/network-curve";

import { DigitRow, Predictions } from "faltung/network-digits";
import { Pad } from "faltung/network-pad";
import { whole } from "faltung/numbers";

/** The darkest and the brightest pixel. @type {Record<string, [number, number]>} */
const RANGES = { 255: [0, 255], 1: [0, 1], "-1": [-1, 1] };
/** Cells of a vector that are outlined one by one. */
const FEW = 20;

export class Stage {
  /** @param {Frame} frame @param {HTMLElement} player @param {Acts} acts */
  constructor(frame, player, acts) {
    this.acts = acts;
    this.layer = 0;
    this.filterLayer = 0;
    this.pad = new Pad({ strokes: acts.strokes, onDraw: acts.draw });
    this.input = new MapStrip({ label: "what the network gets", side: 224, onHover: (cell) => acts.hover(cell && [0, ...cell]) });
    this.row = new DigitRow(acts.take);
    this.predictions = new Predictions();
    this.curve = new CurveFigure();
    this.player = player;
    this.moment = el("p", { class: "ft-moment" });
    this.filters = new MapStrip({ label: "filters", side: 36, onPin: ([map]) => acts.choose(this.filterLayer, map) });
    /** @type {MapStrip[]} */
    this.strips = [];
    this.way = el("div", { class: "ft-way" });
    this.detail = new Detail({
      onHover: (cell) => acts.hover(cell && [this.layer, ...cell]),
      onPin: (cell) => acts.pin([this.layer, ...cell]),
    });
    frame.stage.append(
      this.row.element,
      el("div", { class: "ft-grids ft-asked" }, this.pad.element, el("div", { class: "ft-input" }, this.input.element), this.predictions.element),
      el("h3", { class: "ft-part" }, "What it learned"),
      el("div", { class: "ft-grids" }, el("div", { class: "ft-run" }, this.curve.element, player, this.moment), this.filters.element),
      el("h3", { class: "ft-part" }, "One activation, and the window that it comes from"),
      // The sum stays beside the window, in sight while the pointer is on the layers below.
      el("div", { class: "ft-closeup" }, this.detail.element, frame.formula),
      el("h3", { class: "ft-part" }, "From layer to layer"),
      this.way,
    );
  }

  dispose() {
    for (const each of [this.input, this.detail, this.filters, ...this.strips]) each.dispose();
  }

  /** Show another digit, network or moment. @param {Looked} looked */
  show(looked) {
    const { state, digits, ink, opened, seen, snapshot, curve } = looked;
    this.row.show(digits, state.drawn ? -1 : Math.min(state.digit, digits.length - 1));
    this.pad.show();
    this.predictions.show(seen, opened.classes, !Array.from(ink.pixels).some(Boolean));
    this.curve.element.hidden = this.player.hidden = curve === null;
    if (curve) this.curve.show(curve, snapshot?.step ?? 0);
    this.curve.caption.textContent = looked.caption;
    this.moment.textContent = looked.moment;
    this.#makeStrips(opened);
  }

  /** A strip of maps for each layer, made anew for another network. @param {Opened} opened */
  #makeStrips({ layers }) {
    const names = layers.map(({ name, shape }) => `${name} ${shape}`).join();
    if (this.way.dataset.layers === names) return;
    for (const strip of this.strips) strip.dispose();
    this.strips = layers.map(({ name, words, shape }, i) => {
      const [maps, rows, cols] = shape;
      const size = maps === 1 && rows === 1 ? `${whole(cols)} values` : `${maps} × ${rows}×${cols}`;
      const strip = new MapStrip({ label: name, onHover: (cell) => this.acts.hover(cell && [i, ...cell]), onPin: (cell) => this.acts.pin([i, ...cell]) });
      const choose = el("button", { type: "button", class: "ft-layer", disabled: i === 0, onClick: () => this.acts.choose(i, 0) }, name);
      strip.caption.append(choose, ` ${words} · ${size}`);
      strip.element.classList.toggle("ft-one", maps === 1);
      return strip;
    });
    this.way.replaceChildren(...this.strips.map(({ element }) => element));
    this.way.dataset.layers = names;
  }

  /** Show another cell. @param {Looked} looked @param {Active} active @param {Window | null} window
   * @param {number} from the earlier map */
  point(looked, active, window, from) {
    const { state, opened, seen } = looked;
    this.layer = active[0];
    this.#showInput(looked, active, window);
    for (const [i, strip] of this.strips.entries()) {
      strip.element.classList.toggle("ft-chosen", i === active[0]);
      strip.show({ ...seen.maps[i], isGrey: i === 0, boxes: boxesOn(i, seen, active, window) });
    }
    this.#showFilters(looked, active, from);
    const isPinned = state.pinned?.join() === active.join();
    if (active[0]) this.detail.show(opened, seen, active, window, from, isPinned);
  }

  /** @param {Looked} looked @param {Active} active @param {Window | null} window */
  #showInput({ state, seen }, active, window) {
    const { shape, values } = seen.maps[0];
    const [, rows, cols] = shape;
    const [low, limit] = RANGES[state.unit];
    this.input.caption.textContent = `What the network gets, ${rows}×${cols}`;
    // Of several channels, which are alike, the first.
    const picture = { shape: /** @type {[number, number, number]} */ ([1, rows, cols]), shown: 1, values, isGrey: true, low, limit };
    this.input.show({ ...picture, boxes: boxesOn(0, seen, active, window).filter(({ map }) => map === 0) });
  }

  /** @param {Looked} looked @param {Active} active @param {number} from */
  #showFilters({ opened, seenFor }, active, from) {
    this.filterLayer = filterLayer(opened, active[0]);
    const { name } = opened.layers[this.filterLayer];
    const found = opened.filters[name];
    this.filters.element.hidden = !found;
    if (!found) return;
    const [outputs, inputs, high, wide] = found.shape;
    const input = this.filterLayer === active[0] ? Math.min(from, inputs - 1) : 0;
    const key = `${seenFor} ${name} ${input}`;
    if (this.filters.element.dataset.shown === key) return;
    this.filters.element.dataset.shown = key;
    const size = high * wide;
    const values = Float32Array.from({ length: outputs * size }, (_, i) => found.values[(Math.floor(i / size) * inputs + input) * size + (i % size)]);
    this.filters.show({ shape: [outputs, high, wide], shown: outputs, values, chosen: found.chosen });
    const count = outputs < found.of[0] ? `${outputs} of ${found.of[0]}` : String(outputs);
    const where = found.of[1] > 1 ? `, on earlier map ${input} of ${found.of[1]}` : "";
    const different = found.chosen.length ? "; outlined: those that differ most" : "";
    this.filters.caption.textContent = `${count} filters of ${name}, ${high}×${wide}${where}${different}`;
  }
}

/** The convolution whose filters are shown: the layer, else the nearest before it, else the first.
 * @param {Opened} opened @param {number} layer */
function filterLayer({ layers, filters }, layer) {
  const all = layers.flatMap(({ name }, i) => (filters[name] ? [i] : []));
  return all.filter((i) => i <= layer).at(-1) ?? all[0] ?? 0;
}

/** What is outlined on a layer's maps: the cell, or the window that it was computed from.
 * @param {number} layer @param {Seen} seen @param {Active} active @param {Window | null} window */
function boxesOn(layer, seen, active, window) {
  const { shape } = seen.maps[layer];
  const isVector = shape[0] === 1 && shape[1] === 1;
  const one = (/** @type {MapCell} */ [map, y, x], /** @type {string} */ colour) => {
    const { cols } = layout(shape);
    const at = y * shape[2] + x;
    return { map, y: Math.floor(at / cols), x: at % cols, h: 1, w: 1, colour };
  };
  const boxes = (window?.reads ?? []).flatMap(({ from, at }) => {
    if (from !== layer) return [];
    if (isVector) return at.length < FEW ? at.map((cell) => one(cell, "kernel")) : [];
    const maps = [...new Set(at.map(([map]) => map))];
    return maps.map((map) => ({ ...around(at.filter((cell) => cell[0] === map)), map }));
  });
  if (layer === active[0]) boxes.push(one([active[1], active[2], active[3]], "output"));
  return boxes;
}
