// @ts-check
/**
 * A view in a notebook, through anywidget: the state goes both ways, questions go to the kernel.
 *
 * @import { Host, View } from "faltung/view"
 */

import { same } from "faltung/store";
import { mount } from "faltung/view";

let asked = 0;

/**
 * What anywidget calls to show a view.
 *
 * @param {View} view
 * @returns {(context: { model: any, el: HTMLElement }) => () => void}
 */
export function renderer(view) {
  return ({ model, el }) => {
    const mounted = mount(el, view, hostOf(model), model.get("state"));
    el.classList.add("ft-widget");
    // JupyterLab else takes keys as its own, Enter and X among them.
    el.dataset.lmSuppressShortcuts = "true";
    const strange = strangersIn(view, model.get("state"));
    if (strange) mounted.frame.setNote(strange);
    const stop = mounted.store.subscribe((state) => {
      if (same(state, model.get("state"))) return;
      model.set("state", state);
      model.save_changes();
    });
    const follow = () => {
      const state = model.get("state");
      mounted.store.set(state);
      const strange = strangersIn(view, state);
      if (strange) mounted.frame.setNote(strange);
    };
    model.on("change:state", follow);
    return () => {
      stop();
      model.off("change:state", follow);
      mounted.dispose();
    };
  };
}

/** Say which fields a view does not have; "" for none. @param {View} view @param {Record<string, any>} state */
function strangersIn(view, state) {
  const strange = Object.keys(state).filter((name) => !Object.hasOwn(view.fields, name));
  return strange.length ? `${view.title} has no field ${strange.join(", ")}; it has ${Object.keys(view.fields).join(", ")}.` : "";
}

/** @param {any} model @returns {Host} */
function hostOf(model) {
  /** @type {(message: Record<string, any>, buffers?: ArrayBuffer[]) => Promise<any>} */
  const send = (message, buffers = []) =>
    new Promise((resolve, reject) => {
      const id = `${Date.now()}-${(asked += 1)}`;
      const onAnswer = (/** @type {any} */ answer) => {
        if (answer?.id !== id) return;
        model.off("msg:custom", onAnswer);
        if (answer.error) reject(new Error(answer.error));
        else resolve(answer.answer);
      };
      model.on("msg:custom", onAnswer);
      model.send({ ...message, id }, undefined, buffers);
    });
  return {
    place: "widget",
    data: model.get("data"),
    canAsk: true,
    ask: (question, given) => send({ question, given }),
    upload: async (file, name) => (await send({ upload: name }, [await file.arrayBuffer()])).name,
  };
}
