"""Field in a browser: intervals, sizes, paths and loose sizes equal Python's for random stacks."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faltung
from faltung import layers
from faltung.analysis.loose_fields import loose_field
from faltung.analysis.receptive_field import Walk, receptive_fields
from faltung.errors import FaltungError
from faltung.explorer.ask_field import boxes, effective, plain, read, spans
from faltung.explorer.uploads import Uploads
from faltung.geometry import Interval
from faltung.ops import Conv, ConvTranspose, MaxPool
from faltung.ops.operator import Spans

PRINTED = contextlib.redirect_stdout


def stack(seed: int) -> dict[str, Any]:
    """Draw a stack: even kernels, strides that do not divide, padding beyond the kernel."""
    rng = np.random.default_rng(seed)

    def draw(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    kinds = ["conv", "conv", "pool", "transposed", "upsample"]
    few = ["conv", "conv", "pool"]
    drawn = [
        {
            "kind": (kinds if seed % 2 else few)[draw(0, len(kinds if seed % 2 else few) - 1)],
            "kernel": draw(1, 6),
            "stride": draw(1, 3),
            "dilation": draw(1, 3),
            "padding": ["valid", "same", "same_lower", "each", "each"][draw(0, 4)],
            "lo": draw(0, 5 if seed % 3 else 1),
            "hi": draw(0, 5 if seed % 3 else 1),
        }
        for _ in range(draw(1, 6))
    ]
    state = {"height": draw(1, 20), "width": draw(4, 30), "layers": drawn, "paths": True}
    return {**state, "selected": draw(0, len(drawn)), "pinned": None, "file": None}


def network(python: str) -> tuple[faltung.Graph | None, str]:
    """Run what Copy copies; or return what its error says."""
    scope: dict[str, Any] = {}
    try:
        with PRINTED(io.StringIO()) as printed:
            exec(compile(python, "copied", "exec"), scope)
    except FaltungError as error:
        return None, str(error)
    assert printed.getvalue() or not scope["net"].nodes
    return scope["net"], ""


def first_layers(state: Mapping[str, Any], count: int) -> faltung.Graph:
    """Build the first layers of a stack, as far as they can be built."""
    from faltung import ops

    made: list[Any] = []
    for each in state["layers"][:count]:
        pads = ((each["lo"], each["hi"]),) * 2 if each["padding"] == "each" else each["padding"]
        if each["kind"] == "upsample":
            made.append(layers.Operation(ops.Resize(scales=(1, 1, each["stride"], each["stride"]))))
            continue
        given = {"stride": each["stride"], "padding": pads, "dilation": each["dilation"]}
        maker: Any = {"conv": layers.Conv, "transposed": layers.ConvTranspose}.get(each["kind"])
        made.append(
            maker(1, each["kernel"], **given) if maker else layers.MaxPool(each["kernel"], **given)
        )
    return layers.sketch(layers.Chain(*made), (1, state["height"], state["width"]))


def paths(graph: faltung.Graph, value: str, at: tuple[int, int]) -> dict[str, list[list[int]]]:
    """Count the paths from every value to one output by the operators' own windows."""
    shapes = graph.shapes()
    names = [graph.inputs[0].name, *(node.outputs[0] for node in graph.nodes)]
    until = names.index(value)
    found: dict[str, list[list[int]]] = {}
    for axis, o in enumerate(at):
        counts = {o: 1}
        for i in range(until, -1, -1):
            size = shapes[names[i]][2 + axis]
            row = [counts.get(p, 0) for p in range(int(size))]
            found.setdefault(names[i], []).append(row)
            if i:
                counts = before(graph.nodes[i - 1], shapes, axis, counts)
    return found


def before(node: Any, shapes: Any, axis: int, counts: dict[int, int]) -> dict[int, int]:
    """Go back through one node."""
    found: dict[int, int] = {}
    in_shapes = [shapes[name] for name in node.inputs]
    size = int(in_shapes[0][2 + axis])
    for o, count in counts.items():
        if isinstance(node.operator, ConvTranspose | Conv):
            used = node.operator.window(*in_shapes[:2]).axes[axis].taps(o)
        elif isinstance(node.operator, MaxPool):
            used = node.operator.window(in_shapes[0]).axes[axis].taps(o)
        else:
            place = (0, 0, 0, o) if axis else (0, 0, o, 0)
            used = node.operator.taps(in_shapes, place)[0][2 + axis]
        for i in used:
            if 0 <= i < size:
                found[i] = found.get(i, 0) + count
    return found


