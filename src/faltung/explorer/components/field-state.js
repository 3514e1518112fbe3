// @ts-check
/**
 * The state of Field: the stack of layers, what is pinned, known stacks, and the Python for it.
 *
 * @import { Layer } from "faltung/field-stack"
 * @import { State } from "faltung/store"
 */

import { choice, flag, integer, value } from "faltung/fields";

export const MOST_LAYERS = 12;
const LARGEST_INPUT = 64;
/** kernel^layers paths stay exact in double precision: 21^12 < 2^53. */
const LARGEST_KERNEL = 21;
/** Values of a network from a file. */
const MOST_VALUES = 5000;

export const KINDS = { conv: "convolution", pool: "pooling", transposed: "transposed convolution", upsample: "upsampling" };
const PADDINGS = { valid: "valid: none", same: "same", same_lower: "same, extra first", each: "each side" };

/** What a layer has, as fields of the layer that is edited. */
export const layerFields = {
  kind: choice("Layer", KINDS),
  kernel: integer("Kernel", 1, LARGEST_KERNEL),
  stride: integer("Stride", 1, 8),
  dilation: integer("Dilation", 1, 16),
  padding: choice("Padding", PADDINGS, "Of a transposed convolution: how much is cropped."),
  lo: integer("Before", 0, 40),
  hi: integer("After", 0, 40),
};

/** @type {Layer} */
export const PLAIN = { kind: "conv", kernel: 3, stride: 1, dilation: 1, padding: "valid", lo: 0, hi: 0 };

const conv = (/** @type {number} */ kernel, /** @type {Partial<Layer>} */ more = {}) => ({ ...PLAIN, kernel, ...more });
const pool = (/** @type {number} */ kernel, /** @type {number} */ stride, /** @type {Partial<Layer>} */ more = {}) =>
  conv(kernel, { kind: "pool", stride, ...more });
const same = /** @type {const} */ ({ padding: "same" });

/** Known stacks. @type {Record<string, { size: number, layers: Layer[] }>} */
export const PRESETS = {
  "three 3×3": { size: 7, layers: [conv(3), conv(3), conv(3)] },
  "one 7×7": { size: 7, layers: [conv(7)] },
  "five 3×3 'same'": { size: 32, layers: Array.from({ length: 5 }, () => conv(3, same)) },
  "VGG, two stages": { size: 32, layers: [conv(3, same), conv(3, same), pool(2, 2), conv(3, same), conv(3, same), pool(2, 2)] },
  "AlexNet's start": {
    size: 64,
    layers: [conv(11, { stride: 4, padding: "each", lo: 2, hi: 2 }), pool(3, 2), conv(5, same), pool(3, 2), conv(3, same)],
  },
  "7×7 stride 2, pool 3 stride 2": { size: 32, layers: [conv(7, { stride: 2 }), pool(3, 2)] },
  "doubling dilation": { size: 64, layers: [1, 2, 4, 8].map((dilation) => conv(3, { dilation, padding: "same" })) },
  "down and up again": {
    size: 32,
    layers: [conv(3, same), pool(2, 2), conv(3, same), { ...PLAIN, kind: "transposed", kernel: 4, stride: 2, padding: "each", lo: 1, hi: 1 }, conv(3, same)],
  },
};

export const fields = {
  height: integer("Height", 1, LARGEST_INPUT),
  width: integer("Width", 1, LARGEST_INPUT),
  layers: value("Layers", cleanLayers),
  selected: integer("Selected value", 0, MOST_VALUES),
  pinned: value("Pinned", cleanPin),
  paths: flag("Count the paths", "On how many paths each position reaches the output: its effective field, all weights alike."),
  file: value("File", cleanFile),
};

/** @type {State} */
export const example = {
  height: 7,
  width: 7,
  layers: PRESETS["three 3×3"].layers,
  selected: 3,
  pinned: null,
  paths: false,
  file: null,
};

/** @param {State} state @returns {State} */
export function fit(state) {
  if (state.file) return state;
  const selected = Math.min(state.selected, state.layers.length);
  return { ...state, selected, pinned: state.pinned?.[0] === selected ? state.pinned : null };
}

