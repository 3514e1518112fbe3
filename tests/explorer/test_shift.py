"""Shift in a browser: both orders, their difference and its period equal Python's."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import faltung
from faltung import layers
from faltung.analysis.shift_error import Shifts
from faltung.errors import ExplorerError
from faltung.explorer.ask_shift import share, under, under_shift
from faltung.explorer.data_shift import PICTURES, picture, prepared
from faltung.explorer.recorded import network, packed
from faltung.explorer.uploads import Uploads
from faltung.graph.blur import with_blur_pooling

Array = NDArray[Any]
LAYERS = ("conv", "stride", "max", "avg", "blur", "stack")


def until(view: Any, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Wait until the view's figures are as wanted, and return them."""
    for _ in range(400):
        figures: dict[str, Any] = view.figures()
        if holds(figures):
            return figures
        view.tab.wait_for_timeout(10)
    raise AssertionError("the view did not come so far")


@pytest.fixture(scope="module")
def page(lasting_view: Callable[[str], Any]) -> Any:
    """The view on a page of its own, its pictures read."""
    view = lasting_view("shift")
    until(view, lambda f: f["isLoaded"])
    return view


@pytest.fixture
def view(page: Any) -> Any:
    """The page as it starts."""
    page.tab.evaluate("document.querySelector('.ft-view').faltung.store.reset()")
    return page


def run(code: str) -> dict[str, Any]:
    scope: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, "copied", "exec"), scope)
    return scope


def plane(given: dict[str, Any]) -> Array:
    """Return a map of the view; NaN where nothing was compared."""
    return np.array(given["data"], dtype=float).reshape(given["shape"])


def settings(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1, 6))
    kernel = rng.integers(-3, 4, size=(size, size))
    return {
        "layer": LAYERS[seed % 6],
        "picture": ("noise", "arrow", "digit", "camera")[seed % 4],
        "dy": int(rng.integers(-9, 10)),
        "dx": int(rng.integers(-16, 17)),
        "move": ("torus", "border")[int(rng.integers(2))],
        "padding": ("zeros", "circular")[int(rng.integers(2))],
        "kernel": kernel.tolist(),
        "stride": int(rng.integers(2, 5)),
        "window": int(rng.integers(2, 5)),
        "region": "everywhere",
    }


def test_pictures_are_pythons(view: Any) -> None:
    """Every built-in picture, pixel by pixel."""
    for name in PICTURES:
        view.set(picture=name)
        given = view.figures()["picture"]
        np.testing.assert_array_equal(np.array(given["data"]).reshape(32, 32), picture(name))


def test_differences_are_pythons(view: Any) -> None:
    """Forty-two layers and shifts: both maps, their difference, what differs and where."""
    equal = 0
    for seed in range(42):
        view.set(**settings(seed))
        figures = view.figures()
        scope = run(figures["python"])
        state, layer, x = view.state(), scope["layer"], scope["x"]
        first = layer(moved(x, state["dy"], state["dx"], state["move"]))
        np.testing.assert_array_equal(plane(figures["first"]), first)
        my, mx = figures["moved"]
        second = moved(layer(x), my, mx, state["move"])
        np.testing.assert_array_equal(plane(figures["second"]), second)
        difference = scope["difference"]
        np.testing.assert_array_equal(plane(figures["difference"]), difference)
        assert figures["largest"] == np.abs(difference).max()
        assert figures["positions"] == difference.size
        assert figures["differing"] == np.count_nonzero(difference)
        assert figures["columns"] == np.flatnonzero(difference.any(axis=0)).tolist()
        assert figures["rows"] == np.flatnonzero(difference.any(axis=1)).tolist()
        assert figures["unchanged"] == pytest.approx((first == layer(x)).mean())
        equal += figures["largest"] == 0
    assert 3 <= equal <= 30


def moved(x: Array, dy: int, dx: int, over: str) -> Array:
    if over == "torus":
        return np.roll(x, (dy, dx), (0, 1))
    from faltung.analysis.invariance import moved as lost

    return lost(lost(x, 0, dy), 1, dx)


def test_inside_is_pythons(view: Any) -> None:
    """Away from the border: largest difference, positions and move are those of whole networks."""
    compared = 0
    for seed in range(24):
        state = {**settings(seed), "region": "inside", "move": "border", "padding": "zeros"}
        state |= {"picture": "noise", "window": 2 + 2 * (seed % 2)}
        view.set(**state)
        figures = view.figures()
        found = under_shift(network_of(state), picture("noise"), state["dy"], state["dx"])
        theirs = found["layers"][-1]
        assert figures["stride"] == theirs["jump"][1]
        assert figures["positions"] == theirs["positions"]
        assert plane(figures["first"]).shape == tuple(theirs["shape"][1:])
        if state["layer"] == "stack":  # what is reported there comes before its last activation
            continue
        assert figures["largest"] == theirs["error"]
        assert theirs["error"] is None or figures["moved"] == theirs["moved"] or not theirs["error"]
        compared += bool(theirs["error"])
    assert compared >= 8


