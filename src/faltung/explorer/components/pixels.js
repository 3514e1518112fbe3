// @ts-check
/**
 * Pictures as numbers: read in the browser, from a file of somebody's or from one that Python sent.
 *
 * @typedef {object} Pixels
 * @property {number} height
 * @property {number} width
 * @property {number} channels 1 or 3
 * @property {Float64Array} data channel by channel, row by row
 * @property {number} white the value that is shown as white
 */

/** Pixels that a file may claim before it is unpacked. */
export const MOST_PIXELS = 64 * 2 ** 20;
/** Bytes of a file. */
const LARGEST = 64 * 2 ** 20;
/** Pixels of the longer side; a larger picture is made smaller. */
export const LONGEST = 320;

/**
 * Read a picture that somebody chose, dropped or pasted.
 *
 * @param {Blob} file @param {number} [longest] pixels of its longer side
 * @returns {Promise<Pixels>}
 */
export async function readPicture(file, longest = LONGEST) {
  if (file.size > LARGEST) throw new Error(`The file is larger than ${LARGEST / 2 ** 20} MB.`);
  const claimed = claimedSize(new Uint8Array(await file.slice(0, 2 ** 18).arrayBuffer()));
  if (claimed && claimed[0] * claimed[1] > MOST_PIXELS) {
    throw new Error(`The picture has ${claimed[1]}×${claimed[0]} pixels, more than this page reads.`);
  }
  const bitmap = await unpacked(file);
  try {
    const scale = Math.min(1, longest / Math.max(bitmap.width, bitmap.height));
    const [width, height] = [bitmap.width, bitmap.height].map((n) => Math.max(1, Math.round(n * scale)));
    return drawn(bitmap, width, height);
  } finally {
    bitmap.close();
  }
}

/** A picture that Python sent. @param {{ file: string, white: number }} given @param {number} [longest] */
export async function sentPicture(given, longest = LONGEST) {
  const bytes = Uint8Array.from(atob(given.file), (sign) => sign.charCodeAt(0));
  return { ...(await readPicture(new Blob([bytes]), longest)), white: given.white };
}

/** The bytes of a picture, pixel by pixel, as base64. @param {Pixels} pixels */
export function asBytes({ data, channels }) {
  const size = data.length / channels;
  let text = "";
  for (let i = 0; i < size; i += 1) {
    for (let c = 0; c < channels; c += 1) text += String.fromCharCode(data[c * size + i]);
  }
  return btoa(text);
}

/** Numbers as base64, eight bytes each: a whole picture is too long for a list. @param {Float64Array} data */
export function asText(data) {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const parts = Array.from({ length: Math.ceil(bytes.length / 4096) }, (_, i) => String.fromCharCode(...bytes.subarray(4096 * i, 4096 * (i + 1))));
  return btoa(parts.join(""));
}

/** @param {Blob} file */
async function unpacked(file) {
  try {
    // Raw values: no colour profile, nothing multiplied by its opacity.
    return await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new Error("The file is no picture that this browser can read.");
  }
}

/** @param {ImageBitmap} bitmap @param {number} width @param {number} height @returns {Pixels} */
function drawn(bitmap, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("This browser gives no canvas.");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const size = width * height;
  let channels = 1;
  for (let i = 0; i < data.length && channels === 1; i += 4) {
    if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) channels = 3;
  }
  const values = new Float64Array(size * channels);
  for (let c = 0; c < channels; c += 1) {
    for (let i = 0; i < size; i += 1) values[c * size + i] = data[4 * i + c];
  }
  return { height, width, channels, data: values, white: 255 };
}

/**
 * The height and width that a file's head claims, for the formats that can claim much with few
 * bytes; null where it says nothing.
 *
 * @param {Uint8Array} bytes
 * @returns {[number, number] | null}
 */
export function claimedSize(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const starts = (/** @type {number[]} */ ...given) => given.every((byte, i) => bytes[i] === byte);
  if (bytes.length < 26) return null;
  if (starts(0x89, 0x50, 0x4e, 0x47)) return [view.getUint32(20), view.getUint32(16)];
  if (starts(0x47, 0x49, 0x46)) return [view.getUint16(8, true), view.getUint16(6, true)];
  if (starts(0x42, 0x4d)) return [Math.abs(view.getInt32(22, true)), Math.abs(view.getInt32(18, true))];
  return starts(0xff, 0xd8) ? claimedByJpeg(view) : null;
}

/** @param {DataView} view @returns {[number, number] | null} */
function claimedByJpeg(view) {
  let at = 2;
  while (at + 9 < view.byteLength && view.getUint8(at) === 0xff) {
    const marker = view.getUint8(at + 1);
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return [view.getUint16(at + 5), view.getUint16(at + 7)];
    at += 2 + view.getUint16(at + 2);
  }
  return null;
}
