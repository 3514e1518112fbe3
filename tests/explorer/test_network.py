"""Network in a browser: maps, predictions, windows and drawn digits equal Python's."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faltung
from faltung import zoo
from faltung.analysis.feature_maps import feature_maps
from faltung.datasets import load
from faltung.explorer import uploads
from faltung.explorer.activations import fed, window
from faltung.explorer.layer_record import for_one_image, layer_records, shown_nodes
from faltung.explorer.recorded import digit, network, recording
from faltung.graph import Graph
from faltung.imaging.digit import averaged, centred_digit
from faltung.testing.rounding import error_bounds

Open = Callable[..., Any]
SNAPSHOTS = len(recording()["snapshots"])


def strokes(seed: int) -> list[list[list[int]]]:
    """Draw one to three strokes, anywhere, of any length; sometimes a dot or nothing."""
    rng = np.random.default_rng(seed)
    if seed % 13 == 0:
        return []
    low, high = np.sort(rng.integers(0, 112, (2, 2)), axis=0)
    counts = rng.integers(1, 7, rng.integers(1, 4))
    return [rng.integers(low, high + 1, (n, 2)).tolist() for n in counts]


def setting(seed: int) -> dict[str, Any]:
    """Draw a state: a moment, a digit or strokes, centred or not, a unit."""
    rng = np.random.default_rng(seed)
    return {
        "snapshot": int(rng.integers(SNAPSHOTS)),
        "drawn": bool(seed % 2),
        "digit": int(rng.integers(10)),
        "strokes": strokes(seed),
        "centred": bool(rng.integers(3)),
        "unit": ["255", "255", "1", "-1"][rng.integers(4)],
    }


def figures_of(view: Any) -> dict[str, Any]:
    """Return every number that the view shows: tens of thousands, as text, which is quicker."""
    script = "() => JSON.stringify(document.querySelector('.ft-view').faltung.figures())"
    found: dict[str, Any] = json.loads(view.tab.evaluate(script))
    return found


def ink_of(figures: dict[str, Any]) -> np.ndarray:
    """Return what was drawn or chosen, as the page says."""
    ink = np.array(figures["ink"], np.uint8)
    side = int(np.sqrt(ink.size))
    return ink.reshape(side, side)


def agree(figures: dict[str, Any], graph: Graph, image: np.ndarray) -> None:
    """Check every map and prediction: within the derived bound of float32's rounding."""
    graph = for_one_image(graph)
    near = error_bounds(graph, {graph.inputs[0].name: image[None]})
    names = [graph.inputs[0].name, *(node.outputs[0] for node in shown_nodes(graph))]
    assert [each["name"] for each in figures["layers"]][1:] == [n.name for n in shown_nodes(graph)]
    for name, layer in zip(names, figures["layers"], strict=True):
        value, error = (array.reshape(layer["shape"])[: layer["shown"]] for array in near[name][:2])
        shown = np.array(layer["values"]).reshape(value.shape)
        assert (np.abs(shown - value) <= error).all(), layer["name"]
    value, error = (array[0] for array in near[graph.outputs[0]][:2])
    powers = np.exp(value - value.max())
    # To first order p moves by at most 2 max|error| p(1 - p), and p(1 - p) <= 1/4.
    room = float(error.max()) + 1e-12
    np.testing.assert_allclose(figures["probabilities"], powers / powers.sum(), rtol=0, atol=room)


def test_maps_are_pythons(open_view: Open) -> None:
    """Sixty settings: what goes in to the bit, every map and prediction within its bound."""
    view = open_view("network")
    for seed in range(60):
        view.set(**setting(seed))
        state, figures = view.state(), figures_of(view)
        ink = ink_of(figures)
        is_centred = state["drawn"] and state["centred"]
        if not state["drawn"]:
            np.testing.assert_array_equal(ink, digit(state["digit"])[0])
        image = fed(ink, (1, 28, 28), is_centred=is_centred, unit=state["unit"])
        np.testing.assert_array_equal(np.array(figures["input"], np.float32), image.ravel())
        agree(figures, network(state["snapshot"]), image)
        kept = recording()["snapshots"][state["snapshot"]]
        assert (figures["step"], figures["accuracy"]) == (kept["step"], kept["accuracy"])


