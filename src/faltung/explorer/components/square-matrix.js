// @ts-check
/**
 * The weight matrices of the four corners, for one channel; tests compare with
 * `faltung.constraints`.
 *
 * Row o is the output at (⌊o / width⌋, o mod width), column p the input. An entry's offset says how
 * far the input is from the output: it decides which weight a shared layer takes, and whether a
 * local one has any.
 *
 * @typedef {object} Setting
 * @property {number} height
 * @property {number} width
 * @property {[number, number]} rows offsets of the window, first and last, down
 * @property {[number, number]} cols and across
 *
 * @typedef {"dense" | "shared" | "local" | "convolution"} Corner
 */

export const CORNERS = /** @type {Corner[]} */ (["dense", "shared", "local", "convolution"]);

/** How far input p is from output o, down and across. @param {Setting} s @param {number} o @param {number} p */
export function offset(s, o, p) {
  const down = Math.floor(p / s.width) - Math.floor(o / s.width);
  return [down, (p % s.width) - (o % s.width)];
}

/** @param {Setting} s @param {number} o @param {number} p */
export function isLocal(s, o, p) {
  const [down, across] = offset(s, o, p);
  return down >= s.rows[0] && down <= s.rows[1] && across >= s.cols[0] && across <= s.cols[1];
}

/**
 * Which weight stands at each entry of a corner's matrix: equal numbers are one weight, −1 is none.
 *
 * @param {Setting} s @param {Corner} corner
 * @returns {number[][]}
 */
export function labels(s, corner) {
  const n = s.height * s.width;
  const isShared = corner === "shared" || corner === "convolution";
  const onlyNear = corner === "local" || corner === "convolution";
  /** @type {Map<string, number>} */
  const known = new Map();
  const labelOf = (/** @type {number} */ o, /** @type {number} */ p) => {
    if (onlyNear && !isLocal(s, o, p)) return -1;
    const name = isShared ? offset(s, o, p).join() : `${o},${p}`;
    if (!known.has(name)) known.set(name, known.size);
    return known.get(name) ?? -1;
  };
  return Array.from({ length: n }, (_, o) => Array.from({ length: n }, (_, p) => labelOf(o, p)));
}

/** Parameters and entries that are not zero. @param {number[][]} labelled */
export function counts(labelled) {
  const flat = labelled.flat().filter((label) => label >= 0);
  return { params: new Set(flat).size, entries: flat.length };
}

/** The nearest matrix of a corner: the mean over tied entries, zero elsewhere.
 * @param {number[][]} matrix @param {number[][]} labelled @returns {number[][]} */
export function projection(matrix, labelled) {
  /** @type {Map<number, { sum: number, count: number }>} */
  const groups = new Map();
  each(labelled, (label, o, p) => {
    const group = groups.get(label) ?? { sum: 0, count: 0 };
    groups.set(label, { sum: group.sum + matrix[o][p], count: group.count + 1 });
  });
  const mean = (/** @type {number} */ label) => {
    const group = groups.get(label);
    return label < 0 || !group ? 0 : group.sum / group.count;
  };
  return labelled.map((row) => row.map(mean));
}

/** Σ of squares. @param {number[][]} matrix */
export function energy(matrix) {
  return matrix.flat().reduce((sum, v) => sum + v * v, 0);
}

/** Between two matrices: 0 the first, 1 the second. @param {number[][]} a @param {number[][]} b
 * @param {number} share @returns {number[][]} */
export function between(a, b, share) {
  return a.map((row, o) => row.map((v, p) => v + share * (b[o][p] - v)));
}

/** @param {number[][]} labelled @param {(label: number, o: number, p: number) => void} act */
function each(labelled, act) {
  for (const [o, row] of labelled.entries()) for (const [p, label] of row.entries()) act(label, o, p);
}

/**
 * Read a matrix that somebody pasted: rows on lines, numbers between spaces, commas or semicolons.
 *
 * @param {string} text
 * @returns {{ matrix: number[][] } | { error: string }}
 */
export function parsed(text) {
  const lines = text.split(/\r?\n/).map((line) => line.replace(/[[\](){}]/g, " ").trim()).filter(Boolean);
  const matrix = lines.map((line) => line.split(/[\s,;]+/).filter(Boolean).map((word) => Number(word.replace("−", "-"))));
  if (!matrix.length) return { error: "There is no number in it." };
  const bad = matrix.findIndex((row) => row.some((v) => !Number.isFinite(v)));
  if (bad >= 0) return { error: `Line ${bad + 1} has something that is no finite number.` };
  const n = matrix.length;
  const uneven = matrix.findIndex((row) => row.length !== n);
  if (uneven >= 0) return { error: `The matrix must be square: ${n} lines, but line ${uneven + 1} has ${matrix[uneven].length} numbers.` };
  return { matrix };
}
