// @ts-check
/**
 * Cost: what dense, local and convolutional layers cost on an image of one's own size.
 *
 * @import { LayerCost } from "faltung/cost-counts"
 * @import { View } from "faltung/view"
 */

import { Bars } from "faltung/bars";
import { button, controls } from "faltung/controls";
import { examplesWanted, layerCosts } from "faltung/cost-counts";
import { el } from "faltung/dom";
import { integer, value } from "faltung/fields";
import { number, whole } from "faltung/numbers";


const COLOURS = ["input", "muted", "other", "output"];
const SIZES = /** @type {Record<string, { height: number, width: number, in_channels: number }>} */ ({
  MNIST: { height: 28, width: 28, in_channels: 1 },
  "CIFAR-10": { height: 32, width: 32, in_channels: 3 },
  ImageNet: { height: 224, width: 224, in_channels: 3 },
  HD: { height: 1080, width: 1920, in_channels: 3 },
});

const fields = {
  height: integer("Height", 1, 1080),
  width: integer("Width", 1, 1920),
  in_channels: integer("Channels in", 1, 4),
  kernel: integer("Kernel", 1, 31),
  channels: integer("Maps out", 1, 512),
  units: integer("Dense units", 1, 4096),
  pinned: value("Pinned layer", (given) => (given === null || [0, 1, 2, 3].includes(given) ? given : undefined)),
};

/** @type {View} */
export const cost = {
  name: "cost",
  title: "Cost",
  question: "What would it cost at my size?",
  fields,
  example: { height: 224, width: 224, in_channels: 3, kernel: 3, channels: 64, units: 1000, pinned: null },
  mount(frame, store, host) {
    const known = host.data;
    /** @type {number | null} */
    let hovered = null;
    const bars = new Bars({
      label: "Parameters, on a logarithmic scale",
      onHover: (index) => {
        hovered = index;
        say();
      },
      onPin: (index) => store.set({ pinned: store.state.pinned === index ? null : index }),
    });
    const table = el("table", { class: "ft-table" });
    const words = el("div", { class: "ft-words" });
    frame.stage.append(el("h3", {}, "Parameters"), bars.element, el("div", { class: "ft-wide", tabIndex: 0, role: "region", "aria-label": "All counts" }, table), words);
    frame.panel.append(
      el("div", { class: "ft-buttons" }, ...Object.entries(SIZES).map(([name, size]) => button(name, () => store.set(size)))),
      controls(store, fields, ["height", "width", "in_channels"], "Image"),
      controls(store, fields, ["units"], "Dense layer"),
      controls(store, fields, ["kernel", "channels"], "Convolution, 'same'"),
    );

    const figures = () => {
      const layers = layerCosts(/** @type {any} */ (store.state));
      const [dense, maps, local, conv] = layers;
      return {
        layers,
        ratios: {
          params: dense.params / conv.params,
          same_size: maps.weights / conv.weights,
          neuron: dense.perNeuron / local.perNeuron,
          weights: dense.weights / conv.weights,
        },
        examples: examplesWanted(/** @type {any} */ (store.state)),
      };
    };
    const say = () => {
      const index = hovered ?? store.state.pinned;
      frame.setFormula(index === null ? "Point at a bar for its sum." : figures().layers[index].formula);
    };
    const stop = store.subscribe((state) => {
      const { layers, ratios, examples } = figures();
      const most = 10 ** Math.ceil(Math.log10(Math.max(...layers.map((l) => l.params), 1e6)));
      bars.show(layers.map((l, i) => ({ label: l.name, value: l.params, text: whole(l.params), colour: COLOURS[i] })), most, state.pinned);
      table.replaceChildren(head(), ...layers.map(row));
      words.replaceChildren(
        el("p", {}, `The dense layer to ${whole(state.units)} has ${times(ratios.params)} times the parameters of the convolution, and ${number(layers[0].params / known.vgg16)} times those of all of VGG-16 (${whole(known.vgg16)}).`),
        el("p", {}, `Locality leaves a neuron ${times(ratios.neuron)} times fewer weights. Where the size is kept, the dense layer has ${times(ratios.same_size)} times the weights of the convolution.`),
        el("p", {}, `A rule of thumb, no law, wants 5 to 10 examples a parameter: for this image → ${whole(state.units)} → 10 (${whole(examples.params)} parameters), ${whole(examples.least)} to ${whole(examples.most)}. ${known.tasks.map((/** @type {[string, number]} */ [name, count]) => `${name} has ${whole(count)}`).join(", ")}.`),
      );
      const call = `faltung.cost((${state.in_channels}, ${state.height}, ${state.width}), outputs=${state.units}, kernel=${state.kernel}, channels=${state.channels})`;
      frame.setCode(`report = ${call}`, `import faltung\n\nreport = ${call}\nprint(report)\n`);
      say();
    });
    return {
      figures,
      dispose: stop,
      onKey(event) {
        if (event.key !== "Escape") return false;
        store.set({ pinned: null });
        return true;
      },
    };
  },
};

/** A ratio, as far as it matters. @param {number} ratio */
function times(ratio) {
  return ratio >= 1000 ? whole(Math.round(ratio)) : number(ratio);
}

function head() {
  const names = ["layer", "parameters", "a neuron", "MACs", "connections", "off padding"];
  return el("thead", {}, el("tr", {}, ...names.map((name) => el("th", {}, name))));
}

/** @param {LayerCost} layer */
function row({ name, params, perNeuron, macs, connections, inside }) {
  const counts = [params, perNeuron, macs, connections, inside];
  return el("tr", {}, el("td", {}, name), ...counts.map((count) => el("td", {}, whole(count))));
}
