// @ts-check
/**
 * The state of a view: plain JSON, with undo and redo.
 *
 * @typedef {Record<string, any>} State
 * @typedef {(state: State) => void} Listener
 */

/** Moves of one slider within this many milliseconds are one step of undo: a drag is one. */
const COALESCE = 400;
const LONGEST_HISTORY = 200;

export class Store {
  /**
   * @param {State} example the state that a view starts with
   * @param {(given: State) => State} clean makes any object a state that the view can show
   */
  constructor(example, clean) {
    this.clean = clean;
    this.example = clean(example);
    /** @type {State} */
    this.state = this.example;
    /** @type {State[]} */
    this.past = [];
    /** @type {State[]} */
    this.future = [];
    /** @type {Set<Listener>} */
    this.listeners = new Set();
    this.lastKeys = "";
    this.lastTime = -Infinity;
  }

  /** Change some fields; the rest stay. @param {State} patch @param {boolean} [isDrag] */
  set(patch, isDrag = false) {
    const next = this.clean({ ...this.state, ...patch });
    if (same(next, this.state)) return;
    const keys = Object.keys(patch).sort().join();
    const now = performance.now();
    const goesOn = isDrag && keys === this.lastKeys && now - this.lastTime <= COALESCE;
    if (!goesOn) this.past.push(this.state);
    if (this.past.length > LONGEST_HISTORY) this.past.shift();
    this.future = [];
    this.lastKeys = isDrag ? keys : "";
    this.lastTime = now;
    this.#become(next);
  }

  undo() {
    const before = this.past.pop();
    if (before === undefined) return;
    this.future.push(this.state);
    this.lastKeys = "";
    this.#become(before);
  }

  redo() {
    const after = this.future.pop();
    if (after === undefined) return;
    this.past.push(this.state);
    this.lastKeys = "";
    this.#become(after);
  }

  /** Return to the worked example. */
  reset() {
    this.set(this.example);
  }

  /**
   * Call a function with the state now and after each change.
   *
   * @param {Listener} listener
   * @returns {() => void} ends it
   */
  subscribe(listener) {
    this.listeners.add(listener);
    listener(this.state);
    return () => this.listeners.delete(listener);
  }

  /** @param {State} next */
  #become(next) {
    this.state = next;
    for (const listener of [...this.listeners]) listener(next);
  }
}

/** Whether two plain values are equal. @param {any} a @param {any} b */
export function same(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

/**
 * Write what differs from the example into a fragment that a link can carry.
 *
 * @param {State} state
 * @param {State} example
 */
export function toFragment(state, example) {
  const changed = Object.entries(state).filter(([key, value]) => !same(value, example[key]));
  if (!changed.length) return "";
  const bytes = new TextEncoder().encode(JSON.stringify(Object.fromEntries(changed)));
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * Read a fragment; null where it is damaged.
 *
 * @param {string} fragment
 * @returns {State | null}
 */
export function fromFragment(fragment) {
  if (!fragment) return {};
  try {
    const text = atob(fragment.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(text, (sign) => sign.charCodeAt(0));
    const state = JSON.parse(new TextDecoder().decode(bytes));
    return state !== null && typeof state === "object" && !Array.isArray(state) ? state : null;
  } catch {
    return null;
  }
}