def test_windows_are_pythons(open_view: Open) -> None:
    """Forty cells of all layers: the cells read, the weights, the sum."""
    view, rng = open_view("network"), np.random.default_rng(1)
    records = layer_records(network())
    for seed in range(40):
        layer = 1 + seed % (len(records) - 1)
        at = [int(rng.integers(n)) for n in records[layer]["shape"]]
        view.set(**setting(seed), pinned=[layer, *at])
        figures = figures_of(view)
        assert figures["active"] == [layer, *at]
        image = np.array(figures["input"], np.float32).reshape(1, 28, 28)
        found, shown = (
            window(network(view.state()["snapshot"]), image, layer, tuple(at)),
            figures["window"],
        )
        assert [shown[name] for name in ("kind", "count")] == [found[n] for n in ("kind", "count")]
        assert [(r["from"], r["at"]) for r in shown["reads"]] == [
            (r["from"], r["at"]) for r in found["reads"]
        ]
        if found["kind"] != "sum":
            continue
        np.testing.assert_allclose(shown["weights"], found["weights"], rtol=0, atol=0)
        assert shown["bias"] == pytest.approx(found["bias"], abs=0)
        products = np.prod(figures["terms"], axis=1)
        sums = np.abs(products).sum() + abs(shown["bias"])
        assert abs(products.sum() + shown["bias"] - shown["value"]) <= sums * 2.0**-24 * (
            len(products) + 2
        )
        assert abs(shown["sum"] - shown["value"]) <= sums * 2.0**-23


def test_drawing(open_view: Open) -> None:
    """Pointer strokes are boxed and centred as Python does it; or the pad goes in as it is."""
    view = open_view("network")
    pad, rng = view.tab.locator(".ft-pad"), np.random.default_rng(3)
    for _ in range(4):
        view.tab.get_by_role("button", name="Clear the pad").click()
        pad.scroll_into_view_if_needed()
        box = pad.bounding_box()
        for _ in range(2):
            points = rng.integers(4, 220, (5, 2))
            view.tab.mouse.move(box["x"] + float(points[0][0]), box["y"] + float(points[0][1]))
            view.tab.mouse.down()
            for point in points[1:]:
                view.tab.mouse.move(box["x"] + float(point[0]), box["y"] + float(point[1]), steps=2)
            view.tab.mouse.up()
        assert len(view.state()["strokes"]) == 2
        view.tab.get_by_label("Box and centre as MNIST").check()
        ink = ink_of(figures_of(view))
        assert ink.shape == (112, 112)
        assert ink.any()
        np.testing.assert_array_equal(figures_of(view)["input"], centred_digit(ink).ravel())
        view.tab.get_by_label("Box and centre as MNIST").uncheck()
        np.testing.assert_array_equal(figures_of(view)["input"], averaged(ink, (28, 28)).ravel())


def test_drawing_by_keyboard(open_view: Open) -> None:
    """Arrows move the pen, space puts it down; a one at the edge is told once it is centred."""
    view = open_view("network")
    view.tab.locator(".ft-pad").focus()
    for key in ["ArrowRight"] * 8 + [" "] + ["ArrowDown"] * 15 + [" "]:
        view.tab.keyboard.press(key)
    assert len(view.state()["strokes"]) == 1
    assert np.argmax(figures_of(view)["probabilities"]) == 1
    assert view.text(".ft-says").startswith("It says 1, with ")
    view.tab.keyboard.press("Delete")
    assert view.state()["strokes"] == []
    view.tab.keyboard.press("Control+z")
    assert len(view.state()["strokes"]) == 1


def test_hover_and_pin(open_view: Open) -> None:
    """Hover shows, click pins, Escape unpins, undo brings it back; the link holds it."""
    view = open_view("network", {"layer": 6})
    strip = view.tab.locator(".ft-way .ft-maps").nth(6)
    strip.hover(position={"x": 25, "y": 25})
    hovered = figures_of(view)["active"]
    assert hovered[:2] == [6, 0]
    assert view.text(".ft-formula").startswith(
        f"conv2[{hovered[1]}, {hovered[2]}, {hovered[3]}] = "
    )
    strip.click(position={"x": 25, "y": 25})
    assert view.state()["pinned"] == hovered
    view.tab.mouse.move(2, 2)
    assert figures_of(view)["active"] == hovered
    view.tab.keyboard.press("Escape")
    assert view.state()["pinned"] is None
    view.tab.keyboard.press("Control+z")
    assert view.state()["pinned"] == hovered
    strip.focus()
    view.tab.keyboard.press("PageDown")
    view.tab.keyboard.press("ArrowRight")
    assert figures_of(view)["active"] == [6, 1, hovered[2], hovered[3] + 1]
    view.tab.keyboard.press("Enter")
    assert view.state()["pinned"][1] == 1
    view.tab.wait_for_timeout(300)
    link = view.tab.url
    view.tab.goto("about:blank")
    view.tab.goto(link)
    assert view.state()["pinned"][1] == 1


