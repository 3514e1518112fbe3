// @ts-check
/**
 * Controls for the fields of a state; each has a label, and every slider has a number box.
 *
 * @import { Field, Fields } from "faltung/fields"
 * @import { Store } from "faltung/store"
 */

import { el, freshId } from "faltung/dom";

/**
 * Make the controls of some fields; they follow the state and change it.
 *
 * @param {Store} store
 * @param {Fields} fields
 * @param {string[]} names which of them, in order
 * @param {string} [legend] a heading over them
 * @returns {HTMLElement}
 */
export function controls(store, fields, names, legend) {
  const rows = names.map((name) => control(store, name, fields[name]));
  const group = el("fieldset", { class: "ft-controls" });
  if (legend) group.append(el("legend", {}, legend));
  group.append(...rows);
  return group;
}

/**
 * @param {Store} store @param {string} name @param {Field} field
 * @returns {HTMLElement}
 */
export function control(store, name, field) {
  const makers = { integer: range, real: range, choice: select, flag: checkbox, text: line };
  const make = /** @type {Record<string, typeof range>} */ (makers)[field.kind];
  if (!make) throw new TypeError(`a field of kind ${field.kind} has no control: ${name}`);
  const row = make(store, name, field);
  row.dataset.field = name;
  if (field.hint) row.title = field.hint;
  return row;
}

/** @param {Store} store @param {string} name @param {Field} field */
function range(store, name, field) {
  const id = freshId(name);
  const bounds = { min: String(field.min), max: String(field.max), step: String(field.step) };
  const slider = el("input", { type: "range", id, ...bounds });
  const box = el("input", { type: "number", ...bounds, "aria-label": `${field.label}, as a number` });
  slider.addEventListener("input", () => store.set({ [name]: Number(slider.value) }, true));
  box.addEventListener("change", () => {
    if (box.value !== "") store.set({ [name]: Number(box.value) });
    box.value = String(store.state[name]);
  });
  store.subscribe((state) => {
    slider.value = String(state[name]);
    if (document.activeElement !== box) box.value = String(state[name]);
  });
  return el("div", { class: "ft-control" }, el("label", { for: id }, field.label), slider, box);
}

/** @param {Store} store @param {string} name @param {Field} field */
function select(store, name, field) {
  const id = freshId(name);
  const options = (field.options ?? []).map(([value, label]) => el("option", { value }, label));
  const list = el("select", { id }, ...options);
  list.addEventListener("change", () => store.set({ [name]: list.value }));
  store.subscribe((state) => {
    list.value = state[name];
  });
  return el("div", { class: "ft-control" }, el("label", { for: id }, field.label), list);
}

/** @param {Store} store @param {string} name @param {Field} field */
function checkbox(store, name, field) {
  const id = freshId(name);
  const box = el("input", { type: "checkbox", id });
  box.addEventListener("change", () => store.set({ [name]: box.checked }));
  store.subscribe((state) => {
    box.checked = state[name];
  });
  return el("div", { class: "ft-control ft-flag" }, box, el("label", { for: id }, field.label));
}

/** @param {Store} store @param {string} name @param {Field} field */
function line(store, name, field) {
  const id = freshId(name);
  const box = el("input", { type: "text", id, spellcheck: false });
  box.addEventListener("change", () => store.set({ [name]: box.value }));
  store.subscribe((state) => {
    if (document.activeElement !== box) box.value = state[name];
  });
  return el("div", { class: "ft-control" }, el("label", { for: id }, field.label), box);
}

/**
 * A button.
 *
 * @param {string} label what it does, as a verb
 * @param {() => void} act
 * @param {{ sign?: string, key?: string }} [more] a sign shown in place of the label, a shortcut
 */
export function button(label, act, more = {}) {
  const properties = { type: "button", onClick: act, title: more.key ? `${label} (${more.key})` : label };
  return el("button", { ...properties, "aria-label": label }, more.sign ?? label);
}

/**
 * A button that asks for a file.
 *
 * @param {string} label @param {string} accept @param {(file: File) => void} act
 */
export function fileButton(label, accept, act) {
  const input = el("input", { type: "file", accept, class: "ft-hidden", "aria-label": label });
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    if (file) act(file);
    input.value = "";
  });
  return el("span", { class: "ft-file" }, button(label, () => input.click()), input);
}
