// @ts-check
/**
 * What each value of a stack of layers sees, along one axis, in integers: as
 * `faltung.analysis.receptive_field` has it, and tests compare the two.
 *
 * @import { Axis, Span } from "faltung/geometry"
 *
 * @typedef {object} Layer
 * @property {"conv" | "pool" | "transposed" | "upsample"} kind
 * @property {number} kernel
 * @property {number} stride of upsampling, how often each position is repeated
 * @property {number} dilation
 * @property {"valid" | "same" | "same_lower" | "each"} padding
 * @property {number} lo
 * @property {number} hi
 *
 * @typedef {Axis & { kind: Layer["kind"], out: number }} Link a layer on one axis of known size
 *
 * @typedef {object} Field
 * @property {number} size how many positions of the input one output sees, at most
 * @property {[number, number]} jump positions of the input from one output to the next, a fraction
 * @property {number} start the first position that output 0 sees
 */

import { extent, inputSpan, outSize, padding, tap, transposedPadding, transposedSize, transposedSpan, transposedTaps } from "faltung/geometry";

/** Positions of one axis that the view can draw. */
export const LONGEST = 512;
const PERIODS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 48];
/** Positions that have to repeat before a period is believed, where there are as many. */
const WATCHED = 24;
const NAMES = { conv: "conv", pool: "maxpool", transposed: "convtranspose", upsample: "resize" };

/** What the layers are called in the graph that Python builds. @param {Layer[]} layers */
export function namesOf(layers) {
  /** @type {Record<string, number>} */
  const counts = {};
  return layers.map(({ kind }) => {
    const stem = NAMES[kind];
    counts[stem] = (counts[stem] ?? 0) + 1;
    return `${stem}${counts[stem]}`;
  });
}

/** A layer on an axis of some size. @param {Layer} layer @param {number} size @returns {Link} */
function linkOf(layer, size) {
  const { kind, stride } = layer;
  if (kind === "upsample") {
    return { kind, size, kernel: 1, stride, dilation: 1, lo: 0, hi: 0, out: size * stride };
  }
  const bare = { size, kernel: layer.kernel, stride, dilation: layer.dilation };
  const isTransposed = kind === "transposed";
  const word = layer.padding;
  const pads = word === "each" ? { lo: layer.lo, hi: layer.hi } : (isTransposed ? transposedPadding : padding)(word, bare);
  const axis = { ...bare, ...pads };
  return { kind, ...axis, out: isTransposed ? transposedSize(axis) : outSize(axis) };
}

/**
 * The layers on both axes, as far as they can be built; and why no further, in the words of the
 * error that Python gives.
 *
 * @param {Layer[]} layers @param {[number, number]} sizes
 * @returns {{ axes: [Link[], Link[]], refusal: string }}
 */
export function chainsOf(layers, sizes) {
  /** @type {[Link[], Link[]]} */
  const axes = [[], []];
  const names = namesOf(layers);
  let now = sizes;
  for (const [i, layer] of layers.entries()) {
    const links = now.map((size) => linkOf(layer, size));
    const refusal = links.map(violation).find(Boolean) ?? tooLong(names[i], links);
    if (refusal) return { axes, refusal };
    for (const axis of [0, 1]) axes[axis].push(links[axis]);
    now = [links[0].out, links[1].out];
  }
  return { axes, refusal: "" };
}

/** @param {string} name @param {Link[]} links */
function tooLong(name, links) {
  const most = Math.max(...links.map(({ out }) => out));
  if (most <= LONGEST) return "";
  return `${name} would have ${most} positions on an axis; this view draws at most ${LONGEST}.`;
}

/** @param {Link} link */
function violation(link) {
  if (link.kind === "transposed") return crops(link);
  return link.kind === "pool" ? misses(link) : "";
}

/** @param {Link} link */
function crops({ size, stride, lo, hi, ...axis }) {
  const whole = (size - 1) * stride + axis.dilation * (axis.kernel - 1) + 1;
  if (!size || (Math.max(lo, hi) <= whole && lo + hi <= whole)) return "";
  const got = `got padding=(${lo}, ${hi}), uncropped=${whole}`;
  return `conv_transpose: padding must not crop more outputs than there are, ${got}. Crop at most ${whole}. [conv_transpose T10]`;
}

/** Whether some window of a pooling holds padding alone. @param {Link} link */
function misses(link) {
  const holdsNothing = (/** @type {number} */ o) => {
    const first = Math.max(0, Math.ceil(-tap(link, o, 0) / link.dilation));
    return first >= link.kernel || tap(link, o, first) >= link.size;
  };
  const early = Math.min(link.out, Math.ceil(link.lo / link.stride));
  let isWrong = link.out > 0 && tap(link, link.out - 1, 0) >= link.size;
  for (let o = 0; o < early; o += 1) isWrong ||= holdsNothing(o);
  if (!isWrong) return "";
  const got = `got padding=(${link.lo}, ${link.hi}), size=${link.size}, extent=${extent(link)}`;
  return `pool: every window must hold at least one input, ${got}. Use less padding, or a larger kernel_size. [pool P7]`;
}

// What is seen -----------------------------------------------------------------------------------

/** What a span of a layer's outputs reads of its input. @param {Link} link @param {Span} span @returns {Span} */
export function spanBefore(link, span) {
  if (span.hi <= span.lo) return { lo: 0, hi: 0 };
  if (link.kind === "transposed") return transposedSpan(link, span);
  if (link.kind !== "upsample") return inputSpan(link, span);
  if (link.stride === 1) return span;
  const [lo, hi] = [Math.max(0, span.lo), Math.min(link.out, span.hi)];
  if (hi <= lo) return { lo: 0, hi: 0 };
  return { lo: Math.floor(lo / link.stride), hi: Math.floor((hi - 1) / link.stride) + 1 };
}

