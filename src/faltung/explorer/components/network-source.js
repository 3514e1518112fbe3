// @ts-check
/**
 * Where a network comes from: the recording, which the page runs itself, or Python, which is asked.
 *
 * @import { Kept, LayerRecord, Weights, Window } from "faltung/network-run"
 * @import { Host } from "faltung/view"
 *
 * @typedef {object} Digit
 * @property {number} index in the test part of the digits that ship with faltung
 * @property {number} label
 * @property {Uint8Array} pixels 28×28
 *
 * @typedef {{ shape: number[], of: number[], values: Float32Array, chosen: number[] }} Filters
 * @typedef {{ shape: [number, number, number], shown: number, values: Float32Array }} LayerMaps
 *
 * @typedef {object} Opened a network that can be looked at
 * @property {string} model empty for the recorded one
 * @property {LayerRecord[]} layers
 * @property {string[]} classes
 * @property {[number, number, number]} inShape
 * @property {Record<string, Filters>} filters by layer
 * @property {Record<string, Weights>} [weights] of the recorded one
 *
 * @typedef {object} Seen what a network makes of a digit
 * @property {LayerMaps[]} maps of each layer, the input first
 * @property {number[] | null} scores
 * @property {number[] | null} probabilities
 *
 * @typedef {object} Snapshot
 * @property {number} step
 * @property {number} [loss] on the test digits
 * @property {number} [accuracy]
 * @property {Record<string, number[]>} [chosen]
 * @property {Record<string, Kept>} [weights]
 * @property {string} [model] what Python calls it
 */

import { averaged, centred } from "faltung/digit";
import { forward, weightsOf } from "faltung/network-run";

/** What a pixel becomes before it goes in. @type {Record<string, (v: number) => number>} */
const UNITS = { 255: (v) => v, 1: (v) => v / 255, "-1": (v) => (2 / 255) * v - 1 };

/** @param {string} text base64 */
export function bytes(text) {
  return Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
}

/** @param {ArrayLike<number>} given */
export function base64(given) {
  let text = "";
  for (let i = 0; i < given.length; i += 1) text += String.fromCharCode(given[i]);
  return btoa(text);
}

/** @param {string} text base64 of float32, little-endian as everywhere */
function floats(text) {
  return new Float32Array(bytes(text).buffer);
}

/** @param {{ index: number, label: number, pixels: string }[]} digits @returns {Digit[]} */
export function digitsOf(digits) {
  return digits.map((digit) => ({ ...digit, pixels: bytes(digit.pixels) }));
}

/** The recorded run, as Python prepared it. */
export class Recording {
  /** @param {any} data */
  constructor(data) {
    this.data = data;
    /** @type {Snapshot[]} */
    this.snapshots = data.snapshots;
    this.digits = digitsOf(data.digits);
    /** @type {Map<number, Opened>} */
    this.opened = new Map();
  }

  /** The network at a snapshot. @param {number} at @returns {Opened} */
  at(at) {
    const known = this.opened.get(at);
    if (known) return known;
    const { weights = {}, chosen = {} } = this.snapshots[at];
    const arrays = Object.fromEntries(Object.entries(weights).map(([name, kept]) => [name, weightsOf(kept)]));
    for (const [name, v] of Object.entries(this.data.state)) arrays[name] = { shape: [1], values: Float32Array.of(Number(v)) };
    const convs = this.data.layers.filter((/** @type {LayerRecord} */ layer) => layer.operator === "Conv");
    const filters = Object.fromEntries(
      convs.map((/** @type {LayerRecord} */ { name, weights: names }) => {
        const { shape, values } = arrays[names?.[0] ?? ""];
        return [name, { shape, of: shape, values, chosen: chosen[name] ?? [] }];
      }),
    );
    const { layers, classes } = this.data;
    const opened = { model: "", layers, classes, inShape: layers[0].shape, filters, weights: arrays };
    this.opened.set(at, opened);
    return opened;
  }
}

/** What the recorded network makes of an image. @param {Opened} opened @param {Float32Array} image
 * @returns {Seen} */
export function seenBy({ layers, weights = {} }, image) {
  const values = forward(layers, weights, image);
  const scores = Array.from(values[values.length - 1]);
  const maps = layers.map(({ shape }, i) => ({ shape, shown: shape[0], values: values[i] }));
  return { maps, scores, probabilities: softmax(scores) };
}

/** @param {number[]} scores */
function softmax(scores) {
  const most = Math.max(...scores);
  const powers = scores.map((v) => Math.exp(v - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((v) => v / sum);
}

/**
 * What a network is given, as `faltung.explorer.activations.fed` makes it.
 *
 * @param {{ rows: number, cols: number, pixels: ArrayLike<number> }} ink
 * @param {[number, number, number]} inShape @param {boolean} isCentred @param {string} unit
 */
export function fed(ink, [, rows, cols], isCentred, unit) {
  const image = isCentred ? centred(ink) : ink;
  return Float32Array.from(averaged(image, rows, cols), UNITS[unit]);
}

/** Networks that Python holds. */
export class Asked {
  /** @param {Host} host */
  constructor(host) {
    this.host = host;
    /** @type {Map<string, Promise<Opened>>} */
    this.opened = new Map();
  }

  /** @param {string} model @returns {Promise<Opened>} */
  open(model) {
    const known = this.opened.get(model);
    if (known) return known;
    const opening = this.host.ask("network.open", { model }).then((answer) => ({
      model,
      layers: answer.layers,
      classes: answer.classes,
      inShape: answer.in_shape,
      filters: Object.fromEntries(
        Object.entries(answer.filters).map(([name, given]) => {
          const { shape, of, values, chosen } = /** @type {any} */ (given);
          return [name, { shape, of, values: floats(values), chosen }];
        }),
      ),
    }));
    this.opened.set(model, opening);
    opening.catch(() => this.opened.delete(model));
    return opening;
  }

  /** @param {Opened} opened @param {Record<string, any>} digit @returns {Promise<Seen>} */
  async seen({ model, layers }, digit) {
    const { maps, scores, probabilities } = await this.host.ask("network.forward", { model, ...digit });
    return {
      maps: maps.map((/** @type {any} */ each, /** @type {number} */ i) => ({
        shape: layers[i].shape,
        shown: each.shown,
        values: floats(each.values),
      })),
      scores,
      probabilities,
    };
  }

  /** @param {string} model @param {Record<string, any>} digit @param {number[]} cell
   * @returns {Promise<Window>} */
  window(model, digit, [layer, ...at]) {
    return this.host.ask("network.window", { model, ...digit, layer, at });
  }
}
