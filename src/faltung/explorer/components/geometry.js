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
