// @ts-check
/**
 * Values of pictures as colours: greys and colours as they are, signed ones on the diverging scale.
 *
 * @import { Pixels } from "faltung/pixels"
 * @import { Shot } from "faltung/raster"
 */

import { diverging } from "faltung/colour";

const LEVELS = 512;
/** The diverging scale from -1 to 1, made once. @type {number[][]} */
const TABLE = Array.from({ length: LEVELS + 1 }, (_, i) => rgb(diverging((2 * i) / LEVELS - 1, 1)));

/** Black to white, or in colour; what is beyond is cut off. @param {Pixels} pixels @returns {Shot} */
export function plain({ height, width, channels, data, white }) {
  const size = height * width;
  const rgba = new Uint8ClampedArray(4 * size);
  const factor = 255 / white;
  for (let c = 0; c < 3; c += 1) {
    const from = channels === 3 ? c * size : 0;
    for (let i = 0; i < size; i += 1) rgba[4 * i + c] = data[from + i] * factor;
  }
  for (let i = 0; i < size; i += 1) rgba[4 * i + 3] = 255;
  return { height, width, rgba };
}

/**
 * Negative vermilion, zero white, positive blue; of colours their mean.
 *
 * @param {Pixels} pixels @param {number} limit the value of the strongest colour
 * @returns {Shot}
 */
export function signed({ height, width, channels, data }, limit) {
  const size = height * width;
  const rgba = new Uint8ClampedArray(4 * size);
  for (let i = 0; i < size; i += 1) {
    let sum = 0;
    for (let c = 0; c < channels; c += 1) sum += data[c * size + i];
    const share = limit > 0 ? sum / channels / limit : 0;
    const [r, g, b] = Number.isFinite(share) ? TABLE[Math.round(((Math.min(1, Math.max(-1, share)) + 1) / 2) * LEVELS)] : [136, 136, 136];
    rgba.set([r, g, b, 255], 4 * i);
  }
  return { height, width, rgba };
}

/** The smallest and the largest value. @param {Float64Array} data @returns {[number, number]} */
export function range(data) {
  let [low, high] = [Infinity, -Infinity];
  for (const v of data) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return data.length ? [low, high] : [0, 0];
}

/** @param {string} colour */
function rgb(colour) {
  return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
}

