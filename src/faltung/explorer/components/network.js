// @ts-check
/**
 * Network: what it learned, and what happens to a digit on its way through.
 *
 * @import { Curve } from "faltung/network-live"
 * @import { Window } from "faltung/network-run"
 * @import { Opened, Seen, Snapshot } from "faltung/network-source"
 * @import { Active, Looked } from "faltung/network-stage"
 * @import { State, Store } from "faltung/store"
 * @import { Host, Shown, View } from "faltung/view"
 */

import { centred, drawn } from "faltung/digit";
import { Frame } from "faltung/frame";
import { earlierMap, strongestCell, termsOf } from "faltung/network-detail";
import { LiveRun } from "faltung/network-live";
import { panel, showLayers } from "faltung/network-panel";
import { pythonOf } from "faltung/network-python";
import { windowOf } from "faltung/network-run";
import { Asked, base64, digitsOf, fed, Recording, seenBy } from "faltung/network-source";
import { Stage } from "faltung/network-stage";
import { example, fields } from "faltung/network-state";
import { formula, momentWords } from "faltung/network-words";
import { whole } from "faltung/numbers";
import { Player } from "faltung/player";

/** Milliseconds that the pointer rests before Python is asked for a window. */
const REST = 60;
const LARGEST_FILE = 256 * 2 ** 20;

/** @type {View} */
export const network = {
  name: "network",
  title: "Network",
  question: "What did it learn, and what happens to my digit on its way through?",
  fields,
  example,
  mount: (frame, store, host) => new Network(frame, store, host).shown(),
};

class Network {
  /** @param {Frame} frame @param {Store} store @param {Host} host */
  constructor(frame, store, host) {
    this.frame = frame;
    this.store = store;
    this.host = host;
    this.recording = new Recording(host.data);
    this.asked = new Asked(host);
    /** @type {LiveRun | null} */
    this.live = null;
    /** @type {Opened} */
    this.opened = this.recording.at(this.recording.snapshots.length - 1);
    /** @type {Seen} */
    this.seen = seenBy(this.opened, new Float32Array(28 * 28));
    this.seenFor = "";
    this.ticket = 0;
    this.digits = this.recording.digits;
    this.digitsFor = 0;
    /** @type {Active | null} */
    this.hovered = null;
    /** @type {Map<string, Window>} */
    this.windows = new Map();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.player = this.#player();
    this.panel = this.#panel();
    frame.panel.append(...this.panel.parts);
    this.stage = this.#stage();
    this.stop = store.subscribe((state) => this.#change(state));
  }

  /** @returns {Shown} */
  shown() {
    return {
      figures: () => this.figures(),
      onKey: (event) => this.#key(event),
      dispose: () => {
        this.stop();
        this.live?.dispose();
        clearTimeout(this.timer);
        this.player.dispose();
        this.stage.dispose();
      },
    };
  }

  figures() {
    const window = this.#window();
    const snapshot = this.#snapshots()[this.#at()];
    return {
      model: this.opened.model,
      input: Array.from(this.seen.maps[0].values),
      ink: Array.from(this.#ink().pixels),
      layers: this.opened.layers.map(({ name }, i) => ({ name, shape: this.seen.maps[i].shape, shown: this.seen.maps[i].shown, values: Array.from(this.seen.maps[i].values) })),
      scores: this.seen.scores,
      probabilities: this.seen.probabilities,
      active: this.#active(),
      window,
      terms: window && window.kind === "sum" ? termsOf(window) : [],
      step: snapshot?.step ?? null,
      accuracy: snapshot?.accuracy ?? null,
      steps: this.#curve().points.map(([step]) => step),
      snapshots: this.#snapshots().map(({ step }) => step),
      ended: this.live?.ended ?? "",
      digits: this.digits.map(({ index }) => index),
      isCurrent: this.seenFor === this.#keyOf(this.store.state),
      python: this.frame.full,
    };
  }

  // Made once ------------------------------------------------------------------------------------

  #player() {
    return new Player({
      length: () => this.#snapshots().length,
      position: () => this.#at(),
      go: (snapshot) => this.store.set({ snapshot }, true),
      label: "Moment of the training",
    });
  }

  #panel() {
    return panel(this.store, this.host.canAsk, {
      upload: (file) => void this.#upload(file),
      train: () => void this.#train(),
      stop: () => void this.frame.busy(this.live?.stop() ?? Promise.resolve()),
      clear: () => this.store.set({ strokes: [], drawn: true }),
    });
  }