def test_moments(open_view: Open) -> None:
    """Step, scrub and play through the training: it learns."""
    view = open_view("network", {"snapshot": 0})
    accuracies = []
    for _ in range(SNAPSHOTS):
        accuracies.append(figures_of(view)["accuracy"])
        view.tab.keyboard.press(".")
    assert accuracies == sorted(accuracies)
    assert accuracies[0] < 0.2
    assert accuracies[-1] > 0.98
    view.tab.get_by_label("Moment of the training").fill("2")
    assert figures_of(view)["step"] == recording()["snapshots"][2]["step"]
    view.tab.get_by_role("button", name="Play").click()
    view.tab.wait_for_function(
        "() => document.querySelector('.ft-view').faltung.figures().step > 150"
    )
    view.tab.get_by_role("button", name="Pause").click()


@pytest.mark.parametrize("seed", [0, 1, 3, 4])
def test_copied_python_runs(open_view: Open, seed: int) -> None:
    """What Copy copies prints the page's own scores."""
    view = open_view("network", setting(seed))
    figures, scope = figures_of(view), {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(figures["python"], "copied", "exec"), scope)
    np.testing.assert_array_equal(scope["x"].ravel(), np.array(figures["input"], np.float32))
    near = error_bounds(network(view.state()["snapshot"]), {"x": scope["x"][None]})["dense1"]
    assert (np.abs(np.array(figures["scores"]) - scope["scores"][0]) <= 2 * near.error[0]).all()
    assert printed.getvalue()


def test_hostile_links(open_view: Open) -> None:
    """Whatever a link holds, the view shows something."""
    for state in (
        {"model": "zoo:small", "layer": 999, "map": 9999, "pinned": [50, 0, 0, 0]},
        {"model": "live", "strokes": [[[0, 0]], "x"], "drawn": True, "snapshot": -5},
        {"strokes": [[[500, 1]]], "pinned": [3, 99, 0, 0], "digit": 77, "from": 30},
    ):
        figures = figures_of(open_view("network", state))
        assert figures["model"] == ""
        assert len(figures["layers"]) == 12


