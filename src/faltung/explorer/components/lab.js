// @ts-check
/**
 * Lab: what a kernel does to a picture, where a template is in it, and what a detector finds.
 *
 * @import { Frame } from "faltung/frame"
 * @import { Named } from "faltung/lab-python"
 * @import { Pixels } from "faltung/pixels"
 * @import { State, Store } from "faltung/store"
 * @import { Host, Shown, View } from "faltung/view"
 */

import { control, fileButton } from "faltung/controls";
import { el, freshId } from "faltung/dom";
import { example, fields, fit, NEUTRAL, PRESETS } from "faltung/lab-state";
import { LabDetect } from "faltung/lab-detect";
import { LabFilter } from "faltung/lab-filter";
import { LabFind } from "faltung/lab-find";
import { asText, readPicture, sentPicture } from "faltung/pixels";

const ACCEPT = "image/png,image/jpeg,image/gif,image/webp,image/bmp";

/** @type {View} */
export const lab = {
  name: "lab",
  title: "Lab",
  question: "What does this kernel do to my picture?",
  fields,
  example,
  fit,
  mount: (frame, store, host) => new Lab(frame, store, host).shown(),
};

class Lab {
  /** @param {Frame} frame @param {Store} store @param {Host} host */
  constructor(frame, store, host) {
    this.frame = frame;
    this.store = store;
    this.host = host;
    /** @type {Record<string, Pixels>} */
    this.pictures = {};
    /** What somebody brought: a picture, a template. @type {Record<"picture" | "template", { pixels: Pixels, file: string } | null>} */
    this.own = { picture: null, template: null };
    /** @type {[Pixels, string, Pixels] | null} the last cut, so that it stays one */
    this.cut = null;
    this.parts = {
      filter: new LabFilter(frame, store, host.data.library),
      find: new LabFind(frame, store),
      detect: new LabDetect(frame, store, host, () => this.#take(PRESETS["Digits on a page"])),
    };
    for (const part of Object.values(this.parts)) frame.stage.append(part.stage);
    frame.panel.append(this.#pictureControls(), ...Object.values(this.parts).map((part) => part.panel));
    this.unlisten = this.#listen();
    this.stop = store.subscribe((state) => this.#change(state));
    this.ready = this.#load();
  }

  /** @returns {Shown} */
  shown() {
    return {
      figures: () => this.figures(),
      onKey: (event) => this.#key(event),
      dispose: () => {
        this.stop();
        this.unlisten();
        for (const part of Object.values(this.parts)) part.dispose();
      },
    };
  }

  figures() {
    const { task } = this.store.state;
    const part = this.parts[/** @type {keyof typeof this.parts} */ (task)];
    const picture = this.#picture(this.store.state);
    return {
      isLoaded: Object.keys(this.pictures).length === Object.keys(this.host.data.pictures).length + 1,
      picture: picture && { height: picture.height, width: picture.width, channels: picture.channels, data: asText(picture.data) },
      python: this.frame.full,
      [task]: part.figures(),
    };
  }

  // Pictures -------------------------------------------------------------------------------

  async #load() {
    const { pictures, eye } = this.host.data;
    const first = this.store.state.picture;
    const names = Object.keys(pictures).sort((a, b) => Number(b === first) - Number(a === first));
    for (const name of names) {
      this.pictures[name] = await sentPicture(pictures[name]);
      if (name === this.store.state.picture || (name === "camera" && this.store.state.picture === "own")) this.#refresh();
    }
    this.pictures.eye = await sentPicture(eye);
    this.#refresh();
  }

  /** Show a picture that has come; what was said before stays said. */
  #refresh() {
    const said = this.frame.note.textContent ?? "";
    this.#change(this.store.state);
    if (!this.frame.note.textContent) this.frame.setNote(said);
  }

  /** @param {State} state @returns {Pixels | undefined} */
  #picture(state) {
    if (state.picture !== "own") return this.pictures[state.picture];
    return this.own.picture?.pixels ?? this.pictures.own ?? this.pictures.camera;
  }