  #stage() {
    const { store } = this;
    return new Stage(this.frame, this.player.element, {
      strokes: () => store.state.strokes,
      draw: (strokes, isDrag) => store.set(store.state.drawn ? { strokes } : { strokes: strokes.slice(-1), drawn: true }, isDrag),
      take: (digit) => store.set({ digit, drawn: false }),
      hover: (cell) => this.#hover(cell),
      pin: (cell) => this.#pin(cell),
      choose: (layer, map) => this.#choose(layer, map),
    });
  }

  // What is computed or asked --------------------------------------------------------------------

  /** The state's model; where nobody can be asked, the recorded one. */
  #source() {
    return this.host.canAsk ? this.store.state.model : "";
  }

  /** @returns {Snapshot[]} */
  #snapshots() {
    const model = this.#source();
    if (model === "") return this.recording.snapshots;
    if (model === "live" && this.live) return this.live.snapshots;
    return [];
  }

  /** Where the player stands. */
  #at() {
    return Math.max(0, Math.min(this.store.state.snapshot, this.#snapshots().length - 1));
  }

  /** What Python calls the network; empty for the recorded one. */
  #model() {
    const model = this.#source();
    return model === "live" ? (this.#snapshots()[this.#at()]?.model ?? "") : model;
  }

  /** @returns {Curve} */
  #curve() {
    const model = this.#source();
    if (model === "live" && this.live) return this.live.curve;
    const { curve, epochs } = this.recording.data;
    return model === "" || model === "live" ? { points: curve, epochs, steps: curve.at(-1)[0] } : { points: [], epochs: [], steps: 1 };
  }

  #digit() {
    const { digit } = this.store.state;
    return this.digits[Math.min(digit, this.digits.length - 1)];
  }

  /** What goes in, before it is fitted to the network. */
  #ink() {
    const { state } = this.store;
    return state.drawn ? drawn(state.strokes) : { rows: 28, cols: 28, pixels: this.#digit().pixels };
  }

  /** @param {State} state */
  #keyOf(state) {
    const { drawn: isDrawn, strokes, centred: isCentred, unit } = state;
    const digit = isDrawn ? strokes : this.#digit().index;
    return JSON.stringify([this.#model(), this.#model() ? 0 : this.#at(), isDrawn, digit, isCentred, unit]);
  }

  /** @param {State} state */
  #change(state) {
    if (state.seed !== this.digitsFor) void this.#otherDigits(state.seed);
    this.player.update();
    const key = this.#keyOf(state);
    if (key === this.seenFor) return this.#draw();
    if (this.#model()) return void this.#ask(key);
    this.ticket += 1;
    this.opened = this.recording.at(Math.min(this.#at(), this.recording.snapshots.length - 1));
    this.seen = seenBy(this.opened, fed(this.#ink(), this.opened.inShape, state.drawn && state.centred, state.unit));
    this.#become(key);
  }

  /** @param {string} key */
  async #ask(key) {
    this.ticket += 1;
    const ticket = this.ticket;
    const digit = this.#given();
    const found = await this.frame.busy(
      this.asked.open(this.#model()).then(async (opened) => ({ opened, seen: await this.asked.seen(opened, digit) })),
    );
    if (ticket !== this.ticket || !found) return;
    Object.assign(this, found);
    this.#become(key);
  }

  /** @param {string} key */
  #become(key) {
    this.seenFor = key;
    this.windows.clear();
    this.hovered = null;
    this.#draw();
  }

  /** The digit as Python is asked with it. */
  #given() {
    const { drawn: isDrawn, centred: isCentred, unit } = this.store.state;
    return { pixels: base64(this.#ink().pixels), centred: isDrawn && isCentred, unit };
  }

  /** @param {number} seed */
  async #otherDigits(seed) {
    this.digitsFor = seed;
    if (!seed || !this.host.canAsk) {
      this.digits = this.recording.digits;
      return;
    }
    const answer = await this.frame.busy(this.host.ask("network.digits", { seed }));
    if (!answer || this.digitsFor !== seed) return;
    this.digits = digitsOf(answer.digits);
    this.#change(this.store.state);
  }

  /** @param {File} file */
  async #upload(file) {
    if (file.size > LARGEST_FILE) return this.frame.setNote(`${file.name} has ${whole(file.size)} bytes; at most ${whole(LARGEST_FILE)} are taken.`);
    const opening = this.host.upload(file, file.name).then(async (model) => {
      await this.asked.open(model);
      return model;
    });
    const model = await this.frame.busy(opening);
    if (model) this.store.set({ model, label: file.name, pinned: null });
  }

  async #train() {
    const { train, epochs, lr } = this.store.state;
    this.live?.dispose();
    const live = new LiveRun(this.host, () => this.#follow());
    this.live = live;
    this.store.set({ model: "live", label: "", snapshot: 99, pinned: null });
    this.#draw();
    await this.frame.busy(live.start({ network: train, epochs, lr }));
    this.#draw();
  }

  /** Something happened in the run. */
  #follow() {
    if (this.store.state.model === "live") this.#change(this.store.state);
  }

  // What is looked at ----------------------------------------------------------------------------

  /** The layer of the state, of those that there are. */
  #layer() {
    return Math.min(this.store.state.layer, this.opened.layers.length - 1);
  }

  /** What is hovered, else pinned, else the strongest cell of the chosen map. @returns {Active} */
  #active() {
    for (const cell of [this.hovered, this.store.state.pinned]) if (cell && this.#exists(cell)) return cell;
    const layer = this.#layer();
    const maps = this.seen.maps[layer];
    const map = Math.min(this.store.state.map, Math.max(0, maps.shown - 1));
    return [layer, map, ...strongestCell(maps, map)];
  }

  /** @param {Active} cell */
  #exists([layer, map, y, x]) {
    const maps = this.seen.maps[layer];
    return maps !== undefined && map < maps.shown && y < maps.shape[1] && x < maps.shape[2];
  }

  /** What the active cell was computed from; null until Python has said it. @returns {Window | null} */
  #window() {
    const active = this.#active();
    const [layer, ...at] = active;
    if (!layer) return null;
    if (!this.opened.model) {
      const { layers, weights = {} } = this.opened;
      return windowOf(layers, weights, this.seen.maps.map(({ values }) => values), layer, at);
    }
    return this.windows.get(active.join()) ?? null;
  }

  /** Ask Python for the window, once the pointer rests. */
  #askWindow() {
    const active = this.#active();
    const { seenFor, opened } = this;
    if (!opened.model || !active[0] || this.windows.has(active.join())) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(async () => {
      const window = await this.asked.window(opened.model, this.#given(), active).catch(() => null);
      if (!window || seenFor !== this.seenFor || seenFor !== this.#keyOf(this.store.state)) return;
      this.windows.set(active.join(), window);
      this.#point();
    }, REST);
  }

  /** @param {Active | null} cell */
  #hover(cell) {
    if (cell?.join() === this.hovered?.join()) return;
    this.hovered = cell;
    this.#point();
  }

  /** @param {Active} cell */
  #pin(cell) {
    const isAgain = this.store.state.pinned?.join() === cell.join();
    this.store.set(isAgain ? { pinned: null } : { pinned: cell, layer: Math.max(1, cell[0]), map: cell[1] });
  }

  /** @param {number} layer @param {number} map */
  #choose(layer, map) {
    if (layer > 0) this.store.set({ layer, map, pinned: null });
  }

  // What is drawn --------------------------------------------------------------------------------

  /** @returns {Looked} */
  #looked() {
    const { digits, opened, seen, seenFor } = this;
    const { state } = this.store;
    const snapshots = this.#snapshots();
    const snapshot = snapshots[this.#at()];
    const isRun = snapshots.length > 0 || this.#source() === "live";
    const { recipe, network: name } = this.recording.data;
    const caption = this.#source() === "live" ? "The run, as it goes" : isRun ? `Recorded: ${name} on 6,000 digits, ${recipe.epochs} epochs` : "";
    const curve = isRun ? this.#curve() : null;
    return { state, digits, ink: this.#ink(), opened, seen, seenFor, snapshot, curve, caption, moment: momentWords(this.#source(), snapshot, this.live) };
  }

  #draw() {
    const { state } = this.store;
    this.stage.show(this.#looked());
    this.panel.stop.disabled = !this.live?.isRunning;
    showLayers(this.frame.panel, this.opened.layers, this.#layer());
    const { inShape } = this.opened;
    const ink = state.drawn && state.centred ? centred(this.#ink()) : this.#ink();
    const index = state.drawn ? null : this.#digit().index;
    const snapshot = Math.min(this.#at(), this.recording.snapshots.length - 1);
    const { line, full } = pythonOf({ ...state, model: this.#source() }, { snapshot, inShape, ink, isCentred: false, index });
    this.frame.setCode(line, full);
    this.#point();
  }

  #point() {
    const [active, window] = [this.#active(), this.#window()];
    this.stage.point(this.#looked(), active, window, earlierMap(window, this.store.state.from));
    this.frame.setFormula(formula(this.opened, this.seen, active, window));
    this.#askWindow();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const { layers } = this.opened;
    const steps = /** @type {Record<string, number>} */ ({ ArrowUp: -1, ArrowDown: 1 });
    const maps = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1 });
    if (event.key === " ") this.player.toggle();
    else if (event.key === ",") this.player.step(-1);
    else if (event.key === ".") this.player.step(1);
    else if (event.key === "Escape") this.store.set({ pinned: null });
    else if (event.key in steps) this.#choose(Math.min(layers.length - 1, Math.max(1, this.#layer() + steps[event.key])), 0);
    else if (event.key in maps) this.#choose(this.#layer(), Math.min(this.seen.maps[this.#layer()].shown - 1, Math.max(0, this.store.state.map + maps[event.key])));
    else return false;
    return true;
  }
}
