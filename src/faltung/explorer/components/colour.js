// @ts-check
/** Colours of values and of tied weights; those of the theme are CSS variables. */

const STOPS = /** @type {[number, number, number][]} */ (
  ["#b04a00", "#d55e00", "#f3c2a0", "#ffffff", "#9fc9e4", "#0072b2", "#00507d"].map(parts)
);
const AMOUNTS = /** @type {[number, number, number][]} */ (
  ["#ffffff", "#7cc9b2", "#007a59"].map(parts)
);

/** Where pages and notebooks say which theme they have. */
const THEME_MARKS = ["class", "data-theme", "data-jp-theme-light"];

/**
 * Call a function whenever the theme may have changed: what is drawn on a canvas keeps its colours.
 *
 * @param {() => void} redraw
 * @returns {() => void} ends it
 */
export function onTheme(redraw) {
  const marks = new MutationObserver(redraw);
  for (const marked of [document.documentElement, document.body]) marks.observe(marked, { attributeFilter: THEME_MARKS });
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", redraw);
  return () => {
    marks.disconnect();
    system.removeEventListener("change", redraw);
  };
}

/** The stops, so that a test can compare them with Python's. */
export const DIVERGING_STOPS = STOPS.map(hex);
export const AMOUNT_STOPS = AMOUNTS.map(hex);

/** Negative vermilion, zero white, positive blue. @param {number} v @param {number} limit */
export function diverging(v, limit) {
  if (!Number.isFinite(v)) return "#888888";
  return hex(between(STOPS, limit > 0 ? (v / limit + 1) / 2 : 0.5));
}

/** From none, white, to much, green. @param {number} v @param {number} limit */
export function amount(v, limit) {
  if (!Number.isFinite(v)) return "#888888";
  return hex(between(AMOUNTS, limit > 0 ? v / limit : 0));
}

/** Grey: 0 black, `limit` white. @param {number} v @param {number} limit */
export function grey(v, limit) {
  const level = Math.round(255 * Math.min(1, Math.max(0, limit > 0 ? v / limit : 0)));
  return hex([level, level, level]);
}

/** A colour for each of many tied weights, neighbours far apart. @param {number} index */
export function hue(index) {
  const turn = (0.67 + index * 0.618034) % 1;
  const light = 68 + 16 * ((index * 0.754878) % 1);
  return `hsl(${(360 * turn).toFixed(1)} ${(48 + 22 * ((index * 0.56984) % 1)).toFixed(1)}% ${light.toFixed(1)}%)`;
}

/** Black or white, whichever reads better on a colour given as #rrggbb. @param {string} colour */
export function textOn(colour) {
  if (!colour.startsWith("#")) return "#000000";
  const [r, g, b] = parts(colour).map((channel) => {
    const level = channel / 255;
    return level <= 0.04045 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) ? "#000000" : "#ffffff";
}

/** @param {[number, number, number][]} stops @param {number} at from 0 to 1 */
function between(stops, at) {
  const place = Math.min(1, Math.max(0, at)) * (stops.length - 1);
  const low = Math.min(Math.floor(place), stops.length - 2);
  const share = place - low;
  return stops[low].map((v, i) => Math.round(v + share * (stops[low + 1][i] - v)));
}

/** @param {string} colour */
function parts(colour) {
  return [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
}

/** @param {number[]} rgb */
function hex(rgb) {
  return `#${rgb.map((v) => v.toString(16).padStart(2, "0")).join("")}`;
}
