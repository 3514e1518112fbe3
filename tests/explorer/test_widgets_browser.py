"""The module of a widget in Chromium, on a model as anywidget gives one, with Python behind it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("anywidget", reason="the extra explorer is not installed")

from faltung import explorer, zoo
from faltung.explorer import still
from faltung.explorer.inline import style
from faltung.explorer.page import notebook_colours

NAMES = explorer.__all__
VIEW = "window.el.querySelector('.ft-view').faltung"

# What anywidget hands to `render`: a model with get, set, save_changes, send, on and off. Buffers
# reach Python as bytes, as a comm carries them.
HOST = """async ([esm, state, data]) => {
  const url = URL.createObjectURL(new Blob([esm], { type: 'text/javascript' }));
  const { render } = (await import(url)).default;
  const values = { state, data };
  const dirty = {};
  const handlers = {};
  const fire = (name, ...given) => [...(handlers[name] ?? [])].forEach((each) => each(...given));
  const put = (name, value) => {
    if (JSON.stringify(values[name]) === JSON.stringify(value)) return;
    values[name] = value;
    fire(`change:${name}`);
  };
  const signs = (buffer) => Array.from(new Uint8Array(buffer), (b) => String.fromCharCode(b));
  const text = (buffer) => btoa(signs(buffer).join(''));
  window.model = {
    get: (name) => values[name],
    set: (name, value) => { dirty[name] = value; put(name, value); },
    save_changes: () => { window.saved(structuredClone(dirty)); },
    send: async (content, _, buffers = []) => {
      const reply = await window.said(content, buffers.map(text));
      fire('msg:custom', reply, []);
    },
    on: (name, handler) => (handlers[name] ??= new Set()).add(handler),
    off: (name, handler) => handlers[name].delete(handler),
    put,
    listeners: () => Object.values(handlers).reduce((n, set) => n + set.size, 0),
  };
  window.el = document.body.appendChild(document.createElement('div'));
  window.gone = await render({ model: window.model, el: window.el });
}"""


class Notebook:
    """A page with one widget, whose messages reach Python and come back."""

    def __init__(self, tab: Any, widget: Any) -> None:
        self.tab, self.widget = tab, widget
        self.sent: list[tuple[str, int]] = []
        tab.expose_function("saved", widget.set_state)
        tab.expose_function("said", self._said)
        widget.observe(lambda change: self.dirty.append(change["new"]), "state")
        self.dirty: list[Any] = []
        css = f"<style>{notebook_colours()}{style()}</style>"
        tab.set_content(f"<!doctype html><html lang='en'><head>{css}</head><body></body></html>")
        tab.evaluate(HOST, [widget._esm, widget.state, widget.data])

    def _said(self, content: dict[str, Any], buffers: list[str]) -> Any:
        views = [memoryview(base64.b64decode(each)) for each in buffers]
        self.sent.append((content.get("question", "upload"), sum(map(len, views))))
        replies: list[Any] = []
        self.widget.send = replies.append
        self.widget._answer(self.widget, content, views)
        return replies[0]

    def put(self) -> None:
        """Carry Python's state into the page, as a comm does."""
        self.tab.evaluate("(state) => window.model.put('state', state)", self.widget.state)

    def figures(self) -> dict[str, Any]:
        found: dict[str, Any] = self.tab.evaluate(f"() => {VIEW}.figures()")
        return found

    def note(self) -> str:
        return str(self.tab.locator(".ft-note").inner_text())


@pytest.fixture
def notebook(chromium: Any) -> Iterator[Callable[[Any], Notebook]]:
    """Return a function that shows a widget; errors in the page fail the test."""
    wrong: list[str] = []
    contexts: list[Any] = []

    def shown(widget: Any, width: int = 900) -> Notebook:
        context = chromium.new_context(viewport={"width": width, "height": 700}, offline=True)
        contexts.append(context)
        tab = context.new_page()
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        tab.on(
            "request",
            lambda r: None if r.url.startswith(("data:", "blob:")) else wrong.append(r.url),
        )
        return Notebook(tab, widget)

    yield shown
    for context in contexts:
        context.close()
    assert not wrong