def test_figures_are_pythons(open_view: Callable[..., Any]) -> None:
    """Eighty stacks: fields, exact intervals at every earlier value, paths, loose sizes."""
    view = open_view("field")
    seen = {"empty": 0, "refused": 0, "fractions": 0, "cells": 0}
    for seed in range(80):
        view.set(**stack(seed))
        state, figures = view.state(), view.figures()
        graph, refusal = network(figures["python"])
        count = len(figures["values"]) - 1
        if "draws at most" not in figures["refusal"]:
            assert figures["refusal"] == refusal
        graph = first_layers(state, count) if figures["refusal"] else graph
        assert graph is not None
        seen["refused"] += bool(refusal)
        fields, shapes = receptive_fields(graph), graph.shapes()
        assert [each["name"] for each in figures["values"]] == ["x", *fields]
        for value in figures["values"][1:]:
            name = value["name"]
            got = [
                {k: axis[k] for k in ("size", "jump", "start", "share")} for axis in value["fields"]
            ]
            assert got == [plain(axis) for axis in fields[name]], (seed, name)
            assert tuple(value["space"]) == shapes[name][2:]
            seen["empty"] += 0 in value["space"]
            seen["fractions"] += value["fields"][0]["jump"][1] > 1
        for i, value in enumerate(figures["values"][1:], 1):
            assert value["loose"] == loose_field(first_layers(state, i))
        seen["cells"] += compare_cell(graph, figures, seed)
    assert min(seen.values()) >= 4, seen


def pairs(box: Spans) -> list[list[int]]:
    """Return the intervals of a box's space, as the page has them."""
    return [[span.lo, span.hi] for span in box[2:] if isinstance(span, Interval)]


def compare_cell(graph: faltung.Graph, figures: dict[str, Any], seed: int) -> bool:
    """Compare what the active cell sees with `Walk.spans`, and its paths."""
    if figures["active"] is None:
        return False
    value, y, x = figures["active"]
    names = [each["name"] for each in figures["values"]]
    walk = Walk(graph, graph.shapes())
    box = (Interval(0, 1), Interval(0, 1), Interval(y, y + 1), Interval(x, x + 1))
    expected = boxes(walk, names[value], box)
    if value:
        assert expected["x"] == walk.spans(names[value], box)["x"]
    for i, shown in enumerate(figures["boxes"]):
        assert shown == pairs(expected[names[i]]), (seed, names[i])
    counted = paths(graph, names[value], (y, x))
    for axis in (0, 1):
        for i, row in enumerate(figures["paths"][axis]):
            assert row == counted[names[i]][axis], (seed, names[i])
    return True


def test_known_figures(open_view: Callable[..., Any]) -> None:
    """Row R1: three 3x3 on 7x7, and 7x7 stride 2 with pooling 3 stride 2: exact 11, loose 17."""
    view = open_view("field")
    values = view.figures()["values"]
    assert [value["fields"][0]["size"] for value in values] == [1, 3, 5, 7]
    assert [f"{100 * value['share']:.1f}" for value in values] == ["2.0", "18.4", "51.0", "100.0"]
    assert "sees rows 0…6, columns 0…6: 7×7, 49 of 49 positions" in view.text(".ft-formula")
    view.tab.get_by_label("A known stack").select_option("7×7 stride 2, pool 3 stride 2")
    last = view.figures()["values"][-1]
    assert (last["fields"][0]["size"], last["loose"]) == (11, 17)
    assert "7 + (3 − 1)·1·2 = 11; loose: 13 + (3 − 1)·2 = 17" in view.text(".ft-formula")
    assert "own stride spreads" in view.text(".ft-why")
    view.tab.get_by_label("A known stack").select_option("doubling dilation")
    assert [v["fields"][0]["size"] for v in view.figures()["values"]] == [1, 3, 7, 15, 31]


def test_edges_are_told(open_view: Callable[..., Any]) -> None:
    """Dropped rows, an empty output, a window of padding alone, too much cropped."""
    view = open_view("field", {"layers": [{"kernel": 2, "stride": 2}], "selected": 1})
    assert "conv1's stride does not divide: the last 1 row and 1 column" in view.text(".ft-note")
    view.set(layers=[{"kernel": 9}])
    assert "conv1 is empty" in view.text(".ft-note")
    view.set(layers=[{"kind": "pool", "kernel": 2, "padding": "each", "lo": 4}])
    assert view.text(".ft-note").endswith("[pool P7]")
    view.set(layers=[{"kind": "transposed", "kernel": 1, "padding": "each", "lo": 9}])
    assert view.text(".ft-note").endswith("[conv_transpose T10]")
    view.set(layers=[{"kind": "upsample", "stride": 8}] * 5)
    assert "draws at most 512" in view.text(".ft-note")


