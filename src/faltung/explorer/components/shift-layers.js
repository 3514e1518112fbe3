// @ts-check
/**
 * Layers on one map, and what a shift before and after them leaves; tests compare every value with
 * Python's. A layer is a few steps; each is a convolution, a pooling or an activation.
 *
 * @import { Border } from "faltung/filtering"
 *
 * @typedef {{ height: number, width: number, data: Float64Array }} Plane
 *
 * @typedef {object} Step
 * @property {"conv" | "max" | "avg" | "relu"} kind
 * @property {number[][]} [kernel]
 * @property {number} [window]
 * @property {number} stride
 * @property {number} before padding at the start of either axis
 * @property {number} after at its end
 * @property {Border} border
 *
 * @typedef {{ lo: number, hi: number }} Ends
 *
 * @typedef {object} Difference
 * @property {Plane} first shift, then layer
 * @property {Plane} second layer, then shift
 * @property {Plane} difference the one less the other; NaN where nothing is compared
 * @property {[number, number]} moved by how many positions the output was moved
 * @property {number | null} largest absolute difference; null where nothing is compared
 * @property {number} positions how many were compared
 * @property {number} differing
 */

import { source } from "faltung/filtering";

/** @param {Plane} x @param {Step[]} steps */
export function through(x, steps) {
  return steps.reduce((value, step) => (step.kind === "relu" ? { ...value, data: value.data.map((v) => Math.max(v, 0)) } : slid(value, step)), x);
}

/** @param {Plane} x @param {Step} step @returns {Plane} */
function slid(x, step) {
  const [kh, kw] = sizeOf(step);
  const out = (/** @type {number} */ n, /** @type {number} */ k) => Math.max(0, Math.floor((n + step.before + step.after - k) / step.stride) + 1);
  const [height, width] = [out(x.height, kh), out(x.width, kw)];
  const data = new Float64Array(height * width);
  const rows = Array.from({ length: x.height + step.before + step.after }, (_, y) => source(step.border, y - step.before, x.height));
  const cols = Array.from({ length: x.width + step.before + step.after }, (_, i) => source(step.border, i - step.before, x.width));
  const at = (/** @type {number} */ y, /** @type {number} */ i) => (rows[y] < 0 || cols[i] < 0 ? 0 : x.data[rows[y] * x.width + cols[i]]);
  const { kernel, kind, stride } = step;
  for (let y = 0; y < height; y += 1) {
    for (let i = 0; i < width; i += 1) {
      let value = kind === "max" ? -Infinity : 0;
      for (let ky = 0; ky < kh; ky += 1) {
        for (let kx = 0; kx < kw; kx += 1) {
          const v = at(y * stride + ky, i * stride + kx);
          if (kind === "max") value = Math.max(value, v);
          else value += kernel ? kernel[ky][kx] * v : v;
        }
      }
      data[y * width + i] = kind === "avg" ? value / (kh * kw) : value;
    }
  }
  return { height, width, data };
}

/** @param {Step} step */
function sizeOf({ kernel, window = 1 }) {
  return kernel ? [kernel.length, kernel[0].length] : [window, window];
}

/** How the steps' output lies over their input, on each axis: it reads size positions from start +
 * jump·o on. @param {Step[]} steps */
export function fieldOf(steps) {
  return [0, 1].map((axis) => {
    let [size, start, jump] = [1, 0, 1];
    for (const step of steps) {
      if (step.kind === "relu") continue;
      size += (sizeOf(step)[axis] - 1) * jump;
      start -= step.before * jump;
      jump *= step.stride;
    }
    return { size, start, jump };
  });
}

/** Turn a picture on its torus, or move it: what leaves is lost, and zeros come in.
 * @param {Plane} x @param {number} dy @param {number} dx @param {boolean} isTorus @returns {Plane} */