@pytest.mark.parametrize("name", NAMES)
def test_every_module_runs(notebook: Callable[..., Notebook], name: str) -> None:
    """It shows its view, tells Python its whole state, and leaves nothing behind."""
    widget = getattr(explorer, name)()
    page = notebook(widget)
    assert page.tab.locator(".ft-question").first.inner_text()
    assert len(widget.state) >= 2
    assert page.figures() is not None
    assert page.tab.evaluate(f"() => Object.keys({VIEW}.store.state)") == list(widget.state)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.tab.evaluate(wide) <= 0
    page.tab.evaluate("() => window.gone()")
    assert page.tab.evaluate("() => window.model.listeners()") == 0
    assert page.tab.evaluate("() => window.el.children.length") == 0


def test_state_goes_both_ways(notebook: Callable[..., Notebook]) -> None:
    slide = explorer.KernelSlide()
    page = notebook(slide)
    assert slide.image[0].tolist() == still.EXAMPLE[0]  # the figure that stands still is the same
    assert slide.kernel[0, 0].tolist() == still.EXAMPLE[1]
    page.tab.get_by_label("Flip the kernel").check()
    assert slide.state["flip"] is True
    page.tab.get_by_role("button", name="Step forward").click()
    assert slide.state["at"] == 1
    slide.set(flip=False, at=0)
    page.put()
    assert page.figures()["value"] == 2
    slide.image = np.arange(16).reshape(4, 4)
    page.put()
    assert page.figures()["shape"] == [1, 2, 2]
    assert page.tab.evaluate(f"() => {VIEW}.store.state") == slide.state
    page.tab.get_by_role("button", name="Undo").click()
    assert slide.image.shape == (1, 6, 6)


def test_what_does_not_fit_is_brought_into_range(notebook: Callable[..., Notebook]) -> None:
    """A field that there is not is named, in the view; the others come back as they are shown."""
    cost = explorer.CostCounter(height=5000, kernels=3)
    page = notebook(cost)
    assert cost.state["height"] == 1080
    assert page.note().startswith("Cost has no field kernels; it has height, width")
    assert "kernels" not in cost.state
    cost.set(width=-3)
    page.put()
    assert cost.state["width"] == 1
    cost.set(hight=3)
    page.put()
    assert page.note().startswith("Cost has no field hight;")


def test_questions_and_files(notebook: Callable[..., Notebook], tmp_path: Path) -> None:
    """A file that is chosen goes to Python as bytes; what is wrong with one is said in a line."""
    widget = explorer.ModelView(zoo.build("lenet5"))
    page = notebook(widget)
    assert page.figures()["totals"]["params"] == 61706
    net, path = zoo.build("zero-one"), tmp_path / "mine.onnx"
    net.save(path)
    chooser = page.tab.locator("input[type=file]").first
    chooser.set_input_files(path)
    page.tab.wait_for_function(f"() => {VIEW}.figures().name === 'mine.onnx'")
    assert page.figures()["totals"]["params"] == net.trainable
    assert page.sent[:2] == [("upload", path.stat().st_size), ("model.inspected", 0)]
    chooser.set_input_files({"name": "bad.onnx", "mimeType": "", "buffer": b"\x00\xff" * 100})
    page.tab.wait_for_function("() => document.querySelector('.ft-note').textContent")
    assert "bad.onnx" in page.note()
    assert "\n" not in page.note()
    assert page.figures()["name"] == "mine.onnx"


def test_a_picture_of_ones_own(notebook: Callable[..., Notebook]) -> None:
    """What Lab shows of an array is what the kernel makes of it."""
    image = np.random.default_rng(0).integers(0, 256, (12, 10), dtype=np.uint8)
    page = notebook(explorer.ImageLab(image, [[1, 0, -1]]))
    page.tab.wait_for_function(f"() => {VIEW}.figures().isLoaded")
    figures = page.figures()
    assert page.note() == ""
    padded = np.pad(image.astype(float), ((0, 0), (1, 1)))
    found = np.frombuffer(base64.b64decode(figures["filter"]["output"]), "<f8").reshape(12, 10)
    np.testing.assert_array_equal(found, padded[:, :-2] - padded[:, 2:])


def test_a_network_of_ones_own(notebook: Callable[..., Notebook]) -> None:
    """Network and Field ask Python about a graph that was handed over."""
    net = zoo.build("lenet")
    page = notebook(explorer.NetworkView(net))
    page.tab.wait_for_function(f"() => {VIEW}.figures().scores?.length === 10")
    page = notebook(explorer.ReceptiveField(zoo.build("lenet5")))
    page.tab.wait_for_function(f"() => {VIEW}.figures().values?.length > 5")
    assert {name for name, _ in page.sent} >= {"field.read"}
