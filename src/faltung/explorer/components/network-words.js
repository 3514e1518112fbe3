// @ts-check
/**
 * What Network says in words and numbers: the sum under one cell, and where the training stands.
 *
 * @import { MapCell } from "faltung/maps"
 * @import { LiveRun } from "faltung/network-live"
 * @import { Window } from "faltung/network-run"
 * @import { Opened, Seen, Snapshot } from "faltung/network-source"
 * @import { Active } from "faltung/network-stage"
 */

import { byMap, termsOf } from "faltung/network-detail";
import { number, percent, sumOf, whole } from "faltung/numbers";

/** How well the network does at a moment. @param {string} model @param {Snapshot | undefined} here
 * @param {LiveRun | null} live */
export function momentWords(model, here, live) {
  if (model.startsWith("zoo:")) return "Its weights are fresh: it has learned nothing yet.";
  if (model === "live" && !here) return live ? "The run is starting." : "That run was another page's; start one of your own.";
  if (!here) return "";
  const told = here.accuracy === undefined ? "" : `: ${percent(here.accuracy)} of 1,000 test digits are told right`;
  const ended = model === "live" && live?.ended ? ` The run has ended: ${live.ended}.` : "";
  return `After ${whole(here.step)} steps${told}.${ended}`;
}

/** The numbers of a cell: a pixel's value, or what the cell was computed from.
 * @param {Opened} opened @param {Seen} seen @param {Active} active @param {Window | null} window */
export function formula(opened, seen, [layer, map, y, x], window) {
  if (!layer) {
    const [, rows, cols] = seen.maps[0].shape;
    return `pixel (${y}, ${x}) = ${number(seen.maps[0].values[(map * rows + y) * cols + x])}`;
  }
  if (!window) return "";
  const shares = byMap(window).sort((a, b) => Math.abs(b.sum) - Math.abs(a.sum));
  if (window.kind !== "sum" || shares.length < 2) return spelt(window, opened);
  const most = shares.slice(0, 3).map((each) => `${each.map}: ${number(each.sum)}`);
  return `${spelt(window, opened)} · most from map ${most.join(", map ")}`;
}

/** Everything about the cell in one line. @param {Window} window @param {Opened} opened */
function spelt(window, opened) {
  const layer = opened.layers[window.layer];
  const name = `${layer.name}[${indexOf(layer.shape, window.at).join(", ")}]`;
  const value = number(window.value ?? NaN);
  const [read] = window.reads;
  if (!read) return `${name} = ${value}`;
  if (window.kind === "sum") {
    const terms = termsOf(window);
    const shown = sumOf(terms, 9).split(" = ")[0];
    const unseen = window.count - terms.length;
    const bias = window.bias ? ` + bias ${number(window.bias)}` : "";
    const padded = read.at.filter(([, y, x]) => !isInside(opened, read.from, y, x)).length;
    const note = padded ? `   (${padded} of ${whole(window.count)} on padding)` : "";
    return `${name} = ${shown}${unseen > 0 ? ` and ${whole(unseen)} more` : ""}${bias} = ${value}${note}`;
  }
  const values = window.reads.flatMap((each) => each.values).map((v) => number(v ?? NaN));
  const listed = values.slice(0, 12).join(", ") + (window.count > 12 ? `, … ${whole(window.count - 12)} more` : "");
  const verb = { max: "largest of", mean: "mean of", of: `${window.operator ?? layer.operator} of`, sum: "" }[window.kind];
  return `${name} = ${verb} ${listed} = ${value}`;
}

/** How the layer's array counts the cell. @param {[number, number, number]} shape @param {MapCell} at */
function indexOf([maps, rows], [c, y, x]) {
  return maps === 1 && rows === 1 ? [x] : [c, y, x];
}

/** @param {Opened} opened @param {number | null} layer @param {number} y @param {number} x */
function isInside(opened, layer, y, x) {
  if (layer === null) return true;
  const [, rows, cols] = opened.layers[layer].shape;
  return y >= 0 && x >= 0 && y < rows && x < cols;
}
