// @ts-check
/**
 * The page: navigation between views, the theme's switch, and the state in the URL's fragment
 * (`#slide`, `#slide=...`), so that a link opens where its author was.
 *
 * @import { Host, Mounted, View } from "faltung/view"
 *
 * @typedef {object} Config what Python wrote into the page
 * @property {string} title
 * @property {string} first the view that opens
 * @property {"page" | "saved"} place
 * @property {string} [base] where the served page's answers are, with the token
 * @property {number} [largest] bytes of a file that it takes
 * @property {Record<string, string[]>} [needs] by view, those whose data it shows
 * @property {Record<string, any>} data by view
 * @property {Record<string, Record<string, any>>} states by view, where they differ from the example
 *
 * @typedef {object} Later a view whose component is loaded when it is first opened
 * @property {string} name
 * @property {string} title
 * @property {() => Promise<View>} load
 */

import { button } from "faltung/controls";
import { el } from "faltung/dom";
import { fromFragment, toFragment } from "faltung/store";
import { mount } from "faltung/view";

const THEME_KEY = "faltung-theme";
const ENDED = "The page's server has ended; start it again with: faltung explore";

/** @param {(View | Later)[]} views in the order of the navigation @param {Config} config */
export function start(views, config) {
  const main = el("main", { id: "view" });
  const links = views.map((view) => el("a", { href: `#${view.name}` }, view.title));
  const nav = el("nav", { "aria-label": "Views" }, ...links);
  const header = el("header", { class: "ft-header" }, el("h1", {}, config.title), nav, themeSwitch());
  document.body.classList.add("faltung", "ft-page");
  document.body.replaceChildren(el("a", { class: "ft-skip", href: "#view", onClick: skip }, "Skip to the view"), header, main);

  /** @type {Mounted | undefined} */
  let mounted;
  let openedName = "";
  const open = () => {
    const name = location.hash.slice(1).split("=")[0];
    const chosen = views.find((v) => v.name === name) ?? views.find((v) => v.name === config.first) ?? views[0];
    openedName = chosen.name;
    document.title = `${chosen.title} · ${config.title}`;
    for (const [i, link] of links.entries()) {
      if (views[i] === chosen) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    if ("mount" in chosen) show(chosen);
    else load(chosen);
  };
  /** @param {View} view */
  const show = (view) => {
    const given = fromFragment(location.hash.slice(1).split("=")[1]);
    mounted?.dispose();
    const page = { names: views.map(({ name }) => name), data: config.data };
    mounted = mount(main, view, { ...hostOf(view, config), page }, { ...config.states[view.name], ...given });
    if (given === null) mounted.frame.setNote("The link is damaged; this is the worked example.");
    const others = new Set(views.map(({ name }) => name).filter((name) => name !== view.name));
    follow(mounted, view, others);
  };
  /** @param {Later} later */
  const load = async (later) => {
    main.setAttribute("aria-busy", "true");
    try {
      const [view] = await Promise.all([later.load(), prepare(later.name, config)]);
      views[views.indexOf(later)] = view;
      if (openedName === view.name) show(view);
    } catch (error) {
      if (openedName !== later.name) return;
      mounted?.dispose();
      mounted = undefined;
      const why = error instanceof TypeError ? ENDED : messageOf(error);
      main.replaceChildren(el("p", { class: "ft-note", role: "alert" }, why));
    } finally {
      main.removeAttribute("aria-busy");
    }
  };
  window.addEventListener("hashchange", () => {
    const [name, fragment = ""] = location.hash.slice(1).split("=");
    const isOurs = mounted && name === openedName && fragment === fragmentOf(mounted);
    if (!isOurs) open();
  });
  open();
}

/** Get what a view is given, where the page has not been given it. @param {string} name @param {Config} config */
async function prepare(name, config) {
  const missing = (config.needs?.[name] ?? []).filter((each) => !(each in config.data));
  const get = async (/** @type {string} */ each) => {
    config.data[each] = await answerOf(fetch(`${config.base}/data/${each}`));
  };
  await Promise.all(missing.map(get));
}

/** @param {unknown} error */
function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/** Keep the state in the fragment. @param {Mounted} mounted @param {View} view @param {Set<string>} others */
function follow(mounted, view, others) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  mounted.store.subscribe(() => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      // A link to another view that was just clicked must not be undone.
      const isLeft = others.has(location.hash.slice(1).split("=")[0]);
      if (isLeft || !mounted.frame.element.isConnected) return;
      const fragment = fragmentOf(mounted);
      const hash = fragment ? `#${view.name}=${fragment}` : `#${view.name}`;
      if (location.hash !== hash) history.replaceState(null, "", hash);
    }, 200);
  });
}

/** @param {Mounted} mounted */
function fragmentOf(mounted) {
  return toFragment(mounted.store.state, mounted.store.example);
}

/** @param {View} view @param {Config} config @returns {Host} */
function hostOf(view, config) {
  const data = config.data[view.name] ?? null;
  if (config.place === "saved") {
    const refuse = () => Promise.reject(new Error("A saved page has no Python to ask; run: faltung explore"));
    return { place: "saved", data, canAsk: false, ask: refuse, upload: refuse };
  }
  const base = config.base ?? "";
  return {
    place: "page",
    data,
    canAsk: true,
    ask: (question, given) =>
      answerOf(fetch(`${base}/ask/${question}`, { method: "POST", body: JSON.stringify(given), headers: { "Content-Type": "application/json" } })),
    upload: async (file, name) => {
      const largest = config.largest ?? Infinity;
      if (file.size > largest) throw new Error(`upload: a file must not be larger than ${largest.toLocaleString("en")} bytes, got file='${name}'.`);
      const headers = { "Content-Type": "application/octet-stream", "X-Name": encodeURIComponent(name) };
      const given = await answerOf(fetch(`${base}/upload`, { method: "POST", body: file, headers }));
      return given.name;
    },
  };
}

/** @param {Promise<Response>} request */
async function answerOf(request) {
  /** @type {Response} */
  let response;
  try {
    response = await request;
  } catch {
    throw new Error(ENDED);
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Error(answer?.error ?? `The server answered ${response.status}`);
  return answer;
}

/** @param {Event} event */
function skip(event) {
  event.preventDefault();
  const first = document.querySelector("#view canvas, #view button, #view input");
  if (first instanceof HTMLElement) first.focus();
}

function themeSwitch() {
  const names = /** @type {Record<string, string>} */ ({ auto: "◐ System", light: "○ Light", dark: "● Dark" });
  const order = Object.keys(names);
  let at = Math.max(0, order.indexOf(stored() ?? "auto"));
  const change = button("Theme", () => {
    at = (at + 1) % order.length;
    show();
    store(order[at]);
  });
  const show = () => {
    if (order[at] === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = order[at];
    change.textContent = names[order[at]];
    change.setAttribute("aria-label", `Theme: ${order[at]}; change it`);
  };
  show();
  return change;
}

// A page from disk may have no storage.

function stored() {
  try {
    return localStorage.getItem(THEME_KEY);
  } catch {
    return null;
  }
}

/** @param {string} theme */
function store(theme) {
  try {
    localStorage.setItem(THEME_KEY, theme);
  } catch {
    // It lasts as long as the page.
  }
}
