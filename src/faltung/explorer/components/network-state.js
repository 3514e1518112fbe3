// @ts-check
/**
 * The state of Network: which network, which moment of its training, which digit, which cell.
 *
 * @import { Stroke } from "faltung/digit"
 * @import { State } from "faltung/store"
 */

import { PAD } from "faltung/digit";
import { choice, flag, integer, real, value, words } from "faltung/fields";

const MOST_STROKES = 40;
const MOST_POINTS = 1200;

export const fields = {
  model: words("Model", 80),
  label: words("Its name", 120),
  snapshot: integer("Moment", 0, 99),
  drawn: flag("Draw it yourself"),
  digit: integer("Digit", 0, 9),
  seed: integer("Which digits", 0, 2 ** 31),
  strokes: value("Strokes", cleanStrokes),
  centred: flag("Box and centre as MNIST", "Boxed to 20×20, the centre of mass in the middle of 28×28; without it the pad goes in as it is."),
  unit: choice("Pixels go in", { 255: "0 to 255", 1: "0 to 1", "-1": "−1 to 1" }, "A network of faltung's takes them raw; others may want less."),
  layer: integer("Layer", 1, 999),
  map: integer("Map", 0, 9999),
  from: integer("Earlier map", -1, 9999, "Of which earlier map window and weights are shown; −1 takes the one that adds most."),
  pinned: value("Pinned", cleanPin),
  train: choice("Which one", { small: "small: 10 digits", "zero-one": "zero-one: 0 and 1", lenet: "lenet: 10 digits" }),
  epochs: integer("Epochs", 1, 30),
  lr: real("Learning rate", 0.0001, 0.1, 0.0001),
};

/** @type {State} */
export const example = {
  model: "",
  label: "",
  snapshot: 99,
  drawn: false,
  digit: 7,
  seed: 0,
  strokes: [],
  centred: true,
  unit: "255",
  layer: 3,
  map: 0,
  from: -1,
  pinned: null,
  train: "small",
  epochs: 6,
  lr: 0.01,
};

/** Strokes of whole numbers within the pad, no more than fit into a link. @param {any} given
 * @returns {Stroke[] | undefined} */
function cleanStrokes(given) {
  if (!Array.isArray(given) || given.length > MOST_STROKES) return undefined;
  let points = 0;
  for (const stroke of given) {
    if (!Array.isArray(stroke) || !stroke.every(isPoint)) return undefined;
    points += stroke.length;
  }
  return points > MOST_POINTS ? undefined : given.filter((stroke) => stroke.length);
}

/** @param {any} point */
function isPoint(point) {
  return Array.isArray(point) && point.length === 2 && point.every((v) => Number.isInteger(v) && v >= 0 && v < PAD);
}

/** Null, or a layer, a map, a row and a column. @param {any} given */
function cleanPin(given) {
  if (given === null) return null;
  return Array.isArray(given) && given.length === 4 && given.every((v) => Number.isInteger(v) && v >= 0) ? given : undefined;
}
