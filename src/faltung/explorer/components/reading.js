// @ts-check
/** What typed answers mean: as `faltung.tour.quick_check` reads them. */

const GROUPED = /^[-+]?\d{1,3}(?:[,'_\u2009\u202f ]\d{3})+$/;
const WHOLE = /^[-+]?\d+$/;
const BETWEEN = /[\s,;/x×[\](){}]+/;

/** The letter of a choice. @param {number} index */
export function letter(index) {
  return "abcdefgh"[index];
}

/**
 * The whole numbers that a text means; null if it means something else.
 *
 * @param {string} text numbers with something between them, or one, its thousands apart or not
 * @param {boolean} several whether a comma stands between two numbers
 * @returns {number[] | null}
 */
export function wholeNumbers(text, several) {
  const given = text.replaceAll("−", "-").trim();
  if (!several && GROUPED.test(given)) return [Number(given.replace(/[^\d+-]/g, ""))];
  const parts = given.split(BETWEEN).filter((part) => part);
  return parts.every((part) => WHOLE.test(part)) ? parts.map(Number) : null;
}

/** A text in small letters, single spaces, without some signs at its ends.
 * @param {string} text @param {string} signs */
export function plain(text, signs) {
  const lower = text.toLowerCase();
  let [from, to] = [0, lower.length];
  while (from < to && signs.includes(lower[from])) from += 1;
  while (to > from && signs.includes(lower[to - 1])) to -= 1;
  return lower.slice(from, to).split(/\s+/).filter((word) => word).join(" ");
}