export function shifted({ height, width, data }, dy, dx, isTorus) {
  const moved = new Float64Array(data.length);
  const from = (/** @type {number} */ i, /** @type {number} */ d, /** @type {number} */ n) => source(isTorus ? "circular" : "zeros", i - d, n);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [v, u] = [from(y, dy, height), from(x, dx, width)];
      moved[y * width + x] = v < 0 || u < 0 ? 0 : data[v * width + u];
    }
  }
  return { height, width, data: moved };
}

/**
 * Shift-then-layer beside layer-then-shift. The output is moved by `shift / jump`; where that is no
 * whole number, by the whole number beside it that fits better.
 *
 * @param {Plane} x @param {Step[]} steps @param {number} dy @param {number} dx
 * @param {boolean} isTorus @param {boolean} isInside compare only where neither padding nor what
 *   came in over the border has a part
 * @returns {Difference}
 */
export function compare(x, steps, dy, dx, isTorus, isInside) {
  const first = through(shifted(x, dy, dx, isTorus), steps);
  const still = through(x, steps);
  const fields = fieldOf(steps);
  const candidates = [dy, dx].map((d, axis) => [...new Set([Math.floor(d / fields[axis].jump), Math.ceil(d / fields[axis].jump)])]);
  const areaOf = (/** @type {[number, number]} */ moved) =>
    isInside
      ? [dy, dx].map((d, axis) => inside(fields[axis], axis === 0 ? x.height : x.width, axis === 0 ? first.height : first.width, d, moved[axis]))
      : [{ lo: 0, hi: first.height }, { lo: 0, hi: first.width }];
  const found = candidates[0].flatMap((my) =>
    candidates[1].map((mx) => differenceAt(first, shifted(still, my, mx, isTorus), areaOf([my, mx]), [my, mx])),
  );
  return found.reduce((best, each) => ((each.largest ?? Infinity) < (best.largest ?? Infinity) ? each : best));
}

/** Outputs whose fields lie in the picture and in what of it was there before, both times.
 * @param {{ size: number, start: number, jump: number }} field @param {number} size @param {number} out
 * @param {number} shift @param {number} moved @returns {Ends} */
function inside({ size: seen, start, jump }, size, out, shift, moved) {
  const isClean = (/** @type {number} */ o, /** @type {number} */ lo, /** @type {number} */ hi) => start + o * jump >= lo && start + o * jump + seen <= hi;
  const good = Array.from({ length: out }, (_, o) => o).filter((o) => {
    const before = o - moved;
    const isThere = before >= 0 && before < out;
    return isThere && isClean(before, 0, size) && isClean(o, Math.max(0, shift), size + Math.min(0, shift));
  });
  return good.length ? { lo: good[0], hi: good[good.length - 1] + 1 } : { lo: 0, hi: 0 };
}

/** @param {Plane} first @param {Plane} second @param {Ends[]} area @param {[number, number]} moved @returns {Difference} */
function differenceAt(first, second, [rows, cols], moved) {
  const { height, width } = first;
  const data = new Float64Array(height * width).fill(Number.NaN);
  let [largest, differing] = [0, 0];
  for (let y = rows.lo; y < rows.hi; y += 1) {
    for (let x = cols.lo; x < cols.hi; x += 1) {
      const at = y * width + x;
      data[at] = first.data[at] - second.data[at];
      largest = Math.max(largest, Math.abs(data[at]));
      if (data[at] !== 0) differing += 1;
    }
  }
  const positions = (rows.hi - rows.lo) * (cols.hi - cols.lo);
  return { first, second, difference: { height, width, data }, moved, largest: positions ? largest : null, positions, differing };
}

/** The least shift whose multiples all leave nothing; null where no shift that was tried does.
 * @param {(number | null)[]} largest by shift, from 0 on */
export function periodOf(largest) {
  for (let shift = 1; shift < largest.length; shift += 1) {
    if (largest[shift] === null) continue;
    const multiples = largest.filter((_, d) => d > 0 && d % shift === 0);
    if (multiples.every((v) => v === null || v === 0)) return shift;
  }
  return null;
}
