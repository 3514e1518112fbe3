// @ts-check
/** The Python call that does what Slide shows, complete: it runs as it is pasted. */

/**
 * @param {Record<string, any>} state of Slide
 * @param {[number, number][]} pads rows, then columns
 * @returns {{ line: string, full: string }}
 */
export function pythonOf(state, pads) {
  const axes = state.axes === "1" ? [1] : [0, 1];
  const pick = (/** @type {any[]} */ both) => axes.map((axis) => both[axis]);
  const each = (/** @type {any[]} */ both) => {
    const [first, ...rest] = pick(both);
    return rest.every((v) => v === first) ? String(first) : tuple(pick(both));
  };
  const padded = pick(pads);
  const settings = [
    each(state.stride) === "1" ? "" : `stride=${each(state.stride)}`,
    padded.flat().every((n) => n === 0) ? "" : `padding=${tuple(padded.map(tuple))}`,
    each(state.dilation) === "1" ? "" : `dilation=${each(state.dilation)}`,
    state.groups === 1 ? "" : `groups=${state.groups}`,
  ];
  const name = state.transposed ? "conv_transpose" : "conv";
  const flip = `[:, :, ${axes.map(() => "::-1").join(", ")}]`;
  const given = ["x", state.flip ? `w${flip}` : "w", ...settings.filter(Boolean)].join(", ");
  const line = `y = faltung.${name}(${given})`;
  const x = state.axes === "1" ? state.x.map((/** @type {any} */ rows) => rows[0]) : state.x;
  const w = state.axes === "1" ? rowsOf(state.w) : state.w;
  const full = [
    "import numpy as np",
    "import faltung",
    "",
    `x = np.array(${array([x])}, dtype=float)`,
    `w = np.array(${array(w)}, dtype=float)`,
    line,
    "print(y[0])",
    "",
  ].join("\n");
  return { line, full };
}

/** @param {any[]} values */
function tuple(values) {
  return values.length === 1 ? `(${values[0]},)` : `(${values.join(", ")})`;
}

/** @param {number[][][][]} w */
function rowsOf(w) {
  return w.map((channels) => channels.map((rows) => rows[0]));
}

/** @param {any} nested */
function array(nested) {
  return JSON.stringify(nested).replaceAll(",", ", ");
}
