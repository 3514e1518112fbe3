"""Widgets: made from Python's values, their state in traits, their files gone in the end."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("anywidget", reason="the extra explorer is not installed")

import faltung
from faltung import explorer, zoo
from faltung.errors import ExplorerError, FaltungError
from faltung.explorer import still
from faltung.explorer.views import VIEWS
from faltung.explorer.widgets import module

NAMES = explorer.__all__
JUPYTER = "application/vnd.jupyter.widget-view+json"


def test_every_view_has_a_widget() -> None:
    shown = [getattr(explorer, name).view for name in explorer.__all__]
    assert sorted(shown) == sorted(VIEWS)


@pytest.mark.parametrize("name", NAMES)
def test_a_bare_call_shows_the_worked_example(name: str) -> None:
    """Nothing is set, what is sent is JSON, and a reader without JavaScript sees a picture."""
    widget = getattr(explorer, name)()
    assert widget.state == {}
    assert repr(widget) == f"{name}()"
    json.dumps(widget.data, allow_nan=False)
    shown, _ = widget._repr_mimebundle_()
    assert list(shown) == ["text/plain", JUPYTER, "image/svg+xml"]
    assert shown[JUPYTER]["model_id"] == widget.model_id
    root = ET.fromstring(shown["image/svg+xml"])
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(list(root.iter())) >= 4
    assert len(shown["image/svg+xml"]) < 200_000
    widget.close()


def test_every_widget_carries_its_module_alone() -> None:
    for view in VIEWS:
        text = module(view)
        assert text.rstrip().endswith("export default { render };")
        assert "import " not in text.replace("@import ", "").split("export default")[1]
        assert "faltung_page =" not in text


def test_what_is_asked_for_is_told() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'KernelSlid'"):
        _ = explorer.KernelSlid


def test_without_anywidget_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['anywidget'] = None\n"
        "import faltung.explorer, faltung\n"
        "try: faltung.explorer.KernelSlide\n"
        "except faltung.errors.MissingExtraError as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'faltung[explorer]'" in run.stdout


def test_slide_of_ones_own() -> None:
    x, w = np.arange(12).reshape(3, 4), np.ones((2, 1, 2, 2))
    slide = explorer.KernelSlide(x, w, stride=(2, 1), padding=((0, 1), (2, 0)), dilation=2)
    assert slide.state == {
        "x": x[None].tolist(),
        "in_channels": 1,
        "height": 3,
        "width": 4,
        "axes": "2",
        "w": w.tolist(),
        "kernel_height": 2,
        "kernel_width": 2,
        "out_channels": 2,
        "stride": [2, 1],
        "dilation": [2, 2],
        "padding": "each",
        "top": 0,
        "bottom": 1,
        "left": 2,
        "right": 0,
    }
    np.testing.assert_array_equal(slide.image, x[None])
    np.testing.assert_array_equal(slide.kernel, w)
    slide.kernel = [1, 2, 3]
    assert (slide.state["kernel_height"], slide.state["kernel_width"]) == (1, 3)
    slide.image = [5, 6, 7]
    assert slide.state["axes"] == "1"
    bare = explorer.KernelSlide(padding="same", stride=2)
    assert bare.state == {"padding": "same", "stride": [2, 2]}
    assert bare.image is None
    assert bare.kernel is None
    assert explorer.KernelSlide(padding=1).state["right"] == 1
    assert explorer.KernelSlide(padding=(1, 2)).state["bottom"] == 1
    w = np.ones((2, 3, 1, 1))
    assert explorer.KernelSlide(None, w, transposed=True, groups=1).state["out_channels"] == 3


def test_state_goes_by_trait() -> None:
    slide = explorer.KernelSlide()
    seen: list[dict[str, Any]] = []
    slide.observe(lambda change: seen.append(change["new"]), "state")
    slide.set(stride=np.array([2, 3]), flip=np.bool_(True))
    slide.set(at=np.int64(4))
    assert seen[-1] == slide.state == {"stride": [2, 3], "flip": True, "at": 4}
    assert len(seen) == 2
    assert slide.get_state("state")["state"] == slide.state
    slide.set_state({"state": {**slide.state, "stride": [1, 1]}})  # as the browser does
    assert slide.state["stride"] == [1, 1]
    assert repr(slide) == "KernelSlide(stride=[1, 1], flip=True, at=4)"
    large = explorer.KernelSlide(np.zeros((9, 9)))
    assert repr(large).startswith("KernelSlide(x=[1×9×9], in_channels=1")


def test_square_of_ones_own() -> None:
    matrix = faltung.constraints.square((3, 3)).tied("convolution")
    square = explorer.WeightSquare(matrix, ((-1, 0), (0, 2)))
    assert (square.state["height"], square.state["width"], square.state["shown"]) == (
        3,
        3,
        "values",
    )
    reach = {name: square.state[name] for name in ("up", "down", "left", "right")}
    assert reach == {"up": 1, "down": 0, "left": 0, "right": 2}
    np.testing.assert_array_equal(square.matrix, matrix)
    square.matrix = np.eye(6)
    assert (square.state["height"], square.state["width"]) == (1, 6)
    square.matrix = None
    assert square.matrix is None
    assert explorer.WeightSquare(np.eye(6), size=(2, 3)).state["height"] == 2
    assert explorer.WeightSquare(window=2).state == dict.fromkeys(reach, 2)


def test_models_of_ones_own(tmp_path: Path) -> None:
    net = zoo.build("lenet5")
    path = tmp_path / "mine.onnx"
    net.save(path)
    for model, label in ((net, "graph.onnx"), (path, "mine.onnx"), (str(path), "mine.onnx")):
        view = explorer.ModelView(model)
        assert view.report["totals"]["params"] == net.trainable
        assert view.report["name"] == label
        network = explorer.NetworkView(model)
        assert network.state["label"] == label
        assert repr(network) == f"NetworkView(model='{label}', label='{label}')"
        shown, _ = network._repr_mimebundle_()
        assert network.state["model"] not in shown["image/svg+xml"]
        assert network._uploads.path(network.state["model"]).read_bytes()
        field = explorer.ReceptiveField(model)
        assert field.state["file"]["label"] == label
        assert field._uploads.path(field.state["file"]["name"]).is_file()
    assert explorer.ModelView("lenet5").report["name"] == "lenet5"
    assert explorer.NetworkView("lenet").state == {"model": "zoo:lenet", "label": "lenet"}
    assert explorer.ReceptiveField("vgg16").state == {"file": {"zoo": "vgg16"}, "selected": 1}


def sent(widget: Any) -> np.ndarray:
    """The pixels of the picture that a widget sends along."""
    import base64
    import io

    from PIL import Image

    file = base64.b64decode(widget.data["pictures"]["own"]["file"])
    return np.array(Image.open(io.BytesIO(file)))


def test_pictures_of_ones_own(tmp_path: Path) -> None:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    lab = explorer.ImageLab(pixels, [[1, 0, -1]], border="reflect")
    np.testing.assert_array_equal(sent(lab), pixels)
    assert lab.state == {"kernels": [[[1, 0, -1]]], "border": "reflect", "picture": "own"}
    lab.kernel = np.ones((2, 3, 3))
    assert lab.kernel.shape == (2, 3, 3)
    np.testing.assert_array_equal(sent(explorer.ImageLab(pixels[..., 0] / 255)), pixels[..., 0])
    np.testing.assert_array_equal(sent(explorer.ImageLab(np.eye(4, dtype=bool)))[0], [255, 0, 0, 0])
    path = tmp_path / "mine.png"
    Image.fromarray(pixels).save(path)
    assert explorer.ImageLab(path).data["pictures"]["own"]["label"] == "mine.png"
    assert max(sent(explorer.ImageLab("coffee")).shape) == 256
    assert explorer.ImageLab().kernel is None
    shown, _ = lab._repr_mimebundle_()
    assert lab.data["pictures"]["own"]["file"] in shown["image/svg+xml"]


REFUSED = [
    (lambda: explorer.KernelSlide(np.zeros((2, 2, 2, 2))), "real numbers with 1, 2 or 3 axes"),
    (lambda: explorer.KernelSlide([["a"]]), "real numbers with 1, 2 or 3 axes"),
    (lambda: explorer.KernelSlide(np.zeros((40, 4))), "1 to 4×32×32 finite entries"),
    (lambda: explorer.KernelSlide([1, np.nan]), "1 to 4×32×32 finite entries"),
    (lambda: explorer.KernelSlide(None, np.zeros((0, 2))), "1 to 4×4×9×9 finite entries"),
    (lambda: explorer.KernelSlide(padding="some"), "padding must be a word, an amount"),
    (lambda: explorer.KernelSlide(padding=[[1, 2, 3]]), "padding must be a word, an amount"),
    (lambda: explorer.KernelSlide(flip=object()), "a state holds finite numbers, text"),
    (lambda: explorer.CostCounter(units=float("inf")), "a state holds finite numbers, text"),
    (lambda: explorer.CostCounter(pinned={1: 2}), "a state holds finite numbers, text"),
    (lambda: explorer.WeightSquare(np.zeros((3, 4))), "matrix must be square"),
    (lambda: explorer.WeightSquare(np.zeros((8, 8))), "matrix must be square"),
    (lambda: explorer.WeightSquare(np.zeros((50, 50))), "1 to 49×49 finite entries"),
    (lambda: explorer.WeightSquare([1, 2]), "real numbers with 2 axes"),
    (lambda: explorer.ModelView("nowhere.onnx"), "a model must be a graph, a network of the zoo"),
    (lambda: explorer.NetworkView(3), "a model must be a graph, a network of the zoo"),
    (lambda: explorer.ReceptiveField([]), "a model must be a graph, a network of the zoo"),
    (lambda: explorer.ImageLab(np.zeros((3, 4, 4))), "an image must be an array of numbers"),
    (lambda: explorer.ImageLab(np.zeros((0, 4))), "an image must be an array of numbers"),
    (lambda: explorer.ImageLab([[1.5]]), "whole numbers from 0 to 255 or reals from 0 to 1"),
    (lambda: explorer.ImageLab([[np.nan]]), "whole numbers from 0 to 255 or reals from 0 to 1"),
    (lambda: explorer.ImageLab([[-1]]), "whole numbers from 0 to 255 or reals from 0 to 1"),
    (lambda: explorer.ImageLab(None, np.ones((16, 1))), "1 to 2×15×15 finite entries"),
]


@pytest.mark.parametrize(("make", "text"), REFUSED)
def test_refusals_are_told(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(ExplorerError, match=text) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(FaltungError, match=r"^bad\.onnx"):
        explorer.ModelView(path)


# Questions and files


class Line:
    """A widget whose replies are kept, and ways to speak to it as the browser does."""

    def __init__(self, widget: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.widget = widget
        self.replies: list[dict[str, Any]] = []
        monkeypatch.setattr(widget, "send", lambda reply: self.replies.append(reply))

    def say(self, content: dict[str, Any], *buffers: bytes) -> dict[str, Any]:
        views = [memoryview(each) for each in buffers]
        self.widget._answer(self.widget, content, views)
        return self.replies[-1]


def test_questions_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(explorer.ModelView("lenet5"), monkeypatch)
    reply = line.say({"id": "7", "question": "model.inspected", "given": {"zoo": "lenet"}})
    assert reply["id"] == "7"
    assert reply["answer"]["name"] == "lenet"
    for content in ({"question": "model.guessed"}, {}, {"question": "model.inspected"}):
        reply = line.say({"id": "8", **content})
        assert reply["id"] == "8"
        assert "\n" not in reply["error"]
        assert "answer" not in reply


def test_uploads_come_as_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A good file is inspected; a bad one is told by its own name, in one line, no path in it."""
    line = Line(explorer.ModelView("lenet5"), monkeypatch)
    net = zoo.build("zero-one")
    net.save(tmp_path / "mine.onnx")
    name = line.say({"id": "1", "upload": "mine.onnx"}, (tmp_path / "mine.onnx").read_bytes())
    given = {"file": name["answer"]["name"], "label": "mine.onnx"}
    reply = line.say({"id": "2", "question": "model.inspected", "given": given})
    assert reply["answer"]["totals"]["params"] == net.trainable
    name = line.say({"id": "3", "upload": "../bad.onnx"}, b"no ", b"model")
    given = {"file": name["answer"]["name"], "label": "bad.onnx"}
    reply = line.say({"id": "4", "question": "model.inspected", "given": given})
    assert "bad.onnx" in reply["error"]
    assert "\n" not in reply["error"]
    assert str(line.widget._uploads.folder) not in reply["error"]


