// @ts-check
/** The Python that does what Lab shows, complete: it runs as it is pasted. */

/**
 * @import { Pixels } from "faltung/pixels"
 *
 * @typedef {object} Named what a picture is called in Python
 * @property {string} picture a name of the explorer's pictures; "" for a file
 * @property {string} file
 */

/**
 * @param {Record<string, any>} state of Lab
 * @param {Named} named
 * @param {string} filter the kernel's name in the library, or ""
 * @param {Pixels} x
 */
export function filterPython(state, named, filter, x) {
  const kernels = state.kernels;
  const how = [state.flip ? 'mode="convolve"' : "", state.border === "zeros" ? "" : `border="${state.border}"`].filter(Boolean);
  const call = (/** @type {string} */ kernel) => `faltung.filter_image(${["image", kernel, ...how].join(", ")})`;
  const isPair = kernels.length === 2 && !filter;
  const calls = isPair ? `np.hypot(${call("a")}, ${call("b")})` : call(filter ? `"${filter}"` : "kernel");
  const line = `y = ${adjusted(`${calls}${crop(state, x)}`, state)}`;
  const names = isPair ? ["a", "b"] : ["kernel"];
  const arrays = filter ? [] : kernels.map((/** @type {number[][]} */ kernel, /** @type {number} */ i) => `${names[i]} = np.array(${array(kernel)})`);
  return { line, full: [...opening(named, ["import numpy as np", "import faltung"]), ...arrays, line, "print(y)", ""].join("\n") };
}

/** @param {Record<string, any>} state @param {Named} named @param {Named} template */
export function findPython(state, named, template) {
  const settings = [`threshold=${state.threshold}`, state.min_visible === 0.5 ? "" : `min_visible=${state.min_visible}`].filter(Boolean);
  const line = `found = find(template, image, ${settings.join(", ")})`;
  const [top, left, height, width] = state.box;
  const cut = `template = image[${top}:${top + height}, ${left}:${left + width}]`;
  const given = state.template === "cut" ? cut : state.template === "eye" ? 'template = picture("eye")' : `template = read_image(${JSON.stringify(template.file)})`;
  const start = opening(named, ["from faltung.imaging import find"], state.template === "eye");
  if (state.template === "own" && named.picture) start.splice(-2, 0, "from faltung.files.image import read_image");
  return { line, full: [...start, given, line, "print(found)", ""].join("\n") };
}

/** @param {Record<string, any>} state @param {Named} named @param {string} model a file's name, or "" */
export function detectPython(state, named, model) {
  const [load, network] = model
    ? ["import faltung", `model = faltung.load(${JSON.stringify(model)})`]
    : ["from faltung.explorer.recorded import network", "model = network()"];
  const line = `found = scan(model, image, threshold=${state.certain})`;
  const start = opening(named, [load, "from faltung.imaging import scan"]);
  return { line, full: [...start, network, line, "print(found)", ""].join("\n") };
}

/** @param {Named} named @param {string[]} imports @param {boolean} [needsPicture] */
function opening(named, imports, needsPicture = false) {
  const ours = "from faltung.explorer.data_lab import picture";
  const theirs = "from faltung.files.image import read_image";
  const both = [named.picture || needsPicture ? ours : "", named.picture ? "" : theirs].filter(Boolean);
  const image = named.picture ? `image = picture("${named.picture}")` : `image = read_image(${JSON.stringify(named.file)})  # the page may have made it smaller`;
  return [...imports, ...both, "", image];
}

/** Outputs whose window lies inside the picture. @param {Record<string, any>} state @param {Pixels} x */
function crop({ size, kernels, flip }, x) {
  if (size === "same") return "";
  const parts = [x.height, x.width].map((length, axis) => {
    const n = axis === 0 ? kernels[0].length : kernels[0][0].length;
    const before = flip ? n - 1 - Math.floor(n / 2) : Math.floor(n / 2);
    const count = Math.max(0, length - n + 1);
    return count ? `${before}:${before + count}` : "0:0";
  });
  return `[${parts.join(", ")}]`;
}

/** @param {string} y @param {Record<string, any>} state */
function adjusted(y, { absolute, scale, offset }) {
  const bare = absolute ? `np.abs(${y})` : y;
  const scaled = scale === 1 ? bare : `${bare} * ${scale}`;
  return offset === 0 ? scaled : `${scaled} ${offset < 0 ? "-" : "+"} ${Math.abs(offset)}`;
}

/** @param {any} nested */
function array(nested) {
  return JSON.stringify(nested).replaceAll(",", ", ");
}
