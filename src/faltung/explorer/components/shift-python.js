// @ts-check
/** The Python that does what Shift shows, complete: it runs as it is pasted. */

/**
 * @param {Record<string, any>} state of Shift
 * @param {[number, number]} moved
 * @param {{ picture: string, file: string }} named
 */
export function shiftPython(state, moved, named) {
  const shift = (/** @type {string} */ x, /** @type {[number, number]} */ [dy, dx]) =>
    state.move === "torus" ? `np.roll(${x}, (${dy}, ${dx}), (0, 1))` : `moved(moved(${x}, 0, ${dy}), 1, ${dx})`;
  const line = `layer(${shift("x", [state.dy, state.dx])}) - ${shift("layer(x)", moved)}`;
  const ours = named.picture ? "from faltung.explorer.data_shift import picture" : "from faltung.files.image import read_image";
  const picture = named.picture
    ? `x = picture("${named.picture}").astype(float)`
    : `x = read_image(${JSON.stringify(named.file)}).astype(float)  # the page made it grey and smaller`;
  const full = [
    "import numpy as np",
    "import faltung",
    ...(state.move === "border" ? ["from faltung.analysis.invariance import moved"] : []),
    ours,
    "",
    picture,
    ...layerOf(state),
    `difference = ${line}`,
    "print(np.abs(difference).max())",
    "",
  ];
  return { line, full: full.join("\n") };
}

/** @param {{ dy: number, dx: number }} state @param {{ picture: string, file: string }} named */
export function networkPython({ dy, dx }, named) {
  const line = `faltung.equivariance(network, shifts=[${Math.max(1, Math.abs(dx), Math.abs(dy))}])`;
  const load = named.file ? ["import faltung", "", `network = faltung.load(${JSON.stringify(named.file)})`] : ["import faltung", "from faltung.explorer.recorded import network as recorded", "", "network = recorded()"];
  return { line, full: [...load, `found = ${line}`, "print(found)", ""].join("\n") };
}

/** @param {Record<string, any>} state */
function layerOf({ layer, kernel, padding, stride, window }) {
  const w = `w = np.array(${JSON.stringify(kernel).replaceAll(",", ", ")}, dtype=float)`;
  const [lo, hi] = [Math.floor((kernel.length - 1) / 2), Math.floor(kernel.length / 2)];
  const conv = (/** @type {string} */ x, /** @type {number} */ by) =>
    `faltung.conv(${x}, w[None, None], stride=${by}, padding=((${lo}, ${hi}), (${lo}, ${hi})), padding_mode="${padding}")`;
  const pool = (/** @type {string} */ x, /** @type {string} */ kind, /** @type {number} */ by, /** @type {number} */ size) => `faltung.${kind}_pool(${x}, ${size}, stride=${by})`;
  const head = "def layer(x):";
  if (layer === "conv" || layer === "stride") return [w, head, `    return ${conv("x[None, None]", layer === "conv" ? 1 : stride)}[0, 0]`];
  if (layer === "max" || layer === "avg") return [head, `    return ${pool("x[None, None]", layer, stride, window)}[0, 0]`];
  if (layer === "stack") return [w, head, `    y = np.maximum(${conv("x[None, None]", 1)}, 0)`, `    return np.maximum(${conv(pool("y", "max", 2, window), 1)}, 0)[0, 0]`];
  const isCircular = padding === "circular";
  return [
    "w = np.outer([1, 2, 1], [1, 2, 1]) / 16",
    head,
    ...(isCircular ? [`    x = np.pad(x, (0, ${window - 1}), "wrap")`] : []),
    `    y = ${pool("x[None, None]", "max", 1, window)}`,
    `    return faltung.conv(y, w[None, None], stride=${stride}, padding=1, padding_mode="${isCircular ? "circular" : "reflect"}")[0, 0]`,
  ];
}
