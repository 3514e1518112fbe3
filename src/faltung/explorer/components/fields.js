// @ts-check
/**
 * What a view's state may hold: each field's kind, range and label, declared once. Controls are
 * made from it, and whatever comes from a link or a notebook is cleaned by it.
 *
 * @typedef {object} Field
 * @property {"integer" | "real" | "choice" | "flag" | "text" | "value"} kind
 * @property {string} label
 * @property {(given: any) => any} clean returns a value that fits, or undefined
 * @property {number} [min]
 * @property {number} [max]
 * @property {number} [step]
 * @property {[string, string][]} [options] values and their labels
 * @property {string} [hint] one sentence, shown on the control
 *
 * @typedef {Record<string, Field>} Fields
 */

/**
 * @param {string} label @param {number} min @param {number} max @param {string} [hint]
 * @returns {Field}
 */
export function integer(label, min, max, hint) {
  const clean = (/** @type {any} */ given) =>
    typeof given === "number" && Number.isFinite(given)
      ? Math.min(max, Math.max(min, Math.round(given)))
      : undefined;
  return { kind: "integer", label, min, max, step: 1, hint, clean };
}

/**
 * @param {string} label @param {number} min @param {number} max @param {number} step
 * @param {string} [hint]
 * @returns {Field}
 */
export function real(label, min, max, step, hint) {
  const clean = (/** @type {any} */ given) =>
    typeof given === "number" && Number.isFinite(given)
      ? Math.min(max, Math.max(min, given))
      : undefined;
  return { kind: "real", label, min, max, step, hint, clean };
}

/**
 * @param {string} label @param {Record<string, string>} options labels by value
 * @param {string} [hint]
 * @returns {Field}
 */
export function choice(label, options, hint) {
  const clean = (/** @type {any} */ given) =>
    typeof given === "string" && Object.hasOwn(options, given) ? given : undefined;
  return { kind: "choice", label, options: Object.entries(options), hint, clean };
}

/** @param {string} label @param {string} [hint] @returns {Field} */
export function flag(label, hint) {
  const clean = (/** @type {any} */ given) => (typeof given === "boolean" ? given : undefined);
  return { kind: "flag", label, hint, clean };
}

/** @param {string} label @param {number} longest @returns {Field} */
export function words(label, longest) {
  const clean = (/** @type {any} */ given) =>
    typeof given === "string" ? given.slice(0, longest) : undefined;
  return { kind: "text", label, clean };
}

/**
 * A value that no single control edits: a matrix, a cell, a list.
 *
 * @param {string} label @param {(given: any) => any} clean
 * @returns {Field}
 */
export function value(label, clean) {
  return { kind: "value", label, clean };
}

/**
 * A list of lists of numbers, all rows as long; the sizes within limits.
 *
 * @param {string} label @param {number} rows at most @param {number} cols at most
 * @returns {Field}
 */
export function matrix(label, rows, cols) {
  return value(label, (given) => (isMatrix(given, rows, cols) ? given : undefined));
}

/**
 * Null, or integers that name a cell.
 *
 * @param {string} label @param {number} axes
 * @returns {Field}
 */
export function cell(label, axes) {
  const isCell = (/** @type {any} */ given) =>
    Array.isArray(given) && given.length === axes && given.every(Number.isInteger);
  return value(label, (given) => (given === null || isCell(given) ? given : undefined));
}

/**
 * Return a function that makes any object a state: fields that do not fit keep the example's value.
 *
 * @param {Fields} fields
 * @param {Record<string, any>} example
 */
export function cleaner(fields, example) {
  return (/** @type {Record<string, any>} */ given) =>
    Object.fromEntries(
      Object.entries(fields).map(([name, field]) => {
        const cleaned = field.clean(given[name]);
        return [name, cleaned === undefined ? example[name] : cleaned];
      }),
    );
}

/** @param {any} given @param {number} rows @param {number} cols */
function isMatrix(given, rows, cols) {
  if (!Array.isArray(given) || !given.length || given.length > rows) return false;
  const width = given[0]?.length;
  return (
    width >= 1 &&
    width <= cols &&
    given.every(
      (row) => Array.isArray(row) && row.length === width && row.every((v) => Number.isFinite(v)),
    )
  );
}
