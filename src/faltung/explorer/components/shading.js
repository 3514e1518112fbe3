// @ts-check
/**
 * Values of pictures as colours: greys and colours as they are, signed ones on the diverging scale.
 *
 * @import { Pixels } from "faltung/pixels"
 * @import { Shot } from "faltung/raster"
 */

import { diverging } from "faltung/colour";

const LEVELS = 512;
/** The diverging scale from -1 to 1, made once: four bytes each, as pictures have them. */
const TABLE = Uint32Array.from({ length: LEVELS + 1 }, (_, i) => packed(diverging((2 * i) / LEVELS - 1, 1)));
/** What is no number. */
const UNKNOWN = packed("#888888");

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
  const pixels = new Uint32Array(size);
  const factor = limit > 0 ? LEVELS / 2 / limit / channels : 0;
  for (let i = 0; i < size; i += 1) {
    let sum = data[i];
    for (let c = 1; c < channels; c += 1) sum += data[c * size + i];
    const level = Math.min(LEVELS, Math.max(0, Math.round(sum * factor + LEVELS / 2)));
    pixels[i] = level >= 0 ? TABLE[level] : UNKNOWN;
  }
  return { height, width, rgba: new Uint8ClampedArray(pixels.buffer) };
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

/** A colour as one number in this machine's order of bytes. @param {string} colour */
function packed(colour) {
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return new Uint32Array(Uint8Array.of(r, g, b, 255).buffer)[0];
}
