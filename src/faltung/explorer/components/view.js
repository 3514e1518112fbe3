// @ts-check
/**
 * What a view is, and how it is put on a page or into a notebook.
 *
 * @import { Fields } from "faltung/fields"
 * @import { State } from "faltung/store"
 *
 * @typedef {object} Host what a view can ask of where it stands
 * @property {"page" | "saved" | "widget"} place
 * @property {any} data what Python computed beforehand for this view
 * @property {boolean} canAsk whether there is a Python to ask
 * @property {{ names: string[], data: Record<string, any> }} [page] the views of its page, and what each is given
 * @property {boolean} [isPart] whether it stands within another view
 * @property {(question: string, given: Record<string, any>) => Promise<any>} ask
 * @property {(file: Blob, name: string) => Promise<string>} upload returns the name to ask about it
 *
 * @typedef {object} Shown a view that stands on a page
 * @property {() => Record<string, any>} figures every number that it shows, for tests and for readers
 * @property {(event: KeyboardEvent) => boolean} [onKey] whether it took the key
 * @property {() => void} [dispose]
 *
 * @typedef {object} Mounted
 * @property {Store} store
 * @property {Frame} frame
 * @property {() => Record<string, any>} figures
 * @property {() => void} dispose
 *
 * @typedef {object} View
 * @property {string} name
 * @property {string} title
 * @property {string} question
 * @property {Fields} fields
 * @property {State} example
 * @property {(state: State) => State} [fit] makes fields fit each other, after each fits its own range
 * @property {(frame: Frame, store: Store, host: Host) => Shown} mount
 */

import { button } from "faltung/controls";
import { isTyping } from "faltung/dom";
import { cleaner } from "faltung/fields";
import { Frame } from "faltung/frame";
import { Store } from "faltung/store";

/**
 * Put a view into an element.
 *
 * @param {HTMLElement} root
 * @param {View} view
 * @param {Host} host
 * @param {State} given fields that differ from the example
 * @returns {Mounted}
 */
export function mount(root, view, host, given) {
  const each = cleaner(view.fields, view.example);
  const clean = (/** @type {State} */ state) => (view.fit ? view.fit(each(state)) : each(state));
  const store = new Store(view.example, clean);
  if (Object.keys(given).length) store.state = clean({ ...store.state, ...given });
  const frame = new Frame(view.question);
  root.classList.add("faltung");
  root.replaceChildren(frame.element);
  const shown = view.mount(frame, store, host);
  frame.panel.append(history(store));
  const onKey = (/** @type {KeyboardEvent} */ event) => {
    if (isTyping(event) || event.defaultPrevented) return;
    if (takeHistory(event, store) || shown.onKey?.(event)) event.preventDefault();
  };
  frame.element.addEventListener("keydown", onKey);
  // What is under no focus still reaches the only view of a page.
  const isAlone = host.place !== "widget" && !host.isPart;
  const onBody = (/** @type {KeyboardEvent} */ event) => {
    if (event.target === document.body) onKey(event);
  };
  if (isAlone) document.addEventListener("keydown", onBody);
  const mounted = {
    store,
    frame,
    figures: shown.figures,
    dispose() {
      document.removeEventListener("keydown", onBody);
      shown.dispose?.();
      root.replaceChildren();
    },
  };
  // Where tests and the curious find it: the element's own view.
  /** @type {any} */ (frame.element).faltung = mounted;
  return mounted;
}

/** @param {KeyboardEvent} event @param {Store} store */
function takeHistory(event, store) {
  if (!(event.ctrlKey || event.metaKey)) return false;
  const key = event.key.toLowerCase();
  if (key === "z" && !event.shiftKey) store.undo();
  else if (key === "y" || (key === "z" && event.shiftKey)) store.redo();
  else return false;
  return true;
}

/** @param {Store} store */
function history(store) {
  const undo = button("Undo", () => store.undo(), { key: "Ctrl+Z" });
  const redo = button("Redo", () => store.redo(), { key: "Ctrl+Shift+Z" });
  const reset = button("Start again", () => store.reset());
  store.subscribe(() => {
    undo.disabled = !store.past.length;
    redo.disabled = !store.future.length;
  });
  const bar = document.createElement("div");
  bar.className = "ft-history";
  bar.append(undo, redo, reset);
  return bar;
}