def test_a_defect_reaches_the_view_and_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    line = Line(explorer.CostCounter(), monkeypatch)

    def broken(*_: Any) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("faltung.explorer.widgets.answer", broken)
    with pytest.raises(RuntimeError):
        line.say({"id": "1", "question": "cost.any"})
    text = "cost.any: it failed, got error=RuntimeError. Please report it."
    assert line.replies == [{"id": "1", "error": text}]


def test_files_are_gone_with_the_widget() -> None:
    """When it is closed, and when it is collected; no warning, for those are errors."""
    widget = explorer.NetworkView(zoo.build("zero-one"))
    folder = widget._uploads.folder
    assert folder.is_dir()
    widget.close()
    assert not folder.exists()
    widget = explorer.NetworkView(zoo.build("zero-one"))
    folder = widget._uploads.folder
    type(widget).close_all()
    del widget
    gc.collect()
    assert not folder.exists()


def test_files_are_gone_when_python_ends() -> None:
    code = (
        "from faltung import explorer, zoo\n"
        "kept = explorer.NetworkView(zoo.build('zero-one'))\n"
        "print(kept._uploads.folder)"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stderr == ""
    assert not Path(run.stdout.strip()).exists()


# Pictures that stand still


def test_figures_show_the_state() -> None:
    """Where there is a figure, another state is another picture."""
    default = still.still("slide", "", {}, None)
    for state in ({"stride": [2, 2]}, {"flip": True}, {"padding": "each", "top": 2, "left": 1}):
        assert still.still("slide", "", state, None) != default
    x = [[[1, 2, 3, 4]]]
    line = {"axes": "1", "x": x, "w": [[[[1, -1]]]], "stride": [1, 2], "padding": "same"}
    assert "<svg" in still.still("slide", "", line, None)
    for view, state in (("square", {"height": 2}), ("cost", {"kernel": 5})):
        assert still.still(view, "", state, None) != still.still(view, "", {}, None)
    layers = [{"kind": "conv", "kernel": 5, "stride": 2}, {"kind": "pool", "kernel": 2}]
    state = {"layers": layers, "height": 16, "width": 16}
    assert still.still("field", "", state, None) != still.still("field", "", {}, None)


CARDS = [
    ("slide", {"in_channels": 2}),
    ("slide", {"transposed": True}),
    ("slide", {"x": np.zeros((1, 2, 2)).tolist()}),
    ("field", {"file": {"zoo": "vgg16"}}),
    ("field", {"layers": [{"kind": "upsample", "kernel": 1, "stride": 2}]}),
    ("field", {"layers": [{"kind": "conv", "kernel": 9}]}),
    ("square", {"height": 7, "width": 7}),
]


@pytest.mark.parametrize(("view", "state"), CARDS)
def test_what_no_figure_shows_is_a_card(view: str, state: dict[str, Any]) -> None:
    text = still.still(view, "Words & <signs>.", state, None)
    assert text == still.card("Words & <signs>.", state)
    words = "".join(ET.fromstring(text).itertext())
    assert "Words & <signs>." in words
    assert next(iter(state)) in words


def test_without_matplotlib_it_is_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(still, "find_spec", lambda name: None)
    assert still.still("slide", "w", {"flip": True}, None) == still.card("w", {"flip": True})