def network_of(state: dict[str, Any]) -> Any:
    """Return the layer as a graph."""
    kernel = np.array(state["kernel"], dtype=float)[None, None]
    ends = ((kernel.shape[2] - 1) // 2, kernel.shape[2] // 2)
    padding = (ends, ends)
    conv = layers.Conv(1, kernel.shape[2], padding=padding, bias=False)
    strided = layers.Conv(1, kernel.shape[2], padding=padding, stride=state["stride"], bias=False)
    window, stride = state["window"], state["stride"]
    chains: dict[str, list[Any]] = {
        "conv": [conv],
        "stride": [strided],
        "max": [layers.MaxPool(window, stride=stride)],
        "avg": [layers.AvgPool(window, stride=stride)],
        "blur": [layers.MaxPool(window, stride=stride)],
        "stack": [conv, layers.Relu(), layers.MaxPool(window, stride=2), conv, layers.Relu()],
    }
    chain = layers.Chain(*chains[state["layer"]])
    graph = layers.build(chain, (1, 32, 32)).astype("float64")
    graph = graph.replace(params=dict.fromkeys(graph.params, kernel))
    graph = with_blur_pooling(graph) if state["layer"] == "blur" else graph
    return graph.with_input_shape((1, 1, 32, 32))


@pytest.mark.parametrize("layer", ["conv", "stride", "max", "stack"])
def test_period_is_the_audits(view: Any, layer: str) -> None:
    """The period found is the one that `faltung.equivariance` measures."""
    state = {"layer": layer, "stride": 3 if layer == "stride" else 2, "region": "inside"}
    view.set(**{**state, "move": "border"})
    audit = faltung.equivariance(network_of(view.state()), fix=False, shifts=range(1, 9))
    assert view.figures()["period"] == audit.period[1]


def test_shift_by_five(view: Any) -> None:
    """The exercise: 32 wide, shift 5: columns 0, 4, 5 and 31 differ; none with circular padding."""
    assert view.figures()["columns"] == [0, 4, 5, 31]
    assert "0, 4, 5, 31" in view.text(".ft-facts")
    view.tab.get_by_label("Worth a look").select_option("Shift by 5, circular")
    figures = view.figures()
    assert figures["largest"] == 0
    assert figures["columns"] == []
    assert figures["positions"] == 1024
    assert figures["period"] == 1
    assert "equivariant" in view.text(".ft-stage >> p:visible")


def test_blur_leaves_less(view: Any) -> None:
    """Blur pooling leaves a smaller difference than max pooling, and not none."""
    worth = view.tab.get_by_label("Worth a look")
    worth.select_option("Max pooling, shift by 1")
    most = view.figures()["largest"]
    worth.select_option("Blur pooling, shift by 1")
    assert 0 < view.figures()["largest"] < most


def test_drag_keys_and_undo(view: Any) -> None:
    """Dragging and arrow keys move the picture; a drag is one step of undo; a bar picks a shift."""
    view.set(picture="arrow")
    canvas = view.tab.get_by_label("Picture: drag it, or move it with the arrow keys")
    box = canvas.bounding_box()
    cell = box["width"] / 32
    view.tab.mouse.move(box["x"] + 100, box["y"] + 100)
    view.tab.mouse.down()
    view.tab.mouse.move(box["x"] + 100 + 3 * cell, box["y"] + 100 - 2 * cell, steps=4)
    view.tab.mouse.up()
    assert (view.state()["dy"], view.state()["dx"]) == (-2, 8)
    view.tab.get_by_role("button", name="Undo").click()
    assert (view.state()["dy"], view.state()["dx"]) == (0, 5)
    canvas.focus()
    view.tab.keyboard.press("ArrowDown")
    view.tab.keyboard.press("ArrowLeft")
    assert (view.state()["dy"], view.state()["dx"]) == (1, 4)
    view.tab.locator(".ft-shift-bar").nth(7).click()
    assert (view.state()["dy"], view.state()["dx"]) == (0, 7)
    view.tab.wait_for_timeout(300)
    assert "=" in view.tab.evaluate("location.hash")


def test_hostile_state(open_view: Callable[..., Any]) -> None:
    """What a link may bring is cleaned."""
    wild = {"dx": 1e9, "dy": "a", "kernel": [[1, 2]], "layer": "x", "map": -4, "window": None}
    state = open_view("shift", wild).state()
    assert (state["dx"], state["dy"], state["layer"], state["map"]) == (16, 0, "conv", 0)
    assert len(state["kernel"]) == 3


def test_own_picture(view: Any) -> None:
    """A file is made grey and small; what is no picture is refused."""
    pixels = np.random.default_rng(0).integers(0, 256, size=(20, 30, 3)).astype(np.uint8)
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    chooser = view.tab.locator("input[type=file][aria-label='Open a picture']")
    chooser.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"none"})
    view.tab.locator(".ft-note", has_text="no picture").wait_for()
    given = {"name": "a.png", "mimeType": "image/png", "buffer": written.getvalue()}
    chooser.set_input_files(given)
    figures = until(view, lambda f: f["picture"]["width"] == 30)
    grey = np.floor(pixels @ np.array([0.299, 0.587, 0.114]) + 0.5)
    shown = np.array(figures["picture"]["data"]).reshape(20, 30)
    assert np.abs(shown - grey).max() <= 1
    assert (shown == grey).mean() > 0.99


