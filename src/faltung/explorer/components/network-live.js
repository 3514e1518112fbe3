// @ts-check
/**
 * A training run that Python makes while the page looks on.
 *
 * @import { Snapshot } from "faltung/network-source"
 * @import { Host } from "faltung/view"
 *
 * @typedef {object} Curve
 * @property {[number, number, number][]} points step, loss, accuracy of training
 * @property {[number, number][]} epochs step, accuracy on what is held out
 * @property {number} steps where it ends
 */

const PAUSE = 500;
/** Looks in a row that may fail, such as while others ask for much. */
const PATIENCE = 5;

export class LiveRun {
  /** @param {Host} host @param {() => void} onChange */
  constructor(host, onChange) {
    this.host = host;
    this.onChange = onChange;
    this.run = "";
    this.since = 0;
    /** @type {Curve} */
    this.curve = { points: [], epochs: [], steps: 1 };
    /** @type {Snapshot[]} */
    this.snapshots = [];
    this.ended = "";
    this.failed = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  get isRunning() {
    return this.run !== "" && !this.ended;
  }

  /** @param {Record<string, any>} settings */
  async start(settings) {
    this.run = (await this.host.ask("network.train", settings)).run;
    this.#later();
  }

  async stop() {
    if (this.isRunning) await this.host.ask("network.stop", { run: this.run });
  }

  /** Look no more; the run is asked to end. */
  dispose() {
    clearTimeout(this.timer);
    this.timer = undefined;
    void this.stop().catch(() => undefined);
    this.ended = this.ended || "stopped";
  }

  #later() {
    this.timer = setTimeout(() => void this.#look(), PAUSE);
  }

  async #look() {
    try {
      const { events } = await this.host.ask("network.events", { run: this.run, since: this.since });
      if (this.timer === undefined) return;
      this.failed = 0;
      this.since += events.length;
      for (const event of events) this.#take(event);
      if (events.length) this.onChange();
    } catch (error) {
      this.failed += 1;
      if (this.failed < PATIENCE) return this.#later();
      this.ended = error instanceof Error ? error.message : String(error);
      this.onChange();
    }
    if (!this.ended) this.#later();
  }

  /** @param {any} event */
  #take(event) {
    const { curve } = this;
    if (event.kind === "plan") curve.steps = event.total_steps;
    else if (event.kind === "step") curve.points.push([event.step, event.loss, event.accuracy]);
    else if (event.kind === "epoch") curve.epochs.push([event.step, event.validation_accuracy ?? event.accuracy]);
    else if (event.kind === "snapshot") this.snapshots.push({ step: event.step, model: event.model });
    else if (event.kind === "end") this.ended = event.why;
  }
}