/** @param {any} given @returns {Layer[] | undefined} */
function cleanLayers(given) {
  if (!Array.isArray(given) || given.length > MOST_LAYERS) return undefined;
  const cleaned = given.map(cleanLayer);
  return cleaned.every((layer) => layer !== undefined) ? cleaned : undefined;
}

/** @param {any} given @returns {Layer | undefined} */
function cleanLayer(given) {
  if (given === null || typeof given !== "object") return undefined;
  const entries = Object.entries(layerFields).map(([name, field]) => {
    const cleaned = field.clean(given[name]);
    return [name, cleaned === undefined ? PLAIN[/** @type {keyof Layer} */ (name)] : cleaned];
  });
  return /** @type {Layer} */ (Object.fromEntries(entries));
}

/** Null, or [value, row, column]. @param {any} given */
function cleanPin(given) {
  if (given === null) return null;
  return Array.isArray(given) && given.length === 3 && given.every(Number.isInteger) ? given : undefined;
}

/** Null, a network of the zoo, or what an uploaded file is asked for by, and what it was called.
 * @param {any} given */
function cleanFile(given) {
  if (given === null) return null;
  if (typeof given?.zoo === "string") return { zoo: given.zoo.slice(0, 80) };
  const isFile = typeof given === "object" && typeof given.name === "string" && typeof given.label === "string";
  return isFile ? { name: given.name.slice(0, 80), label: given.label.slice(0, 80) } : undefined;
}

/** What a layer is, in few signs. @param {Layer} layer */
export function describe({ kind, kernel, stride, dilation, padding, lo, hi }) {
  if (kind === "upsample") return `×${stride}`;
  const isPlain = padding === "valid" || (padding === "each" && !lo && !hi);
  const parts = [
    `${kernel}×${kernel}`,
    stride > 1 && `stride ${stride}`,
    dilation > 1 && `dilation ${dilation}`,
    !isPlain && (padding === "each" ? `pad ${lo}, ${hi}` : padding.replace("_", " ")),
  ];
  return parts.filter(Boolean).join(" ");
}

/** The Python that builds the stack and prints what each layer sees. @param {State} state */
export function pythonOf(state) {
  const layers = state.layers.map(callOf);
  const shape = `(1, ${state.height}, ${state.width})`;
  const needsOps = state.layers.some((/** @type {Layer} */ { kind }) => kind === "upsample");
  const full = [
    "import faltung",
    `from faltung import layers${needsOps ? ", ops" : ""}`,
    "",
    "net = layers.sketch(",
    "    layers.Chain(",
    ...layers.map((/** @type {string} */ call) => `        ${call},`),
    "    ),",
    `    ${shape},`,
    ")",
    "for name, fields in faltung.receptive_fields(net).items():",
    "    print(name, *fields)",
    "",
  ].join("\n");
  return { line: `net = layers.sketch(layers.Chain(${layers.join(", ")}), ${shape}); faltung.receptive_fields(net)`, full };
}

/** @param {Layer} layer */
function callOf(layer) {
  const { kind, kernel, stride, dilation, padding, lo, hi } = layer;
  if (kind === "upsample") return `layers.Operation(ops.Resize(scales=(1, 1, ${stride}, ${stride})))`;
  const pads = padding === "each" ? (lo === hi ? `${lo}` : `((${lo}, ${hi}), (${lo}, ${hi}))`) : `"${padding}"`;
  const isPlain = padding === "valid" || pads === "0";
  const settings = [
    kind === "pool" ? `${kernel}, stride=${stride}` : `1, ${kernel}${stride > 1 ? `, stride=${stride}` : ""}`,
    isPlain ? "" : `padding=${pads}`,
    dilation > 1 ? `dilation=${dilation}` : "",
  ];
  const name = { conv: "Conv", pool: "MaxPool", transposed: "ConvTranspose" }[kind];
  return `layers.${name}(${settings.filter(Boolean).join(", ")})`;
}
