// @ts-check
/**
 * The values that Field shows, whether of the stack that is edited or of a network that Python read.
 *
 * @import { Span } from "faltung/geometry"
 * @import { Layer, Link } from "faltung/field-stack"
 * @import { Host } from "faltung/view"
 *
 * @typedef {[number, number]} Pair rows, then columns
 * @typedef {[Span | null, Span | null]} Box null for an axis that is seen whole
 *
 * @typedef {object} Axis what a value sees along one axis of the input
 * @property {number | null} size null for everything
 * @property {[number, number]} jump
 * @property {number} start
 * @property {number} share
 *
 * @typedef {object} Value
 * @property {string} name
 * @property {string} layer what made it, in few signs
 * @property {Pair} space
 * @property {Axis[]} fields one for each axis of space
 * @property {number} share of the input's positions
 * @property {number} loose
 *
 * @typedef {{ zoo: string } | { name: string, label: string }} File
 *
 * @typedef {object} Reading what Python answers
 * @property {{ name: string, space: number[] }} input
 * @property {string} assumed
 * @property {{ name: string, operator: string, space: number[], fields: Axis[], loose: number }[]} values
 */

import { fieldOf, looseOf, namesOf, shareOf, spansOf } from "faltung/field-stack";
import { describe } from "faltung/field-state";

/** @type {Axis} */
const ITSELF = { size: 1, jump: [1, 1], start: 0, share: 1 };

/** The values of a stack, the input first. @param {Layer[]} layers @param {Pair} sizes
 * @param {[Link[], Link[]]} axes @returns {Value[]} */
export function valuesOfStack(layers, sizes, axes) {
  const [names, loose] = [namesOf(layers), looseOf(layers)];
  const own = sizes.map((n) => ({ ...ITSELF, share: shareOf(1, n) }));
  const input = { name: "x", layer: "input", space: sizes, fields: own, share: product(own), loose: 1 };
  const rest = axes[0].map((_, i) => {
    const fields = axes.map((links, axis) => {
      const field = fieldOf(links, i + 1);
      return { ...field, share: shareOf(field.size, sizes[axis]) };
    });
    const space = /** @type {Pair} */ (axes.map((links) => links[i].out));
    return { name: names[i], layer: describe(layers[i]), space, fields, share: product(fields), loose: loose[i + 1] };
  });
  return [input, ...rest];
}

/** @param {[Link[], Link[]]} axes @param {number} value @param {Pair} at @returns {Box[]} */
export function boxesOfStack(axes, value, at) {
  const [rows, cols] = axes.map((links, axis) => spansOf(links, value, at[axis]));
  return rows.map((span, i) => [span, cols[i]]);
}

/** The values of a network that was read, the input first. @param {Reading} reading @returns {Value[]} */
export function valuesOfReading({ input, values }) {
  const own = input.space.map((n) => ({ ...ITSELF, share: shareOf(1, n) }));
  const first = { name: input.name, layer: "input", space: pairOf(input.space), fields: own, share: product(own), loose: 1 };
  return [
    first,
    ...values.map(({ name, operator, space, fields, loose }) => ({ name, layer: operator, space: pairOf(space), fields, share: product(fields), loose })),
  ];
}

/** Rows and columns of any space: one axis is a row, of three the last two. @param {number[]} space @returns {Pair} */
function pairOf(space) {
  return [space.at(-2) ?? 1, space.at(-1) ?? 1];
}

/** @param {Axis[]} fields */
function product(fields) {
  return fields.reduce((share, field) => share * field.share, 1);
}

/** What Python is asked with. @param {File} file */
export function askedOf(file) {
  return "zoo" in file ? { zoo: file.zoo } : { file: file.name, label: file.label };
}

/** The Python that reads the same network and prints what its values see.
 * @param {File} file @param {string[]} zoo names of networks that are no files */
export function pythonOfFile(file, zoo) {
  const name = "zoo" in file ? file.zoo : file.label;
  const load = `faltung.${zoo.includes(name) && "zoo" in file ? "zoo.sketch" : "load"}(${JSON.stringify(name)})`;
  const full = `import faltung\n\nnet = ${load}\nfor name, fields in faltung.receptive_fields(net).items():\n    print(name, *fields)\n`;
  return { line: `faltung.receptive_fields(${load})`, full };
}

/** Asks Python what cells see; the last answer is kept. */
export class Asker {
  /** @param {Host} host @param {File} file @param {Reading} reading @param {() => void} onAnswer
   * @param {(error: unknown) => void} onError */
  constructor(host, file, reading, onAnswer, onError) {
    this.host = host;
    this.given = askedOf(file);
    this.reading = reading;
    this.onAnswer = onAnswer;
    this.onError = onError;
    this.isAsking = false;
    this.key = "";
    /** @type {Record<string, ([number, number] | null)[]>} */
    this.answer = {};
  }

  /** What a cell sees of each value, by its name, as far as it is known by now.
   * @param {number} value index @param {Pair} at @returns {Map<string, Box>} */
  boxes(value, at) {
    if (!this.host.canAsk) return this.#recorded(value, at);
    const key = `${value},${at}`;
    if (key !== this.key) {
      this.#ask(key, value, at);
      return new Map();
    }
    return new Map(Object.entries(this.answer).map(([name, box]) => [name, lastTwo(box)]));
  }

  /** Without Python, of the input alone. @param {number} value @param {Pair} at @returns {Map<string, Box>} */
  #recorded(value, at) {
    const { input, values } = this.reading;
    if (value === 0) return new Map([[input.name, [unit(at[0]), unit(at[1])]]]);
    const { name, fields, space } = values[value - 1];
    const own = space.length ? at : [0, 0];
    const box = fields.slice(-2).map(({ size, jump, start }, axis) => {
      if (size === null) return null;
      const lo = start + Math.floor((own[axis + 2 - Math.min(fields.length, 2)] * jump[0]) / jump[1]);
      return { lo, hi: lo + size };
    });
    const whole = /** @type {Box} */ (box.length === 1 ? [unit(0), ...box] : box);
    return new Map([[input.name, whole], [name, /** @type {Box} */ ([unit(at[0]), unit(at[1])])]]);
  }

  /** @param {string} key @param {number} value @param {Pair} at */
  async #ask(key, value, at) {
    if (this.isAsking) return;
    this.isAsking = true;
    const { input, values } = this.reading;
    const { name, space } = value ? values[value - 1] : input;
    const place = [...space.slice(0, -2).map((n) => Math.floor(n / 2)), ...(space.length > 1 ? at : at.slice(1))].slice(0, space.length);
    try {
      this.answer = await this.host.ask("field.spans", { ...this.given, value: name, at: place });
    } catch (error) {
      this.answer = {};
      this.onError(error);
    } finally {
      this.isAsking = false;
      this.key = key;
    }
    this.onAnswer();
  }
}

/** @param {number} at @returns {Span} */
function unit(at) {
  return { lo: at, hi: at + 1 };
}

/** @param {([number, number] | null)[]} box @returns {Box} */
function lastTwo(box) {
  const spans = box.map((pair) => pair && { lo: pair[0], hi: pair[1] });
  if (spans.length === 0) return [unit(0), unit(0)];
  return spans.length === 1 ? [unit(0), spans[0]] : [spans.at(-2) ?? null, spans.at(-1) ?? null];
}
