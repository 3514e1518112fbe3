// @ts-check
/**
 * Shift, of a whole network: how far each map is from moving along, and what becomes of predictions.
 *
 * @import { Frame } from "faltung/frame"
 * @import { Pixels } from "faltung/pixels"
 * @import { State, Store } from "faltung/store"
 * @import { Host } from "faltung/view"
 */

import { fileButton } from "faltung/controls";
import { el } from "faltung/dom";
import { number, percent } from "faltung/numbers";
import { asBytes } from "faltung/pixels";
import { Raster } from "faltung/raster";
import { signed } from "faltung/shading";
import { ShiftBars, ShiftLines } from "faltung/shift-curve";
import { networkPython } from "faltung/shift-python";

/** Milliseconds without a move after which Python is asked. */
const PATIENCE = 120;
/** Of a map's largest value: what single precision may round. */
const ROUNDING = 2 ** -14.5;

export class ShiftNetwork {
  /** @param {Frame} frame @param {Store} store @param {Host} host */
  constructor(frame, store, host) {
    this.frame = frame;
    this.store = store;
    this.host = host;
    /** @type {{ name: string, label: string } | null} */
    this.model = null;
    /** @type {any} */
    this.found = null;
    /** @type {any} */
    this.share = host.data.network.share;
    /** @type {any[]} */
    this.asked = [];
    this.wanted = 0;
    this.map = new Raster({ label: "Difference of a map", caption: "Difference", tall: 260 });
    this.lines = new ShiftLines("Predictions against shift");
    this.bars = new ShiftBars("Predictions that stay the same");
    this.rows = el("tbody");
    const head = el("tr", {}, ...["map", "operator", "total stride", "moved by", "largest difference", "positions"].map((name) => el("th", {}, name)));
    this.table = el("div", { class: "ft-wide", tabIndex: 0, role: "region", "aria-label": "Maps" }, el("table", { class: "ft-table ft-rows" }, el("thead", {}, head), this.rows));
    this.element = el("div", { class: "ft-kernels-below" }, this.table, el("div", { class: "ft-grids ft-kernels-below ft-pictures" }, el("div", { class: "ft-output" }, this.map.element), this.bars.element));
    this.name = el("p", { class: "ft-small" }, "Network: digits, trained beforehand");
    this.panel = el("fieldset", { class: "ft-controls" }, el("legend", {}, "Network"), this.name, this.#files());
  }

  dispose() {
    this.wanted += 1;
    this.map.dispose();
  }

  figures() {
    if (!this.found) return null;
    const layers = this.found.layers.map((/** @type {any} */ { levels, ...figures }) => figures);
    return { ...this.found, layers, share: this.share, model: this.model?.label ?? "digits" };
  }

  /** @param {State} state @param {Pixels} x as the network gets it */
  change(state, x) {
    const { line, full } = networkPython(/** @type {any} */ (state), { picture: "", file: this.model?.label ?? "" });
    this.frame.setCode(line, full);
    const asked = [x, state.dy, state.dx, this.model];
    if (asked.some((each, i) => each !== this.asked[i])) {
      this.asked = asked;
      this.#look(state, x);
    } else this.#show();
  }

  /** @param {State} state @param {Pixels} x */
  async #look(state, x) {
    const mine = (this.wanted += 1);
    const { dy, dx } = state;
    const recorded = this.host.data.network.shifts;
    if (state.picture === "digit" && dy === 0 && dx >= 0 && dx < recorded.length && !this.model) {
      this.found = recorded[dx];
      this.share = this.host.data.network.share;
    } else if (this.host.canAsk) {
      await new Promise((resolve) => setTimeout(resolve, PATIENCE));
      if (mine !== this.wanted) return;
      const { height, width, channels } = x;
      const model = this.model ? { model: this.model.name } : {};
      const found = await this.frame.busy(this.host.ask("shift.network", { pixels: asBytes(x), height, width, channels, dy, dx, ...model }));
      if (mine !== this.wanted) return;
      this.found = found ?? null;
    } else {
      this.found = null;
      this.frame.setNote(`A saved page has the digit moved by 0 to ${recorded.length - 1} pixels to the right, recorded. For all else: faltung explore shift`);
    }
    this.#show();
  }

