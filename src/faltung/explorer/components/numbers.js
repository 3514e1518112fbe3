// @ts-check
/** How numbers are written. */

/** A number with at most four significant digits, and a minus sign that is one. @param {number} v */
export function number(v) {
  if (!Number.isFinite(v)) return Number.isNaN(v) ? "NaN" : v > 0 ? "∞" : "−∞";
  if (Number.isInteger(v)) return whole(v);
  const size = Math.abs(v);
  const text = size >= 1e5 || size < 1e-3 ? v.toExponential(2) : String(Number(v.toPrecision(4)));
  return text.replaceAll("-", "−");
}

/** An integer with commas between its thousands. @param {number} v */
export function whole(v) {
  const text = Math.abs(v).toLocaleString("en-US", { maximumFractionDigits: 0 });
  return v < 0 ? `−${text}` : text;
}

/** A share in percent. @param {number} share @param {number} [digits] */
export function percent(share, digits = 1) {
  return `${(100 * share).toFixed(digits)} %`;
}

/**
 * A sum spelt out: `1·2 + 0·(−1) + … = 3`.
 *
 * @param {[number, number][]} terms
 * @param {number} most terms that are shown; the rest are counted
 */
export function sumOf(terms, most = 12) {
  const inBrackets = (/** @type {number} */ v) => (v < 0 ? `(${number(v)})` : number(v));
  const shown = terms.slice(0, most).map(([a, b]) => `${number(a)}·${inBrackets(b)}`);
  const left = terms.length - shown.length;
  if (left > 0) shown.push(`… ${left} more`);
  const total = terms.reduce((sum, [a, b]) => sum + a * b, 0);
  return `${shown.join(" + ") || "nothing"} = ${number(total)}`;
}
