// @ts-check
/**
 * What layers cost on one image, counted from their definitions; tests compare with
 * `faltung.cost`. All counts stay below 2⁵³ within the view's ranges, so they are exact.
 *
 * @typedef {object} LayerCost
 * @property {string} name
 * @property {number} weights
 * @property {number} biases
 * @property {number} params
 * @property {number} perNeuron
 * @property {number} macs
 * @property {number} connections taps on padding included
 * @property {number} inside taps on padding left out
 * @property {string} formula
 *
 * @typedef {object} Setting
 * @property {number} height
 * @property {number} width
 * @property {number} in_channels
 * @property {number} kernel
 * @property {number} channels
 * @property {number} units
 */

import { outSize, padding, tap } from "faltung/geometry";
import { whole } from "faltung/numbers";

/** Neurons of the last layer of the network that the rule of thumb is asked about. */
const CLASSES = 10;

/** @param {Setting} s @returns {LayerCost[]} dense, dense to maps, local, convolution */
export function layerCosts(s) {
  const pixels = s.height * s.width;
  const inputs = pixels * s.in_channels;
  const outputs = pixels * s.channels;
  const window = s.kernel ** 2 * s.in_channels;
  const [tall, wide] = [insidePairs(s.height, s.kernel), insidePairs(s.width, s.kernel)];
  const inside = tall * wide * s.in_channels * s.channels;
  const image = `${s.height}·${s.width}·${s.in_channels}`;
  const kernel = `${s.kernel}·${s.kernel}·${s.in_channels}`;
  return [
    layer(`dense to ${whole(s.units)}`, inputs * s.units, s.units, inputs, inputs * s.units, inputs * s.units, `${image}·${whole(s.units)} + ${whole(s.units)}`),
    layer(`dense to ${s.channels} maps`, inputs * outputs, outputs, inputs, inputs * outputs, inputs * outputs, `${image}·${s.height}·${s.width}·${s.channels} + ${s.height}·${s.width}·${s.channels}`),
    // Of its own weights none is for padding alone.
    layer(`local ${s.kernel}×${s.kernel}`, inside, outputs, window, outputs * window, inside, `${whole(tall)}·${whole(wide)} taps off padding ·${s.in_channels}·${s.channels} + ${s.height}·${s.width}·${s.channels}`),
    layer(`convolution ${s.kernel}×${s.kernel}`, window * s.channels, s.channels, window, outputs * window, inside, `${kernel}·${s.channels} + ${s.channels}`),
  ];
}

/**
 * Parameters of image → units → 10, and the 5 to 10 examples that a rule of thumb wants for each.
 *
 * @param {Setting} s
 */
export function examplesWanted(s) {
  const params = (s.height * s.width * s.in_channels + 1) * s.units + (s.units + 1) * CLASSES;
  return { params, least: 5 * params, most: 10 * params };
}

/** @param {string} name @param {number} weights @param {number} biases @param {number} perNeuron
 * @param {number} connections @param {number} inside @param {string} sum @returns {LayerCost} */
function layer(name, weights, biases, perNeuron, connections, inside, sum) {
  const params = weights + biases;
  const formula = `${name}: ${sum} = ${whole(params)} parameters`;
  return { name, weights, biases, params, perNeuron, macs: connections, connections, inside, formula };
}

/** Pairs of an output and a tap that lies inside, on one axis of a 'same' convolution.
 * @param {number} size @param {number} kernel */
function insidePairs(size, kernel) {
  const bare = { size, kernel, stride: 1, dilation: 1 };
  const axis = { ...bare, ...padding("same", bare) };
  let pairs = 0;
  for (let o = 0; o < outSize(axis); o += 1) {
    const first = tap(axis, o, 0);
    pairs += Math.max(0, Math.min(size, first + kernel) - Math.max(0, first));
  }
  return pairs;
}