def test_edit_pin_keys_undo_and_link(open_view: Callable[..., Any]) -> None:
    """Layers are added, moved and removed; a cell is pinned, moved and unpinned; undo; the link."""
    view = open_view("field", {"height": 32, "width": 32})
    tab = view.tab
    tab.get_by_role("button", name="Add a layer").click()
    assert (len(view.state()["layers"]), view.state()["selected"]) == (4, 4)
    tab.get_by_label("Kernel, as a number").fill("5")
    tab.get_by_label("Kernel, as a number").press("Enter")
    assert [layer["kernel"] for layer in view.state()["layers"]] == [3, 3, 3, 5]
    tab.get_by_role("button", name="Earlier").click()
    assert [layer["kernel"] for layer in view.state()["layers"]] == [3, 3, 5, 3]
    tab.get_by_role("button", name="Remove").click()
    assert [layer["kernel"] for layer in view.state()["layers"]] == [3, 3, 3]
    tab.get_by_role("button", name="Undo").click()
    assert [layer["kernel"] for layer in view.state()["layers"]] == [3, 3, 5, 3]
    planes = tab.locator(".ft-plane canvas")
    planes.nth(2).click(position={"x": 30, "y": 30})
    pinned = view.state()["pinned"]
    assert pinned[0] == 2
    tab.locator(".ft-view h2").click()
    tab.keyboard.press("ArrowRight")
    assert view.state()["pinned"] == [2, pinned[1], pinned[2] + 1]
    tab.wait_for_timeout(300)
    link = tab.url
    tab.keyboard.press("Escape")
    assert view.state()["pinned"] is None
    tab.keyboard.press(".")
    assert view.state()["selected"] == 3
    tab.goto("about:blank")
    tab.goto(link)
    assert view.state()["pinned"] == [2, pinned[1], pinned[2] + 1]
    tab.get_by_role("button", name="conv1").focus()
    tab.keyboard.press("ArrowDown")
    assert view.state()["selected"] == 2
    planes.nth(1).focus()
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("Enter")
    assert view.state()["pinned"][0] == 1


def test_hover_is_quick(open_view: Callable[..., Any]) -> None:
    """Of 300 pointer moves at 32x32 and five layers, 95 % are drawn in less than 20 ms."""
    view = open_view("field", {"height": 32, "width": 32, "layers": [{"padding": "same"}] * 5})
    view.set(selected=5, paths=True)
    # From the pointer to pixels of every plane that can be read.
    measure = """() => {
      const planes = [...document.querySelectorAll(".ft-plane canvas")];
      const box = planes.at(-1).getBoundingClientRect();
      const probe = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
      return Array.from({ length: 300 }, (_, i) => {
        const clientX = box.left + ((i * 7) % 97) / 97 * (box.width - 2) + 1;
        const clientY = box.top + ((i * 5) % 89) / 89 * (box.height - 2) + 1;
        const move = new PointerEvent("pointermove", { clientX, clientY, bubbles: true });
        const start = performance.now();
        planes.at(-1).dispatchEvent(move);
        for (const plane of planes) probe.drawImage(plane, 0, 0, 1, 1);
        probe.getImageData(0, 0, 1, 1);
        return performance.now() - start;
      });
    }"""
    # Each move's least of a few rounds: others may be at work on the machine.
    took = np.full(300, np.inf)
    for _ in range(4):
        took = np.minimum(took, view.tab.evaluate(measure))
        if np.quantile(took, 0.95) < 20:
            return
    pytest.fail(f"{np.quantile(took, 0.95):.1f} ms")


def test_states_from_links_are_cleaned(open_view: Callable[..., Any]) -> None:
    """What does not fit leaves the worked example."""
    view = open_view("field", {"layers": "x", "height": -3, "selected": 99})
    state = view.state()
    assert (state["height"], state["selected"], len(state["layers"])) == (1, 3, 3)
    hostile: list[dict[str, Any]] = [
        *({"layers": [None]}, {"layers": [{}] * 13}, {"pinned": [9, 9]}, {"pinned": [99, 0, 0]}),
        *({"file": {"name": 1}}, {"file": "x"}, {"height": -7}, {"paths": 1}),
    ]
    for given in hostile:
        view.set(**given)
        assert view.state() == state


def test_recorded_networks(open_view: Callable[..., Any]) -> None:
    """A saved page has VGG-16 and AlexNet, with what the middle sees of the input."""
    view = open_view("field", {"file": {"zoo": "vgg16"}, "selected": 10**6})
    by_name = {value["name"]: value for value in view.figures()["values"]}
    assert (by_name["maxpool5"]["fields"][0]["size"], by_name["maxpool5"]["loose"]) == (212, 37)
    view.tab.get_by_role("button", name="maxpool5").click()
    with Uploads() as none:
        asked = spans({"zoo": "vgg16", "value": "maxpool5", "at": [3, 3]}, none)
    assert view.figures()["boxes"][0] == asked["x"]
    graph, _ = network(view.figures()["python"])
    assert graph is not None
    view.tab.get_by_label("What is looked at").select_option("a stack of your own")
    assert len(view.figures()["values"]) == 4
    view.set(file={"name": "0123.onnx", "label": "mine.onnx"})
    view.tab.get_by_text("This network needs Python").wait_for()
    assert view.state()["file"] is None


