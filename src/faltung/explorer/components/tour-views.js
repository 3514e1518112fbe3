// @ts-check
/**
 * Which view belongs to which card, and how it is set up there: the one place that says so.
 *
 * @import { State } from "faltung/store"
 * @import { View } from "faltung/view"
 *
 * @typedef {object} Setting
 * @property {View} view
 * @property {State} state fields that differ from the view's worked example
 * @property {string} hint what to try
 * @property {boolean} [needsData] whether the view shows nothing without what Python prepared
 */

import { connect } from "faltung/connect";
import { cost } from "faltung/cost";
import { field } from "faltung/field";
import { lab } from "faltung/lab";
import { network } from "faltung/network";
import { shift } from "faltung/shift";
import { slide } from "faltung/slide";
import { square } from "faltung/square";

const SOBEL = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]];

/** Rows of columns. @param {number} rows @param {number} cols @param {(y: number, x: number) => number} at */
function table(rows, cols, at) {
  return Array.from({ length: rows }, (_, y) => Array.from({ length: cols }, (_, x) => at(y, x)));
}

/** By the card's name. @type {Record<string, Setting>} */
export const SETTINGS = {
  cost: {
    view: cost,
    state: { pinned: 0 },
    hint: "Set your own size, or HD.",
    needsData: true,
  },
  principles: {
    view: connect,
    state: { corner: "shared", width: 8 },
    hint: "Point at a neuron; then switch from shared to local, and to both.",
  },
  corners: {
    view: square,
    state: { height: 4, width: 4 },
    hint: "Move sharing and locality: weights become one, or vanish.",
  },
  matrices: {
    view: square,
    state: { height: 2, width: 2, up: 0, left: 0, sharing: 1, locality: 1 },
    hint: "Make it 3×3, and count.",
  },
  channels: {
    view: slide,
    state: { in_channels: 3, out_channels: 2 },
    hint: "Step through the outputs: each adds up all three channels.",
  },
  flip: {
    view: slide,
    state: { flip: true },
    hint: "Switch the flip off and on.",
  },
  sobel: {
    view: slide,
    state: { height: 8, width: 8, x: [table(8, 8, (y, x) => (y + x + 1) % 2)], w: [[SOBEL]] },
    hint: "Squares of one pixel. Edit the input: zeros on the left, ones on the right.",
  },
  shift: {
    view: shift,
    state: {},
    hint: "Drag the picture; then make the padding circular, or take a stride.",
    needsData: true,
  },
  field: {
    view: field,
    state: {},
    hint: "Click a layer, or a cell, to see what it sees.",
    needsData: true,
  },
  lost: {
    view: square,
    state: { height: 1, width: 7, up: 0, down: 0, shown: "values", given: table(7, 7, (y, x) => Number(x + y === 6)) },
    hint: "A layer that mirrors. Share its weights, and little of it is left.",
  },
  train: {
    view: network,
    state: {},
    hint: "Follow the training, then a digit on its way through.",
    needsData: true,
  },
  waldo: {
    view: lab,
    state: { task: "find", picture: "hidden", template: "eye", threshold: 0.75 },
    hint: "Lower the threshold until something else is found.",
    needsData: true,
  },
};
