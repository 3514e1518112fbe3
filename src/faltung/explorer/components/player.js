// @ts-check
/** Play, pause, step, scrub and speed, for anything that has positions in a row. */

import { button } from "faltung/controls";
import { el, freshId } from "faltung/dom";

/** Steps a second. */
const SPEEDS = { "½×": 1, "1×": 2, "2×": 4, "4×": 8 };

export class Player {
  /**
   * @param {object} options
   * @param {() => number} options.length how many positions there are now
   * @param {() => number} options.position where it stands now
   * @param {(position: number) => void} options.go
   * @param {string} options.label what the positions are
   */
  constructor(options) {
    this.options = options;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.timer = undefined;
    this.rate = SPEEDS["1×"];
    this.playing = button("Play", () => this.toggle(), { sign: "▶", key: "space" });
    const id = freshId("scrub");
    this.scrub = el("input", { type: "range", id, min: "0", "aria-label": options.label });
    this.scrub.addEventListener("input", () => this.go(Number(this.scrub.value)));
    const speed = el(
      "select",
      { "aria-label": "Speed", onChange: () => this.#accelerate(Number(speed.value)) },
      ...Object.entries(SPEEDS).map(([label, rate]) => el("option", { value: String(rate) }, label)),
    );
    speed.value = String(this.rate);
    this.where = el("output", { class: "ft-where", for: id });
    this.element = el(
      "div",
      { class: "ft-player", role: "group", "aria-label": "Playing" },
      button("First", () => this.go(0), { sign: "|◀" }),
      button("Step back", () => this.step(-1), { sign: "‹", key: "," }),
      this.playing,
      button("Step forward", () => this.step(1), { sign: "›", key: "." }),
      this.scrub,
      this.where,
      speed,
    );
  }

  get isPlaying() {
    return this.timer !== undefined;
  }

  /** Show where it stands; called after each change of the state. */
  update() {
    const length = this.options.length();
    const position = this.options.position();
    this.scrub.max = String(Math.max(0, length - 1));
    this.scrub.value = String(position);
    this.scrub.disabled = length < 2;
    this.where.textContent = length ? `${position + 1} of ${length}` : "none";
    if (!length) this.pause();
  }

  /** @param {number} position */
  go(position) {
    const length = this.options.length();
    if (length) this.options.go(Math.min(length - 1, Math.max(0, position)));
  }

  /** Go on by some positions, round the end. @param {number} by */
  step(by) {
    const length = this.options.length();
    if (length) this.options.go((((this.options.position() + by) % length) + length) % length);
  }

  toggle() {
    if (this.isPlaying) this.pause();
    else this.play();
  }

  play() {
    if (!this.options.length()) return;
    this.timer = setInterval(() => this.step(1), 1000 / this.rate);
    this.#show("Pause", "❚❚");
  }

  pause() {
    clearInterval(this.timer);
    this.timer = undefined;
    this.#show("Play", "▶");
  }

  dispose() {
    this.pause();
  }

  /** @param {number} rate */
  #accelerate(rate) {
    this.rate = rate;
    if (!this.isPlaying) return;
    clearInterval(this.timer);
    this.play();
  }

  /** @param {string} label @param {string} sign */
  #show(label, sign) {
    this.playing.textContent = sign;
    this.playing.setAttribute("aria-label", label);
    this.playing.title = `${label} (space)`;
  }
}