def until(view: Any, is_so: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """Wait for an answer of Python's; pages do not let a test's text run as a script."""
    for _ in range(200):
        figures: dict[str, Any] = view.figures()
        if is_so(figures):
            return figures
        view.tab.wait_for_timeout(50)
    raise TimeoutError


def forked() -> faltung.Graph:
    """Two branches that see differently far, and a dense end."""
    x = layers.Input((1, 24, 20))
    near, far = layers.Conv(2, 3, padding=1)(x), layers.Conv(3, 5, padding=2, dilation=1)(x)
    joined = layers.MaxPool(2)(layers.Concat()(near, layers.Conv(2, 3, padding=1)(far)))
    return layers.build(layers.Dense(4)(layers.Flatten()(joined)), seed=1)


def test_a_file(served_view: Callable[..., Any], tmp_path: Path) -> None:
    """An ONNX file: its values, exact intervals of a clicked cell, the measured field."""
    graph = forked()
    path = tmp_path / "forked.onnx"
    graph.save(path)
    view = served_view("field")
    tab = view.tab
    tab.get_by_label("Open an ONNX file …").last.set_input_files(str(path))
    tab.get_by_role("button", name="maxpool1").click()
    figures = until(view, lambda f: f["boxes"][:1] and f["boxes"][0] and f["active"][0] == 5)
    loaded = faltung.load(path)
    fields = receptive_fields(loaded)
    got = {v["name"]: [f["size"] for f in v["fields"]] for v in figures["values"][1:]}
    assert got == {name: [plain(f)["size"] for f in each] for name, each in fields.items()}
    walk = Walk(loaded, loaded.shapes())
    box = (Interval(0, 1), Interval(0, 4), Interval(6, 7), Interval(5, 6))
    seen = boxes(walk, "maxpool1", box)
    shown = dict(zip([v["name"] for v in figures["values"]], figures["boxes"], strict=True))
    for name, each in seen.items():
        assert shown[name] == pairs(each), name
    assert seen["x"] == walk.spans("maxpool1", box)["x"]
    tab.get_by_role("button", name="Measure it by gradients").click()
    until(view, lambda figures: figures["effective"])
    measured = faltung.effective_field(loaded, "maxpool1", samples=8)
    share = measured.weights / measured.weights.max()
    np.testing.assert_array_equal(view.figures()["effective"]["weights"], share.round(4))
    tab.get_by_role("button", name="dense1").click()
    assert view.figures()["values"][-1]["fields"][0]["size"] is None
    scope: dict[str, Any] = {}
    with contextlib.chdir(tmp_path), PRINTED(io.StringIO()):
        exec(compile(view.figures()["python"], "copied", "exec"), scope)


def test_bad_files(served_view: Callable[..., Any]) -> None:
    """What is no model is refused with the file's own name; the stack stays."""
    view = served_view("field")
    chooser = view.tab.get_by_label("Open an ONNX file …").last
    for content in (b"", b"no model at all", json.dumps({"a": 1}).encode()):
        chooser.set_input_files({"name": "bad.onnx", "mimeType": "", "buffer": content})
        view.tab.get_by_text("bad.onnx: ").wait_for()
        assert view.state()["file"] is None
        view.set(height=8)
        view.set(height=7)
    assert len(view.figures()["values"]) == 4


@pytest.mark.parametrize(
    ("question", "given", "rule"),
    [
        (read, {"zoo": "nobody"}, "the zoo has no such network, got zoo=\"'nobody'\""),
        (read, {"zoo": 3}, "the zoo has no such network"),
        (read, {"file": "../x"}, "there is no such file"),
        (spans, {"zoo": "lenet", "value": 7}, "there is no such value"),
        (spans, {"zoo": "lenet", "value": "S4"}, "the value must have the position"),
        (spans, {"zoo": "lenet", "value": "S4", "at": [0, 99]}, "the value must have the position"),
        (spans, {"zoo": "lenet", "value": "S4", "at": [True, 0]}, "must have the position"),
        (effective, {"zoo": "lenet", "value": None}, "there is no such value"),
    ],
)
def test_hostile_questions(question: Any, given: dict[str, Any], rule: str) -> None:
    """Whatever is given, the answer is one sentence."""
    with Uploads() as none, pytest.raises(FaltungError) as caught:
        question(given, none)
    assert rule.split(", got")[0] in str(caught.value)
