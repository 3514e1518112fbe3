// @ts-check
/**
 * The Python that does what Network shows, complete: it runs as it is pasted.
 *
 * @import { Image } from "faltung/digit"
 * @import { State } from "faltung/store"
 */

/**
 * @param {State} state of Network
 * @param {object} shown
 * @param {number} shown.snapshot of the recording
 * @param {[number, number, number]} shown.inShape
 * @param {Image} shown.ink what goes in, before it is fitted to the network
 * @param {boolean} shown.isCentred whether it is still to be boxed and centred
 * @param {number | null} shown.index of a test digit
 * @returns {{ line: string, full: string }}
 */
export function pythonOf(state, { snapshot, inShape, ink, isCentred, index }) {
  const [graph, imports] = graphOf(state, snapshot);
  const given =
    index === null
      ? [`ink = np.frombuffer(base64.b64decode("${text(ink.pixels)}"), np.uint8).reshape(${ink.rows}, ${ink.cols})`]
      : [`ink = faltung.datasets.load("sample", split="test").images[${index}, 0]`];
  const settings = `is_centred=${isCentred ? "True" : "False"}, unit="${state.unit}"`;
  const full = [
    "import base64",
    "import numpy as np",
    "import faltung",
    "from faltung.explorer.activations import fed",
    ...imports,
    "",
    ...given,
    `x = fed(ink, (${inShape.join(", ")}), ${settings})`,
    ...graph,
    "scores = graph(x[None])",
    "print(scores[0].round(2))",
    "",
  ].join("\n");
  return { line: `${graph.at(-1)}; scores = graph(x[None])`, full };
}

/** @param {State} state @param {number} snapshot @returns {[string[], string[]]} */
function graphOf(state, snapshot) {
  if (state.model === "live") {
    const digits = state.train === "zero-one" ? 'faltung.datasets.zero_one(faltung.datasets.load("sample"))' : 'faltung.datasets.load("sample")';
    const recipe = `replace(recipe_for("${state.train}"), epochs=${state.epochs}, lr=${state.lr})`;
    return [
      [`digits = ${digits}`, `graph = train(start_new("${state.train}", digits), digits, recipe=${recipe}).graph`],
      ["from dataclasses import replace", "from faltung.training import recipe_for, train", "from faltung.training.start import start_new"],
    ];
  }
  if (!state.model) return [[`graph = network(${snapshot})`], ["from faltung.explorer.recorded import network"]];
  if (state.model.startsWith("zoo:")) return [[`graph = faltung.zoo.build("${state.model.slice(4)}")`], ["import faltung.zoo"]];
  return [[`graph = faltung.load(${JSON.stringify(state.label || "model.onnx")})`], []];
}

/** @param {ArrayLike<number>} pixels */
function text(pixels) {
  return btoa(Array.from(pixels, (byte) => String.fromCharCode(byte)).join(""));
}
