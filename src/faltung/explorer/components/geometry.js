// @ts-check
/**
 * The integers of windows on one axis, as `faltung.geometry` has them; tests compare the two.
 *
 * @typedef {object} Axis
 * @property {number} size of the input
 * @property {number} kernel
 * @property {number} stride
 * @property {number} dilation
 * @property {number} lo padding before
 * @property {number} hi padding after
 *
 * @typedef {"valid" | "same" | "same_lower" | "full"} Word
 */

/** How many positions the kernel covers. @param {Axis} axis */
export function extent(axis) {
  return axis.dilation * (axis.kernel - 1) + 1;
}

/** @param {Axis} axis */
export function outSize(axis) {
  const room = axis.size + axis.lo + axis.hi - extent(axis);
  return room < 0 ? 0 : Math.floor(room / axis.stride) + 1;
}

/** How many positions at the end of the padded input no window reaches. @param {Axis} axis */
export function dropped(axis) {
  const out = outSize(axis);
  const padded = axis.size + axis.lo + axis.hi;
  return out === 0 ? padded : padded - ((out - 1) * axis.stride + extent(axis));
}

/** The position that kernel index k reads for output o; outside the input it is padding.
 * @param {Axis} axis @param {number} o @param {number} k */
export function tap(axis, o, k) {
  return o * axis.stride - axis.lo + k * axis.dilation;
}

/** The outputs that read a position, with the kernel index each uses.
 * @param {Axis} axis @param {number} position
 * @returns {{ o: number, k: number }[]} */
export function readers(axis, position) {
  const found = [];
  const out = outSize(axis);
  for (let k = 0; k < axis.kernel; k += 1) {
    const at = position + axis.lo - k * axis.dilation;
    if (at % axis.stride === 0 && at / axis.stride >= 0 && at / axis.stride < out) {
      found.push({ o: at / axis.stride, k });
    }
  }
  return found.sort((a, b) => a.o - b.o);
}

/** What a padding word means on an axis. @param {Word} word @param {Omit<Axis, "lo" | "hi">} axis */
export function padding(word, axis) {
  const reach = axis.dilation * (axis.kernel - 1);
  if (word === "valid") return { lo: 0, hi: 0 };
  if (word === "full") return { lo: reach, hi: reach };
  const out = Math.ceil(axis.size / axis.stride);
  const total = Math.max((out - 1) * axis.stride + reach + 1 - axis.size, 0);
  const less = Math.floor(total / 2);
  return word === "same" ? { lo: less, hi: total - less } : { lo: total - less, hi: less };
}

/** The size of a transposed convolution's output. @param {Axis} axis @param {number} [more] */
export function transposedSize(axis, more = 0) {
  if (axis.size === 0) return 0;
  return Math.max(0, (axis.size - 1) * axis.stride - axis.lo - axis.hi + extent(axis) + more);
}

/** The inputs that one output of a transposed convolution uses, with their kernel indices.
 * @param {Axis} axis @param {number} o */
export function transposedTaps(axis, o) {
  const found = [];
  for (let k = 0; k < axis.kernel; k += 1) {
    const at = o + axis.lo - k * axis.dilation;
    if (at % axis.stride === 0 && at / axis.stride >= 0 && at / axis.stride < axis.size) {
      found.push({ i: at / axis.stride, k });
    }
  }
  return found.sort((a, b) => a.i - b.i);
}

/**
 * What a transposed convolution crops for a padding word: `same` leaves size·stride outputs, for
 * which kernels shorter than the stride need more, a negative `hi`.
 *
 * @param {Word} word @param {Omit<Axis, "lo" | "hi">} axis
 */
export function transposedPadding(word, axis) {
  if (word === "valid" || word === "full") return padding(word, axis);
  const total = axis.dilation * (axis.kernel - 1) + 1 - axis.stride;
  const less = Math.floor(Math.max(total, 0) / 2);
  return word === "same" || total < 0 ? { lo: less, hi: total - less } : { lo: total - less, hi: less };
}

/**
 * Positions lo, lo + 1, …, hi - 1; empty if hi is not above lo.
 *
 * @typedef {{ lo: number, hi: number }} Span
 */

/** The smallest span that holds what the outputs of a span read, padding included.
 * @param {Axis} axis @param {Span} span @returns {Span} */
export function inputSpan(axis, { lo, hi }) {
  if (hi <= lo) return { lo: 0, hi: 0 };
  return { lo: lo * axis.stride - axis.lo, hi: (hi - 1) * axis.stride - axis.lo + extent(axis) };
}

/** The same of a transposed convolution, which has no padding to read.
 * @param {Axis} axis @param {Span} span @returns {Span} */
export function transposedSpan(axis, { lo, hi }) {
  if (hi <= lo) return { lo: 0, hi: 0 };
  const low = Math.max(0, Math.ceil((lo + axis.lo - extent(axis) + 1) / axis.stride));
  const high = Math.min(axis.size, Math.floor((hi - 1 + axis.lo) / axis.stride) + 1);
  const isRead = (/** @type {number} */ i) => {
    const start = i * axis.stride - axis.lo;
    const k = Math.max(0, Math.ceil((lo - start) / axis.dilation));
    return start + k * axis.dilation < hi;
  };
  let first = low;
  while (first < high && !isRead(first)) first += 1;
  if (first >= high) return { lo: 0, hi: 0 };
  let last = high - 1;
  while (!isRead(last)) last -= 1;
  return { lo: first, hi: last + 1 };
}