def test_accessible(open_view: Open) -> None:
    """No serious finding of axe's, light and dark; nothing sideways on a narrow screen."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    for size, scheme in (((1440, 900), "light"), ((390, 844), "dark")):
        tab = open_view("network", size=size, scheme=scheme).tab
        found = axe.run(tab).response["violations"]
        assert [f["id"] for f in found if f["impact"] in ("serious", "critical")] == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= size[0]


# With Python --------------------------------------------------------------------------------------


def settled(view: Any, condition: str = "true", seconds: float = 60) -> dict[str, Any]:
    """Wait until what Python was asked is there and a condition on the figures holds."""
    figures = "const f = document.querySelector('.ft-view').faltung.figures()"
    script = f"() => {{ {figures}; return f.isCurrent && ({condition}); }}"
    view.tab.wait_for_function(script, timeout=1000 * seconds)
    return figures_of(view)


def test_models_of_ones_own(served_view: Open, tmp_path: Path) -> None:
    """Files and networks of the zoo: maps, predictions and windows; other digits; drawings."""
    own = zoo.build("lenet5", seed=3)
    own.save(tmp_path / "mine.onnx")
    view = served_view("network")
    view.tab.set_input_files("input[type=file]", tmp_path / "mine.onnx")
    figures = settled(view, "f.model.endsWith('.onnx')")
    graph = faltung.load(tmp_path / "mine.onnx")
    agree_asked(figures, graph)
    assert 'faltung.load("mine.onnx")' in figures["python"]
    view.set(drawn=True, strokes=strokes(5), unit="1")
    figures = settled(view)
    agree_asked(figures, graph)
    image = fed(ink_of(figures), (1, 32, 32), is_centred=True, unit="1")
    np.testing.assert_array_equal(np.array(figures["input"], np.float32), image.ravel())
    for layer in (3, 6, 8):
        view.set(pinned=[layer, 1, 0, 0])
        figures = settled(view, f"f.window && f.window.layer === {layer}")
        assert figures["window"] == {**window(graph, image, layer, (1, 0, 0)), "layer": layer}
    view.set(seed=4)
    figures = settled(view, "f.digits[0] !== 3")
    labels = load("sample", split="test").labels
    assert [labels[i] for i in figures["digits"]] == list(range(10))
    view.tab.get_by_label("Model", exact=True).select_option("zoo:zero-one")
    figures = settled(view, "f.model === 'zoo:zero-one'")
    assert len(figures["input"]) == 14 * 14
    agree_asked(figures, zoo.build("zero-one"))


def agree_asked(figures: dict[str, Any], graph: Graph) -> None:
    """Check what Python sent: its own values to the bit."""
    shape = figures["layers"][0]["shape"]
    image = np.array(figures["input"], np.float32).reshape(shape)
    scores = graph(image[None])
    np.testing.assert_array_equal(np.array(figures["scores"], np.float32), scores[0])
    maps = {m.name: m.values for m in feature_maps(graph, image)}
    for layer in figures["layers"][1:]:
        shown = np.array(layer["values"], np.float32).reshape(layer["shown"], -1)
        expected = maps[layer["name"]].reshape(layer["shape"][0], -1)[: layer["shown"]]
        np.testing.assert_array_equal(shown, expected)


def test_bad_models(served_view: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No ONNX, no image, too large: one line, and the view stays what it was."""
    from faltung.graph import layers as L

    (tmp_path / "text.onnx").write_text("not a network")
    L.build(L.Dense(2), (5,)).save(tmp_path / "vector.onnx")
    L.build(L.Conv(2, 3), (4, 9, 9)).save(tmp_path / "four.onnx")
    monkeypatch.setattr(uploads, "LARGEST", 100_000)
    (tmp_path / "huge.onnx").write_bytes(bytes(100_001))
    view = served_view("network")
    before = figures_of(view)["scores"]
    for name, told in {
        "text.onnx": "ONNX",
        "vector.onnx": "it must take one image (N, C, H, W) of 1 or 3 channels",
        "four.onnx": "it must take one image (N, C, H, W) of 1 or 3 channels",
        "huge.onnx": "a file must not be larger than 100,000 bytes",
    }.items():
        view.tab.evaluate("() => document.querySelector('.ft-view').faltung.frame.setNote('')")
        view.tab.set_input_files("input[type=file]", tmp_path / name)
        view.tab.wait_for_function("() => document.querySelector('.ft-note').textContent")
        assert told in view.text(".ft-note")
        assert "\n" not in view.text(".ft-note")
        assert view.state()["model"] == ""
        assert figures_of(view)["scores"] == before


def test_live_run(served_view: Open) -> None:
    """A run is followed: steps increase, moments can be looked at; it can be stopped."""
    view = served_view("network")
    view.set(epochs=30, lr=0.01)
    view.tab.get_by_label("Which one").select_option("lenet")
    view.tab.get_by_label("Which one").select_option("small")
    view.tab.get_by_role("button", name="Train").click()
    first = settled(view, "f.model && f.snapshots.length >= 2 && f.steps.length > 5")
    assert len(first["layers"]) == 12
    then = settled(view, f"f.steps.length > {len(first['steps'])} + 20")
    assert then["steps"] == list(range(1, len(then["steps"]) + 1))
    view.tab.get_by_role("button", name="Stop").click()
    ended = settled(view, "f.ended === 'stopped'")
    assert len(ended["steps"]) < 30 * 85
    view.set(snapshot=0)
    assert settled(view, "f.step === 0")["model"].endswith("-0.onnx")
    assert re.search(r"train\(start_new\(\"small\"", ended["python"])


def test_packed_bytes() -> None:
    """The recording is what the packaged file says: small enough for a page."""
    from faltung.explorer.recorded import prepared

    given = prepared()
    pixels = np.frombuffer(base64.b64decode(given["digits"][3]["pixels"]), np.uint8)
    np.testing.assert_array_equal(pixels.reshape(1, 28, 28), digit(3))
    assert len(json.dumps(given, separators=(",", ":"))) < 160_000
