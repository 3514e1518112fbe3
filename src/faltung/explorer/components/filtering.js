// @ts-check
/**
 * Filters on pictures, as `faltung.filter_image` has them; tests compare every value with Python's.
 *
 * correlate: y[i] = Σ_k kernel[k] · x[i + k - anchor]; convolve: y[i] = Σ_k kernel[k] · x[i - k + anchor];
 * the anchor is entry size // 2.
 *
 * @import { Pixels } from "faltung/pixels"
 *
 * @typedef {"zeros" | "reflect" | "replicate" | "circular" | "symmetric"} Border
 * @typedef {{ border: Border, isFlipped: boolean, isValid: boolean }} How
 */

/**
 * The position inside [0, size) whose value stands at a position; -1 for a zero.
 *
 * @param {Border} border @param {number} position @param {number} size
 */
export function source(border, position, size) {
  if (position >= 0 && position < size) return position;
  if (border === "zeros" || !size) return -1;
  if (border === "circular") return ((position % size) + size) % size;
  if (border === "replicate") return Math.min(Math.max(position, 0), size - 1);
  if (size === 1) return 0;
  const repeated = border === "symmetric" ? 1 : 0;
  const period = 2 * size - 2 * (1 - repeated);
  const folded = ((position % period) + period) % period;
  return folded < size ? folded : period - folded - repeated;
}

/** A kernel as it slides: mirrored along both axes where it is flipped. @param {number[][]} kernel @param {boolean} isFlipped */
export function applied(kernel, isFlipped) {
  return isFlipped ? kernel.map((row) => [...row].reverse()).reverse() : kernel;
}

/** How far the window reaches before the pixel it belongs to. @param {number} size @param {boolean} isFlipped */
export function reachBefore(size, isFlipped) {
  const anchor = Math.floor(size / 2);
  return isFlipped ? size - 1 - anchor : anchor;
}

/**
 * Filter every channel; "valid" leaves only outputs whose window lies inside.
 *
 * @param {Pixels} x @param {number[][]} kernel @param {How} how
 * @returns {Pixels}
 */
export function filtered(x, kernel, how) {
  const [kh, kw] = [kernel.length, kernel[0].length];
  const [top, left] = how.isValid ? [0, 0] : [reachBefore(kh, how.isFlipped), reachBefore(kw, how.isFlipped)];
  const height = how.isValid ? Math.max(0, x.height - kh + 1) : x.height;
  const width = how.isValid ? Math.max(0, x.width - kw + 1) : x.width;
  const data = new Float64Array(height * width * x.channels);
  const w = applied(kernel, how.isFlipped);
  if (!data.length) return { ...x, height, width, data };
  const rows = Array.from({ length: height + kh - 1 }, (_, y) => source(how.border, y - top, x.height));
  const cols = Int32Array.from({ length: width + kw - 1 }, (_, i) => source(how.border, i - left, x.width));
  const line = new Float64Array(cols.length);
  for (let c = 0; c < x.channels; c += 1) {
    const from = c * x.height * x.width;
    const to = c * height * width;
    for (const [y, row] of rows.entries()) {
      if (row < 0) continue;
      for (let i = 0; i < cols.length; i += 1) line[i] = cols[i] < 0 ? 0 : x.data[from + row * x.width + cols[i]];
      // This row of the picture meets row ky of the kernel for output row y - ky.
      for (let ky = Math.max(0, y - height + 1); ky < kh && ky <= y; ky += 1) {
        addRow(data, to + (y - ky) * width, width, line, w[ky]);
      }
    }
  }
  return { ...x, height, width, data };
}

/** @param {Float64Array} out @param {number} at @param {number} width @param {Float64Array} line @param {number[]} weights */
function addRow(out, at, width, line, weights) {
  for (let kx = 0; kx < weights.length; kx += 1) {
    const weight = weights[kx];
    if (weight === 0) continue;
    for (let i = 0; i < width; i += 1) out[at + i] += weight * line[i + kx];
  }
}

/**
 * One kernel, or the root of the sum of squares of a pair.
 *
 * @param {Pixels} x @param {number[][][]} kernels @param {How} how
 */
export function response(x, kernels, how) {
  const answers = kernels.map((kernel) => filtered(x, kernel, how));
  if (answers.length === 1) return answers[0];
  const [a, b] = answers;
  return { ...a, data: a.data.map((v, i) => Math.sqrt(v * v + b.data[i] * b.data[i])) };
}

/**
 * What one output of a channel adds up: the pixel under each entry (0 outside) and the entry.
 *
 * @param {Pixels} x @param {number[][]} kernel @param {How} how
 * @param {number} c @param {number} y @param {number} column of the output
 * @returns {{ at: [number, number], a: number, b: number, isInside: boolean }[]}
 */
export function windowOf(x, kernel, how, c, y, column) {
  const [top, left] = how.isValid
    ? [0, 0]
    : [kernel.length, kernel[0].length].map((n) => reachBefore(n, how.isFlipped));
  return applied(kernel, how.isFlipped).flatMap((row, ky) =>
    row.map((b, kx) => {
      const at = /** @type {[number, number]} */ ([y - top + ky, column - left + kx]);
      const [sy, sx] = [source(how.border, at[0], x.height), source(how.border, at[1], x.width)];
      const isInside = at[0] >= 0 && at[1] >= 0 && at[0] < x.height && at[1] < x.width;
      const a = sy < 0 || sx < 0 ? 0 : x.data[(c * x.height + sy) * x.width + sx];
      return { at, a, b, isInside };
    }),
  );
}

/**
 * A column and a row whose outer product is the kernel, as `faltung.imaging.separable` finds them;
 * null where there are none.
 *
 * @param {number[][]} kernel
 * @returns {[number[], number[]] | null}
 */
export function factors(kernel) {
  const flat = kernel.flat();
  const largest = Math.max(...flat.map(Math.abs));
  if (largest === 0) return null;
  const at = flat.findIndex((v) => Math.abs(v) === largest);
  const [y, x] = [Math.floor(at / kernel[0].length), at % kernel[0].length];
  const [column, row] = [kernel.map((line) => line[x]), kernel[y]];
  return flat.every(Number.isInteger) ? wholeFactors(kernel, column, row, y, x) : realFactors(kernel, column, row, y, x);
}

/** @param {number[][]} kernel @param {number[]} column @param {number[]} row @param {number} y @param {number} x
 * @returns {[number[], number[]] | null} */
function wholeFactors(kernel, column, row, y, x) {
  const [a, b] = [column, row].map((line) => {
    const divisor = line.reduce(greatestCommonDivisor); // of one number: itself
    return line.map((v) => v / divisor);
  });
  const content = kernel[y][x] / (a[y] * b[x]);
  const scaled = a.map((v) => v * content + 0);
  const fits = Number.isInteger(content) && kernel.every((line, i) => line.every((v, j) => scaled[i] * b[j] === v));
  return fits ? [scaled, b] : null;
}

/** @param {number} a @param {number} b @returns {number} */
function greatestCommonDivisor(a, b) {
  return b === 0 ? Math.abs(a) : greatestCommonDivisor(b, a % b);
}

/** @param {number[][]} kernel @param {number[]} column @param {number[]} row @param {number} y @param {number} x
 * @returns {[number[], number[]] | null} */
function realFactors(kernel, column, row, y, x) {
  const scaled = row.map((v) => v / kernel[y][x]);
  const roundoff = 16 * 2 ** -53;
  const fits = kernel.every((line, i) => line.every((v, j) => Math.abs(column[i] * scaled[j] - v) <= roundoff * Math.abs(v)));
  return fits ? [column, scaled] : null;
}
