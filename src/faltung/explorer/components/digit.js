// @ts-check
/**
 * A drawing made a digit of MNIST's, in integers as `faltung.imaging.digit` does it: tests compare
 * every pixel. Images are rows of bytes.
 *
 * @typedef {object} Image
 * @property {number} rows
 * @property {number} cols
 * @property {ArrayLike<number>} pixels row by row
 *
 * @typedef {[number, number][]} Stroke columns and rows, in pixels of the pad
 */

/** The pad's side: four of its pixels are one of a digit's. */
export const PAD = 112;
const BOX = 20;
const SIDE = 28;
const CENTRE = 14;
/** Half the pen's width. */
const RADIUS = 5;
/** What was drawn of strokes before: several ask for it. @type {WeakMap<Stroke[], Image>} */
const DRAWN = new WeakMap();

/** Draw strokes with a round pen, softened over one pixel. @param {Stroke[]} strokes @returns {Image} */
export function drawn(strokes) {
  const known = DRAWN.get(strokes);
  if (known) return known;
  const pixels = new Uint8Array(PAD * PAD);
  for (const stroke of strokes) {
    for (const [i, point] of stroke.entries()) segment(pixels, stroke[Math.max(0, i - 1)], point);
  }
  const image = { rows: PAD, cols: PAD, pixels };
  DRAWN.set(strokes, image);
  return image;
}

/** @param {Uint8Array} pixels @param {[number, number]} from @param {[number, number]} to */
function segment(pixels, [ax, ay], [bx, by]) {
  const reach = RADIUS + 1;
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const [left, right] = [Math.max(0, Math.min(ax, bx) - reach), Math.min(PAD - 1, Math.max(ax, bx) + reach)];
  const [top, bottom] = [Math.max(0, Math.min(ay, by) - reach), Math.min(PAD - 1, Math.max(ay, by) + reach)];
  for (let y = top; y <= bottom; y += 1) {
    for (let x = left; x <= right; x += 1) {
      const along = length ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / length)) : 0;
      const distance = Math.hypot(x - ax - along * dx, y - ay - along * dy);
      const ink = Math.round(255 * Math.min(1, Math.max(0, RADIUS + 0.5 - distance)));
      if (ink > pixels[y * PAD + x]) pixels[y * PAD + x] = ink;
    }
  }
}

/** Boxed to 20×20, the centre of mass at (14, 14) of 28×28. @param {Image} image @returns {Image} */
export function centred(image) {
  const pixels = new Uint8Array(SIDE * SIDE);
  const cut = cutOut(image);
  if (cut) {
    const longer = Math.max(cut.rows, cut.cols);
    const [rows, cols] = [cut.rows, cut.cols].map((side) => Math.max(1, Math.floor((2 * BOX * side + longer) / (2 * longer))));
    const area = cut.rows * cut.cols;
    const boxed = sums(cut, rows, cols).map((sum) => Math.floor((2 * sum + area) / (2 * area)));
    const top = start(boxed, rows, (i) => Math.floor(i / cols));
    const left = start(boxed, cols, (i) => i % cols);
    for (const [i, v] of boxed.entries()) pixels[(top + Math.floor(i / cols)) * SIDE + left + (i % cols)] = v;
  }
  return { rows: SIDE, cols: SIDE, pixels };
}

/** Each new pixel the mean of what it covers. @param {Image} image @param {number} rows
 * @param {number} cols @returns {number[]} */
export function averaged(image, rows, cols) {
  const area = image.rows * image.cols;
  return sums(image, rows, cols).map((sum) => sum / area);
}

/** The means, times the number of old pixels. @param {Image} image @param {number} rows
 * @param {number} cols @returns {number[]} */
function sums(image, rows, cols) {
  const [down, across] = [overlaps(image.rows, rows), overlaps(image.cols, cols)];
  return Array.from({ length: rows * cols }, (_, i) => {
    let sum = 0;
    for (const [y, high] of down[Math.floor(i / cols)]) {
      for (const [x, wide] of across[i % cols]) sum += high * wide * image.pixels[y * image.cols + x];
    }
    return sum;
  });
}

/** The old pixels that each new one covers, and how much of them, an old one being `to` long.
 * @param {number} from @param {number} to @returns {[number, number][][]} */
function overlaps(from, to) {
  return Array.from({ length: to }, (_, j) => {
    /** @type {[number, number][]} */
    const found = [];
    for (let i = Math.floor((j * from) / to); i < from && i * to < (j + 1) * from; i += 1) {
      const overlap = Math.min((j + 1) * from, (i + 1) * to) - Math.max(j * from, i * to);
      if (overlap > 0) found.push([i, overlap]);
    }
    return found;
  });
}

/** What has ink; null for none. @param {Image} image @returns {Image | null} */
function cutOut({ rows, cols, pixels }) {
  let [top, bottom, left, right] = [rows, -1, cols, -1];
  for (let i = 0; i < rows * cols; i += 1) {
    if (!pixels[i]) continue;
    const [y, x] = [Math.floor(i / cols), i % cols];
    [top, bottom, left, right] = [Math.min(top, y), Math.max(bottom, y), Math.min(left, x), Math.max(right, x)];
  }
  if (bottom < 0) return null;
  const [height, width] = [bottom - top + 1, right - left + 1];
  const cut = Array.from({ length: height * width }, (_, i) => pixels[(top + Math.floor(i / width)) * cols + left + (i % width)]);
  return { rows: height, cols: width, pixels: cut };
}

/** Where the first row or column goes. @param {number[]} boxed @param {number} length
 * @param {(i: number) => number} place */
function start(boxed, length, place) {
  const room = SIDE - length;
  const mass = boxed.reduce((sum, v) => sum + v, 0);
  if (!mass) return Math.floor(room / 2);
  const moment = boxed.reduce((sum, v, i) => sum + v * place(i), 0);
  const at = Math.floor(((2 * CENTRE + 1) * mass - 2 * moment) / (2 * mass));
  return Math.min(room, Math.max(0, at));
}