def test_recorded_network(view: Any) -> None:
    """A saved page shows the network as Python measured it, and says what it has not."""
    view.set(layer="network", picture="digit", dx=1)
    found, recorded = view.figures()["network"], prepared()["network"]["shifts"]
    for mine, theirs in zip(found["layers"], recorded[1]["layers"], strict=True):
        assert mine == {name: v for name, v in theirs.items() if name != "levels"}
    assert found["predictions"] == recorded[1]["predictions"]
    assert "of the largest" in view.text("tbody tr >> nth=1")
    view.tab.get_by_role("button", name="maxpool1").click()
    assert "a total stride of 2" in view.text(".ft-formula")
    view.set(dx=-3)
    assert view.figures()["network"] is None
    assert "faltung explore shift" in view.text(".ft-note")


def test_network_in_python() -> None:
    """Equivariant for multiples of the total stride; errors as the audit's on the same pixels."""
    graph, image = network(), picture("digit")[2:-2, 2:-2]
    recorded = {shift["dx"]: shift for shift in prepared()["network"]["shifts"]}
    for dx, found in recorded.items():
        for layer in found["layers"]:
            is_whole = dx % layer["jump"][1] == 0
            assert (layer["error"] <= 1e-5 * layer["largest"]) == is_whole or not layer["error"]
            assert layer["moved"][0] == 0
    sized = graph.with_input_shape((1, 1, 28, 28))
    run_ = Shifts(sized, {"x": image[None, None].astype(np.float32)}, {"x": 3}, on_ring=False)
    names = [layer["name"] for layer in recorded[1]["layers"]]
    for name, measured in run_.measure([4], names).items():
        mine = next(layer for layer in recorded[4]["layers"] if layer["name"] == name)
        assert mine["moved"][1] == measured.under[0].moved
    assert under_shift(graph, image, 0, 1) == recorded[1]


def test_questions_are_checked() -> None:
    """Shifts out of range, files that are not there, networks without images."""
    given = {"pixels": packed(picture("digit")), "height": 32, "width": 32, "channels": 1}
    with Uploads() as uploads:
        for change, said in (
            ({"dy": 17, "dx": 0}, "dy must be a whole number from -16 to 16"),
            ({"dy": 0, "dx": 0.5}, "dx must be a whole number"),
            ({"dy": 0, "dx": 0, "height": 31}, "as many as the sizes say"),
            ({"dy": 0, "dx": 0, "model": "nobody"}, "there is no such file"),
        ):
            with pytest.raises(ExplorerError, match=said):
                under({**given, **change}, uploads)
        assert len(under({**given, "dy": 1, "dx": -2}, uploads)["layers"]) == 4
        assert share({}, uploads) == prepared()["network"]["share"]
    with pytest.raises(ExplorerError, match="no such picture"):
        picture("dog")


def test_served_network(served_view: Callable[..., Any], tmp_path: Any) -> None:
    """On a served page any shift and any network can be asked for; a bad file is refused."""
    view = served_view("shift")
    until(view, lambda f: f["isLoaded"])
    view.set(layer="network", picture="arrow", dx=-3, dy=2)
    found = until(view, lambda f: f["network"] and f["network"]["dy"] == 2)["network"]
    assert found["dx"] == -3
    chooser = view.tab.locator("input[type=file][aria-label='Open a network']")
    chooser.set_input_files({"name": "bad.onnx", "mimeType": "", "buffer": b"none"})
    view.tab.locator(".ft-note", has_text="bad.onnx").wait_for()
    chain = layers.Chain(layers.Conv(2, 3), layers.Relu(), layers.Conv(2, 3, stride=2))
    layers.build(chain, (1, 20, 20)).save(tmp_path / "mine.onnx")
    chooser.set_input_files(str(tmp_path / "mine.onnx"))
    found = until(
        view,
        lambda f: (
            f["network"]
            and f["network"]["model"] == "mine.onnx"
            and f["network"]["in_shape"] == [1, 20, 20]
        ),
    )["network"]
    assert [layer["jump"] for layer in found["layers"]] == [[1, 1], [2, 2]]
    assert found["predictions"] is None
