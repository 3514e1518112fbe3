// @ts-check
/** Making elements. */

/**
 * Make an element.
 *
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [properties] `class`, `aria-*`, `data-*`, `role` and `for` become
 *   attributes, functions listeners, the rest properties
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, given] of Object.entries(properties)) {
    if (given === undefined || given === null) continue;
    if (typeof given === "function") element.addEventListener(name.slice(2).toLowerCase(), given);
    else if (/^(class|for|role|aria-|data-)/.test(name)) element.setAttribute(name, String(given));
    else /** @type {any} */ (element)[name] = given;
  }
  element.append(...children);
  return element;
}

/**
 * Make an SVG element.
 *
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {...(Node | string)} children
 * @returns {SVGElement}
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, given] of Object.entries(attributes)) element.setAttribute(name, String(given));
  element.append(...children);
  return element;
}

let made = 0;

/** An id that no other element has. @param {string} stem */
export function freshId(stem) {
  made += 1;
  return `ft-${stem}-${made}`;
}

/** Whether a key goes into a field in which somebody types. @param {Event} event */
export function isTyping(event) {
  const target = event.composedPath()[0];
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !["checkbox", "button"].includes(target.type);
  return target.isContentEditable || ["TEXTAREA", "SELECT"].includes(target.tagName);
}