/**
 * What one output of a value sees of every value before it, the input first, itself last. Nothing
 * is clipped: what lies outside a value is padding.
 *
 * @param {Link[]} links @param {number} value 0 for the input @param {number} o
 * @returns {Span[]}
 */
export function spansOf(links, value, o) {
  const spans = [{ lo: o, hi: o + 1 }];
  for (let i = value - 1; i >= 0; i -= 1) spans.unshift(spanBefore(links[i], spans[0]));
  return spans;
}

/** The positions that one output of a layer uses, each as often as it does. @param {Link} link @param {number} o */
function taps(link, o) {
  if (link.kind === "upsample") return [Math.floor(o / link.stride)];
  if (link.kind === "transposed") return transposedTaps(link, o).map(({ i }) => i);
  return Array.from({ length: link.kernel }, (_, k) => tap(link, o, k));
}

/**
 * On how many paths each position of every value before leads to one output; 0 for those that it
 * does not see. Exact: at most kernel^layers, which is below 2^53.
 *
 * @param {Link[]} links @param {number} value @param {number} o @param {number} length of the value
 * @returns {number[][]} by value, the input first
 */
export function pathsOf(links, value, o, length) {
  let now = new Array(length).fill(0);
  now[o] = 1;
  const found = [now];
  for (let i = value - 1; i >= 0; i -= 1) {
    const before = new Array(links[i].size).fill(0);
    for (const [at, count] of now.entries()) {
      if (!count) continue;
      for (const position of taps(links[i], at)) {
        if (position >= 0 && position < before.length) before[position] += count;
      }
    }
    found.unshift(before);
    now = before;
  }
  return found;
}

/** What the outputs of a value see of the input. @param {Link[]} links @param {number} value @returns {Field} */
export function fieldOf(links, value) {
  const length = value ? links[value - 1].out : Infinity;
  /** @type {Map<number, Span>} */
  const known = new Map();
  const at = (/** @type {number} */ position) => {
    // Past a short axis only its first positions are asked for.
    const asked = position - Math.max(0, position - Math.max(length - 1, 2));
    const span = known.get(position) ?? spansOf(links, value, asked)[0];
    known.set(position, span);
    return span;
  };
  const [a, b, c] = [0, 1, 2].map(at);
  const steps = [b.lo - a.lo, c.lo - b.lo];
  const isAlike = steps[0] === steps[1] && sizeOf(a) === sizeOf(b) && sizeOf(b) === sizeOf(c);
  if (isAlike && steps[0] !== 0 && sizeOf(a) > 0) return { size: sizeOf(a), jump: [steps[0], 1], start: a.lo + 0 };
  known.clear();
  return varying(at, known, length);
}

/**
 * Upsampling makes neighbouring outputs see differently much: a whole period of them is asked, in
 * the middle, as fewer kernel copies overlap at the border.
 *
 * @param {(position: number) => Span} at @param {Map<number, Span>} known @param {number} length
 * @returns {Field}
 */
function varying(at, known, length) {
  const { period, middle } = periodOf(at, length);
  const moved = at(middle + period).lo - at(middle).lo;
  const [first, seen] = [at(0), at(middle)];
  const isEmpty = first.hi <= first.lo;
  const start = isEmpty ? seen.lo - Math.trunc((middle * moved) / period) : first.lo;
  const size = Math.max(...[...known.values()].map(sizeOf));
  const shared = divisor(Math.abs(moved), period);
  return { size, jump: [moved / shared + 0, period / shared], start: start + 0 };
}

/** @param {(position: number) => Span} at @param {number} length */
function periodOf(at, length) {
  for (const period of PERIODS) {
    if (2 * period >= Math.max(length, 3)) break;
    const ahead = Math.max(period + 1, Math.min(WATCHED, Math.floor((length - period) / 2)));
    const middle = Math.max(Math.floor((length - period - ahead) / 2), 0);
    const pairs = Array.from({ length: ahead }, (_, i) => [at(middle + i), at(middle + i + period)]);
    const steps = new Set(pairs.map(([a, b]) => `${b.lo - a.lo + 0} ${b.hi - a.hi + 0}`));
    const [first] = pairs[0];
    if (steps.size === 1 && first.hi > first.lo) return { period, middle };
  }
  const period = PERIODS.findLast((p) => p < length) ?? 1;
  const middle = Math.max(Math.floor((length - 1 - period) / 2), 0);
  for (let position = middle; position <= middle + period; position += 1) at(position);
  return { period, middle };
}

/** @param {Span} span */
export function sizeOf({ lo, hi }) {
  return Math.max(0, hi - lo);
}

/** @param {number} a @param {number} b @returns {number} */
function divisor(a, b) {
  return b ? divisor(b, a % b) : a;
}

/** The share of an axis that is seen. @param {number} size @param {number} length */
export function shareOf(size, length) {
  return length ? Math.min(size, length) / length : 1;
}

/** What is often computed instead, 1 + Σ (k − 1)·stride with each layer's own stride, for every value.
 * @param {Layer[]} layers */
export function looseOf(layers) {
  const sizes = [1];
  for (const { kind, kernel, stride } of layers) {
    const grows = kind === "conv" || kind === "pool" ? (kernel - 1) * stride : 0;
    sizes.push(sizes[sizes.length - 1] + grows);
  }
  return sizes;
}
