// @ts-check
/**
 * What Field says: in figures what a cell sees, how it comes about, and what is loose about the
 * popular rule.
 *
 * @import { Box, Pair, Value } from "faltung/field-network"
 * @import { Layer, Link } from "faltung/field-stack"
 */

import { dropped } from "faltung/geometry";
import { fieldOf, namesOf, sizeOf } from "faltung/field-stack";
import { number, percent, whole } from "faltung/numbers";

/** A span as positions, the last one included. @param {{ lo: number, hi: number } | null} span */
export function spanText(span) {
  if (span === null) return "all";
  if (span.hi <= span.lo) return "none";
  return span.hi === span.lo + 1 ? number(span.lo) : `${number(span.lo)}…${number(span.hi - 1)}`;
}

/** @param {{ size: number | null }[]} fields */
export function seesText(fields) {
  return fields.map(({ size }) => (size === null ? "all" : whole(size))).join("×");
}

/** @param {{ jump: [number, number] }[]} fields */
export function jumpText(fields) {
  const each = fields.map(({ jump: [a, b] }) => (b === 1 ? String(a) : `${a}/${b}`));
  return each.every((text) => text === each[0]) ? (each[0] ?? "") : each.join("×");
}

/** @param {{ start: number, size: number | null }[]} fields */
export function startText(fields) {
  const each = fields.map(({ start, size }) => (size === null ? "0" : number(start)));
  return each.every((text) => text === each[0]) ? (each[0] ?? "") : each.join(", ");
}

/**
 * How much of the input a box covers.
 *
 * @param {Box} box @param {Pair} space of the input
 * @returns {{ sides: Pair, inside: number, padding: number, share: number }}
 */
export function coverage(box, space) {
  const sides = /** @type {Pair} */ (box.map((span, axis) => (span ? sizeOf(span) : space[axis])));
  const held = box.map((span, axis) => (span ? sizeOf({ lo: Math.max(0, span.lo), hi: Math.min(space[axis], span.hi) }) : space[axis]));
  const inside = held[0] * held[1];
  return { sides, inside, padding: sides[0] * sides[1] - inside, share: space[0] * space[1] ? inside / (space[0] * space[1]) : 1 };
}

/** @param {Value} value @param {Pair} at @param {Box} box of the input @param {Value} input */
export function cellText(value, at, box, input) {
  const name = value.space[0] * value.space[1] > 1 ? `${value.name}[${at[0]}, ${at[1]}]` : value.name;
  const { sides, inside, padding, share } = coverage(box, input.space);
  if (!sides[0] || !sides[1]) return `${name} sees nothing of the input`;
  const where = box.every((span) => span === null) ? "everything" : `rows ${spanText(box[0])}, columns ${spanText(box[1])}`;
  const rest = padding ? `, and ${whole(padding)} on padding` : "";
  const all = whole(input.space[0] * input.space[1]);
  return `${name} sees ${where}: ${whole(sides[0])}×${whole(sides[1])}, ${whole(inside)} of ${all} positions (${percent(share)})${rest}`;
}

/** How the size comes about, by the exact rule and by the popular one; "" for what has no such rule.
 * @param {Layer[]} layers @param {Link[]} links @param {number} value @param {number} loose before */
export function growthText(layers, links, value, loose) {
  if (!value || links.slice(0, value).some(({ kind }) => kind === "transposed" || kind === "upsample")) return "";
  const { kernel, stride, dilation } = layers[value - 1];
  const before = value > 1 ? fieldOf(links, value - 1) : { size: 1, jump: [1, 1] };
  const size = before.size + (kernel - 1) * dilation * before.jump[0];
  const exact = `${before.size} + (${kernel} − 1)·${dilation}·${before.jump[0]} = ${size}`;
  return `size ${exact}; loose: ${loose} + (${kernel} − 1)·${stride} = ${loose + (kernel - 1) * stride}`;
}

/** One line on why the two rules differ, or that they do not. @param {Layer[]} layers @param {Value[]} values */
export function looseText(layers, values) {
  const last = values.at(-1);
  if (!last || values.length < 2) return "";
  const differ = values.some(({ fields, loose }) => fields[0].size !== loose);
  if (!differ) return "The popular rule r += (k − 1)·stride agrees here: at each layer that widens the field, its own stride, its dilation and all strides before it multiply alike.";
  const reasons = [
    layers.some((layer) => layer.stride > 1) && "a layer's own stride spreads that layer's outputs, which only later layers feel",
    layers.some((layer) => layer.dilation > 1) && "it forgets the dilation",
    layers.some(({ kind }) => kind === "upsample" || kind === "transposed") && "after upsampling a step is less than a position of the input",
  ].filter(Boolean);
  return `The popular rule r += (k − 1)·stride takes each layer's own stride. Exact: r += (k − 1)·dilation·(product of the earlier strides); ${reasons.join("; ")}.`;
}

/** What happens at the edges of a stack. @param {Layer[]} layers @param {[Link[], Link[]]} axes */
export function edgesText(layers, axes) {
  const names = namesOf(layers);
  const found = [];
  for (const [i, name] of names.entries()) {
    const links = axes.map((each) => each[i]).filter(Boolean);
    if (!links.length) break;
    if (links.some(({ out, kind }) => !out && kind !== "upsample")) {
      found.push(`${name} is empty: the kernel covers more than its padded input.`);
      break;
    }
    const [rows, cols] = links.map((link) => (["conv", "pool"].includes(link.kind) ? dropped(link) : 0));
    const parts = [rows && `${rows} row${rows > 1 ? "s" : ""}`, cols && `${cols} column${cols > 1 ? "s" : ""}`].filter(Boolean);
    if (parts.length) found.push(`${name}'s stride does not divide: the last ${parts.join(" and ")} of its padded input (hatched) reach nothing.`);
  }
  return found.join(" ");
}