  /** @param {State} state @param {Pixels} x @returns {Pixels | undefined} */
  #template(state, x) {
    if (state.template === "eye") return this.pictures.eye;
    if (state.template === "own" && this.own.template) return this.own.template.pixels;
    const [top, left, height, width] = clipped(state.box, x);
    const key = [top, left, height, width].join();
    if (this.cut?.[0] === x && this.cut[1] === key) return this.cut[2];
    const data = new Float64Array(height * width * x.channels);
    for (let i = 0; i < data.length; i += 1) {
      const [c, y, column] = [Math.floor(i / (height * width)), Math.floor(i / width) % height, i % width];
      data[i] = x.data[(c * x.height + top + y) * x.width + left + column];
    }
    this.cut = [x, key, { height, width, channels: x.channels, data, white: x.white }];
    return this.cut[2];
  }

  /** @param {File} file @param {"picture" | "template"} role */
  async #open(file, role) {
    const longest = role === "template" ? 96 : undefined;
    const pixels = await this.frame.busy(readPicture(file, longest));
    if (!pixels) return;
    this.own[role] = { pixels, file: file.name };
    const isShown = this.store.state[role] === "own";
    this.store.set(role === "template" ? { template: "own", task: "find" } : { picture: "own", pinned: null });
    if (isShown) this.#change(this.store.state);
  }

  // What is shown --------------------------------------------------------------------------

  /** @param {State} state */
  #change(state) {
    for (const [task, part] of Object.entries(this.parts)) {
      part.stage.hidden = task !== state.task;
      part.panel.hidden = task !== state.task;
    }
    const x = this.#picture(state);
    if (!x) return;
    const file = this.own.picture?.file ?? this.host.data.pictures.own?.label ?? "";
    const isLost = state.picture === "own" && !file;
    const named = { picture: state.picture !== "own" ? state.picture : isLost ? "camera" : "", file };
    this.frame.setNote("");
    if (state.task === "filter") this.parts.filter.change(state, x, named);
    else if (state.task === "detect") this.parts.detect.change(state, x, named);
    else this.#find(state, x, named);
    if (isLost) this.frame.setNote("A link does not carry its author's own picture: this is a photograph instead.");
  }

  /** @param {State} state @param {Pixels} x @param {Named} named */
  #find(state, x, named) {
    const template = this.#template(state, x);
    const isOwn = state.template === "own" && this.own.template;
    const box = clipped(state.box, x);
    const shown = { ...state, box, template: state.template === "own" && !isOwn ? "cut" : state.template };
    if (template) this.parts.find.change(shown, x, named, template, { picture: "", file: this.own.template?.file ?? "" });
  }

  /** @param {Record<string, any>} preset */
  #take(preset) {
    this.store.set({ ...NEUTRAL, ...preset });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key !== "Escape") return false;
    this.store.set({ pinned: null });
    return true;
  }

  // Controls -------------------------------------------------------------------------------

  #pictureControls() {
    const { store } = this;
    const id = freshId("preset");
    const list = el("select", { id }, el("option", { value: "" }, "a setting …"), ...Object.keys(PRESETS).map((name) => el("option", { value: name }, name)));
    list.addEventListener("change", () => {
      if (list.value) this.#take(PRESETS[list.value]);
      list.value = "";
    });
    const presets = el("div", { class: "ft-control" }, el("label", { for: id }, "Worth a look"), list);
    const open = fileButton("Open a picture", ACCEPT, (file) => this.#open(file, "picture"));
    const template = fileButton("Open a template", ACCEPT, (file) => this.#open(file, "template"));
    store.subscribe((state) => {
      template.hidden = state.task !== "find";
    });
    return el(
      "fieldset",
      { class: "ft-controls" },
      el("legend", {}, "Picture"),
      control(store, "task", fields.task),
      presets,
      control(store, "picture", fields.picture),
      el("div", { class: "ft-buttons" }, open, template),
      el("p", { class: "ft-small" }, `Or drop one anywhere here, or paste one. It stays in this browser${this.host.canAsk ? "; only a detector sends it to Python" : ""}.`),
    );
  }

  /** Take what is dropped or pasted. */
  #listen() {
    const { element } = this.frame;
    const take = (/** @type {FileList | undefined} */ files) => {
      const file = files?.[0];
      if (file) this.#open(file, "picture");
      return file !== undefined;
    };
    const paste = (/** @type {ClipboardEvent} */ event) => {
      if (take(event.clipboardData?.files)) event.preventDefault();
    };
    element.addEventListener("dragover", (event) => event.preventDefault());
    element.addEventListener("drop", (event) => {
      event.preventDefault();
      take(event.dataTransfer?.files);
    });
    document.addEventListener("paste", paste);
    return () => document.removeEventListener("paste", paste);
  }
}

/** A box that lies inside a picture. @param {number[]} box @param {Pixels} x */
function clipped([top, left, height, width], x) {
  const [y, column] = [Math.min(top, x.height - 1), Math.min(left, x.width - 1)];
  return [y, column, Math.min(height, x.height - y), Math.min(width, x.width - column)];
}