  #show() {
    const { found } = this;
    this.element.hidden = !found;
    this.lines.element.hidden = !found;
    if (!found) return;
    const at = Math.min(this.store.state.map, found.layers.length - 1);
    this.rows.replaceChildren(...found.layers.map((/** @type {any} */ layer, /** @type {number} */ i) => this.#row(layer, i, i === at)));
    if (at >= 0) this.#showMap(found.layers[at]);
    this.#showPredictions();
    this.frame.setFormula(at >= 0 ? sentence(found.layers[at]) : "No map of it follows the picture.");
  }

  /** @param {any} layer @param {number} i @param {boolean} isPicked */
  #row(layer, i, isPicked) {
    const pick = el("button", { type: "button", class: "ft-plain", onClick: () => this.store.set({ map: i }), "aria-pressed": String(isPicked) }, layer.name);
    const [dy, dx] = layer.jump;
    const texts = [layer.operator, dy === dx ? number(dy) : `${number(dy)}, ${number(dx)}`, layer.moved.map(number).join(", "), told(layer), String(layer.positions)];
    return el("tr", { "aria-selected": String(isPicked) }, el("td", {}, pick), ...texts.map((text) => el("td", {}, text)));
  }

  /** @param {any} layer */
  #showMap(layer) {
    const [, height, width] = layer.shape;
    const bytes = Uint8Array.from(atob(layer.levels), (sign) => sign.charCodeAt(0));
    const [[top, bottom], [left, right]] = layer.area;
    const data = Float64Array.from(bytes, (v, i) => {
      const [y, x] = [Math.floor(i / width), i % width];
      return y >= top && y < bottom && x >= left && x < right ? v : Number.NaN;
    });
    this.map.show(signed({ height, width, channels: 1, data, white: 255 }, 255));
    this.map.setCaption(`Difference in ${layer.name}, the largest of its ${layer.shape[0]} maps; grey: not compared`);
  }

  #showPredictions() {
    const { predictions, dx } = this.found;
    this.lines.element.hidden = !predictions;
    this.bars.element.hidden = !this.share;
    if (predictions) {
      this.lines.show(predictions.shifts, predictions.names, predictions.shares, dx);
      const rest = predictions.best[predictions.shifts.indexOf(0)];
      const same = predictions.best.filter((/** @type {string} */ name) => name === rest).length;
      this.lines.caption.textContent = `Probabilities by shift: ${rest} at rest, and for ${same} of ${predictions.shifts.length} shifts`;
    }
    if (this.share) {
      this.bars.show(this.share.shares, Math.abs(dx), { isShare: true, intervals: this.share.intervals });
      this.bars.caption.textContent = `Predictions unchanged, ${this.share.images} digits moved four ways, with 95 % intervals`;
    }
  }

  #files() {
    if (!this.host.canAsk) return el("p", { class: "ft-small" }, "For a network of your own: faltung explore shift");
    return el("div", { class: "ft-buttons" }, fileButton("Open a network", ".onnx", (file) => this.#open(file)));
  }

  /** @param {File} file */
  async #open(file) {
    const name = await this.frame.busy(this.host.upload(file, file.name));
    if (!name) return;
    const share = await this.frame.busy(this.host.ask("shift.share", { model: name }).then((found) => ({ found })));
    if (!share) return;
    this.model = { name, label: file.name };
    this.share = share.found;
    this.name.textContent = `Network: ${file.name}`;
    this.change(this.store.state, this.asked[0]);
  }
}

/** @param {any} layer */
function told({ error, largest }) {
  if (error === null) return "nothing to compare";
  if (error <= ROUNDING * largest) return error === 0 ? "0" : "rounding";
  return `${number(error)}, ${percent(error / largest, 0)} of the largest`;
}

/** @param {any} layer */
function sentence(layer) {
  const { name, jump, moved, positions } = layer;
  if (layer.error === null) return `${name}: no position is free of padding and of the border; there is nothing to compare.`;
  const by = jump[0] === jump[1] ? number(jump[0]) : jump.map(number).join(" and ");
  return `${name}: a total stride of ${by}; moved by (${moved.map(number).join(", ")}), it differs by ${told(layer)} over ${positions} positions.`;
}
