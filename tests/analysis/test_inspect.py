"""Inspections: figures known from papers, counted by hand, or found by brute force."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from faltung import layers as L
from faltung import ops, zoo
from faltung.analysis import summarize
from faltung.analysis.inspect import inspect
from faltung.analysis.inspect.border import read_by, skipped
from faltung.analysis.receptive_field import Walk
from faltung.analysis.seen import seen
from faltung.errors import FaltungError, GraphError
from faltung.geometry import AxisWindow, Interval
from faltung.graph import Graph


def figures(report: Any, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(getattr(report.layer(n), each) for each in names[1:]) for n in names[0].split()]


def test_lenet5() -> None:
    report = inspect("lenet5")
    names = "C1 S2 C3 S4 C5 F6 dense1"
    assert figures(report, names, "params", "out_shape") == [
        (156, (1, 6, 28, 28)),
        (0, (1, 6, 14, 14)),
        (2416, (1, 16, 10, 10)),
        (0, (1, 16, 5, 5)),
        (48120, (1, 120, 1, 1)),
        (10164, (1, 84)),
        (850, (1, 10)),
    ]
    costs = {layer.name: layer.cost for layer in report.layers if layer.cost}
    macs = [costs[name].macs for name in names.split()]
    assert macs == [117600, 0, 240000, 0, 48000, 10080, 840]
    assert report.totals.params == 61706
    assert report.totals.state == 2
    assert report.totals.cost.macs == 416520
    assert report.examples_wanted == (308530, 617060)
    assert not report.at_least
    first = report.layer("C1")
    assert first.dense_params == 1024 * 6 * 784 + 6 * 784
    assert first.weight_bytes == 4 * 156
    assert first.activation_bytes == 4 * 6 * 28 * 28
    assert first.moved_bytes == 4 * (1024 + 156 + 4704)
    assert first.intensity == 117600 / (4 * (1024 + 156 + 4704))
    assert report.totals.activation_bytes == 4 * (
        2 * 1024 + 2 * 4704 + 1176 + 2 * 1600 + 400 + 3 * 120 + 2 * 84 + 10
    )


def test_vgg16() -> None:
    report = inspect("vgg16")
    convs = sum(layer.params for layer in report.layers if layer.operator == "Conv")
    dense = sum(layer.params for layer in report.layers if layer.operator == "Gemm")
    assert (report.totals.params, convs, dense) == (138_357_544, 14_714_688, 123_642_856)
    assert report.totals.cost.macs == 15_470_264_320
    ends = [report.layer(f"maxpool{i}").fields["x"][0].size for i in range(1, 6)]
    assert ends == [6, 16, 44, 100, 212]
    last = report.layer("maxpool5")
    assert last.intervals["x"] == (Interval(-90, 122), Interval(-90, 122))
    assert int(last.fields["x"][0].jump) == 32
    assert last.fields["x"][0].start == -90
    assert report.layer("dense3").params == 4_097_000


def test_dense_and_convolution_on_an_image() -> None:
    report = inspect(L.build(L.Conv(1, 3, padding="same", bias=False), (1, 224, 224)))
    (layer,) = report.layers
    assert layer.cost is not None
    assert (layer.cost.connections, layer.cost.connections_inside) == (451_584, 448_900)
    assert layer.params == 9
    assert layer.dense_params == 2_517_630_976 + 224**2
    assert layer.fields["x"][0].share == 3 / 224


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "dropped", "missed"),
    [
        (6, 3, 2, 1, 1, 0),  # what is dropped is padding
        (8, 3, 2, 0, 1, 1),
        (9, 3, 2, 0, 0, 0),
        (8, 1, 2, 0, 1, 4),
        (10, 2, 5, 0, 3, 6),
        (7, 3, 1, ((-1, -2),), 0, 3),
        (3, 5, 1, 0, 3, 3),
    ],
)
def test_columns_that_are_dropped(
    size: int, kernel: int, stride: int, padding: Any, dropped: int, missed: int
) -> None:
    conv = L.Conv(1, kernel, stride=stride, padding=padding)
    report = inspect(L.build(conv, (1, size)))
    assert report.layers[0].dropped == (dropped,)
    assert report.layers[0].skipped == (missed,)
    assert sum(run.size for run in report.never_read["x"][2]) == missed
    text = str(report)
    assert ("no window reads" in text) == (missed > dropped)
    assert ("last columns are dropped" in text) == bool(dropped)
    assert ("of padding alone" in text) == bool(dropped and not missed)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "circular", "replicate"])
def test_what_a_window_reads_is_its_taps(mode: str) -> None:
    from faltung.geometry.border import source

    rng = np.random.default_rng(0)
    for _ in range(200):
        size, kernel, stride, dilation = (int(n) for n in rng.integers(1, 6, 4))
        size += 4
        low, high = (int(n) for n in rng.integers(0 if mode != "zeros" else -2, 4, 2))
        axis = AxisWindow(size, kernel, stride, dilation, low, high)
        marked = rng.random(axis.out_size) < 0.5
        taps = {t for o in np.flatnonzero(marked) for t in axis.taps(int(o))}
        places = [source(mode, t, size) for t in taps if mode != "zeros" or t < axis.end]
        found = {place for place in places if place is not None}
        assert np.flatnonzero(read_by(axis, marked, mode)).tolist() == sorted(found)
        if marked.all():
            assert skipped(axis, mode) == size - len(found)


def random_graph(seed: int, axes: int = 1) -> Graph:
    """Windows, branches, crops and steps, in a random order."""
    rng = np.random.default_rng(seed)
    shape = (2, *(int(n) for n in rng.integers(10, 15, axes)))
    values = [L.Input(shape)]
    for _ in range(int(rng.integers(2, 6))):
        x = values[int(rng.integers(max(0, len(values) - 3), len(values)))]
        values.append(random_layer(rng, x, values))
    ends = [values[-1], *values[1:-1][:: int(rng.integers(2, 4))]]
    return L.build(list(dict.fromkeys(ends)))


def random_layer(rng: np.random.Generator, x: Any, values: list[Any]) -> Any:
    kernel, stride, dilation = int(rng.integers(1, 4)), int(rng.integers(1, 4)), 1
    kind = int(rng.integers(7))
    like = [v for v in values if v.shape == x.shape]
    if kind == 0 or min(x.shape[2:]) < 5:
        return L.Relu()(x)
    if kind == 1:
        return L.MaxPool(kernel, stride)(x)
    if kind == 2:
        return L.Conv(2, kernel, stride=stride, padding=int(rng.integers(0, 2)))(x)
    if kind == 3:
        dilation = int(rng.integers(1, 3))
        return L.Conv(2, 2, dilation=dilation, padding="same")(x)
    if kind == 4:
        return L.ConvTranspose(2, kernel, stride=min(stride, 2))(x)
    if kind == 5:
        return L.Concat()(x, like[int(rng.integers(len(like)))])
    return L.Add()(x, like[int(rng.integers(len(like)))])


@pytest.mark.parametrize("seed", range(25))
def test_what_is_never_read_is_what_no_output_depends_on(seed: int) -> None:
    graph = random_graph(seed)
    report = inspect(graph)
    space = report.input_shapes["x"][2]
    shapes = report.known.shapes
    read = np.zeros(int(space), bool)
    for name in report.graph.outputs:
        for at in range(int(shapes[name][2])):
            found = seen(report.graph, name, (0, at)).get("x")
            read |= False if found is None else found.any(axis=0)
    missed = [p for run in report.never_read["x"][2] for p in range(run.lo, run.hi)]
    assert missed == np.flatnonzero(~read).tolist()


@pytest.mark.parametrize("seed", range(15))
def test_intervals_are_those_of_the_walk(seed: int) -> None:
    report = inspect(random_graph(seed, axes=2))
    walk = Walk(report.graph, report.known.shapes)
    for layer in report.layers:
        spans = (Interval(0, 1),) * 4
        assert layer.intervals["x"] == walk.spans(layer.outputs[0], spans)["x"][2:]
        found = report.detail(layer.name)
        assert found.seen[0].spans == layer.intervals["x"]
        assert found.way[-1] is layer


def test_the_first_output_after_upsampling() -> None:
    """Output 0 sees less than others do: size is of these, the interval its own."""
    net = L.build(
        L.Chain(
            L.Conv(1, 3, padding=1),
            L.MaxPool(2),
            L.Conv(1, 3, padding=1),
            L.ConvTranspose(1, 2, stride=2),
            L.Conv(1, 3, padding=1),
        ),
        (1, 32),
    )
    report = inspect(net)
    layer = report.layers[-1]
    walk = Walk(report.graph, report.known.shapes)
    for where, at in zip(report.detail(layer.name).seen, (0, 16, 31), strict=True):
        spans = (Interval(0, 1), Interval(0, 1), Interval(at, at + 1))
        assert where.position == (at,)
        assert where.spans == walk.spans(layer.outputs[0], spans)["x"][2:]


def test_shared_parameters_count_once() -> None:
    x, weight = L.Input((1, 8, 8)), L.Weight("weight", (1, 1, 3, 3), L.zeros((1, 1, 3, 3)))
    h = L.apply(ops.Conv(padding=1), x, weight)
    report = inspect(L.build(L.apply(ops.Conv(padding=1), h, weight)))
    assert [layer.params for layer in report.layers] == [9, 0]
    assert [layer.weight_bytes for layer in report.layers] == [36, 0]
    assert report.layers[1].moved_bytes == 4 * (64 + 9 + 64)  # read all the same
    assert report.totals.params == 9


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_several_inputs_and_outputs(axes: int) -> None:
    left, right = (L.Input((1, *[12] * axes), name) for name in ("left", "right"))
    a, b = L.Conv(2, 3, padding=1)(left), L.Conv(2, 5, padding=2)(right)
    both = L.Add()(a, b)
    report = inspect(L.build([L.MaxPool(2)(both), a]))
    assert report.input_shapes == {name: (1, 1, *[12] * axes) for name in ("left", "right")}
    layer = report.layer("add1")
    assert {n: [f.size for f in fields] for n, fields in layer.fields.items()} == {
        "left": [3] * axes,
        "right": [5] * axes,
    }
    assert list(report.layer("conv1").fields) == ["left"]
    assert "left: " + "×".join("3" * axes) in str(report)
    assert set(report.to_dict()["locality"]) == {"left", "right"}
    assert report.totals.params == 2 * (3**axes + 1) + 2 * (5**axes + 1)


def test_sizes_by_name() -> None:
    left, right = (L.Input((1, 12), name) for name in ("left", "right"))
    graph = L.build(L.Concat(2)(left, right))
    report = inspect(graph, (2, 1, 7), shapes={"right": (2, 1, 5)})
    assert report.layers[0].out_shape == (2, 1, 12)
    assert report.layers[0].activation_bytes == 2 * 12 * 4
    with pytest.raises(
        GraphError, match=r"shapes must name inputs, got names=\['up'\].*inspect I2"
    ):
        inspect(graph, shapes={"up": (1,)})
    rule = "input 'right' must have 3 sizes, got shape=1x5, declared=Nx1x12"
    with pytest.raises(GraphError, match=rule):
        inspect(graph, shapes={"right": (1, 5)})


def test_a_shape_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(FaltungError, match="channels"):
        inspect(L.build(L.Conv(1, 3), (3, 8, 8)), (1, 4, 8, 8))


def test_a_network_of_the_zoo_is_drawn_for_the_size_asked_for() -> None:
    report = inspect("lenet", (2, 3, 40, 36))
    assert report.input_shapes == {"x": (2, 3, 40, 36)}
    assert report.layers[-1].out_shape == (2, 10)
    assert report.layer("flatten1").out_shape == (2, 120 * 3 * 2)
    assert report.totals.cost.macs == 2 * inspect("lenet", (1, 3, 40, 36)).totals.cost.macs


def test_dtypes_decide_bytes() -> None:
    graph = L.build(L.Chain(L.Conv(1, 3), L.Relu()), (1, 8)).astype(np.float64)
    report = inspect(graph)
    assert [layer.activation_bytes for layer in report.layers] == [48, 48]
    assert report.totals.weight_bytes == 32
    halves = Graph(graph.inputs, graph.nodes, graph.outputs, graph.params)
    assert inspect(halves).totals == report.totals


def test_the_summary_is_a_reading_of_it() -> None:
    for name in ("lenet5", "resnet20", "unet"):
        graph = zoo.sketch(name, (1, 32, 32))
        report, summary = inspect(graph), summarize(graph)
        assert (summary.params, summary.macs) == (report.totals.params, report.totals.cost.macs)
        assert [(r.name, r.cost, r.field) for r in summary.layers] == [
            (r.name, r.cost, r.fields["x"]) for r in report.layers
        ]


def test_an_empty_network() -> None:
    report = inspect(L.build(L.Input((1, 3))))
    assert report.layers == ()
    assert report.peak_memory.bytes == 12
    assert "0 operators" in str(report)
    assert json.loads(json.dumps(report.to_dict()))["totals"]["params"] == 0


def test_a_layer_that_there_is_not() -> None:
    rule = r"inspect lenet5: there is no such layer, got layer='C2'. Use one such as .*C3"
    with pytest.raises(GraphError, match=rule):
        inspect("lenet5").detail("C2")


def strange(path: Path, op_type: str = "Fold", domain: str = "odd") -> Path:
    """A convolution, an operator that nobody knows, and one after it whose shape is declared."""
    w = numpy_helper.from_array(np.ones((4, 1, 3, 3), np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"], "first"),
        helper.make_node(op_type, ["h"], ["f"], "odd_one", domain=domain),
        helper.make_node("Relu", ["f"], ["r"], "behind"),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "strange",
        [info("x", TensorProto.FLOAT, [1, 1, 10, 10])],
        [info("r", TensorProto.FLOAT, None)],
        [w],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("odd", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


def test_operators_that_nobody_knows(tmp_path: Path) -> None:
    report = inspect(strange(tmp_path / "m.onnx"))
    first, odd, behind = report.layers
    assert report.at_least
    assert report.totals.at_least
    assert first.unknown == ""
    assert first.cost is not None
    assert first.cost.macs == 4 * 64 * 9
    assert first.fields["x"][0].size == 3
    assert (odd.cost, odd.activation_bytes, behind.cost) == (None, None, None)
    assert "Fold" in odd.operator
    assert odd.unknown
    assert "whose shape is not known" in behind.unknown
    assert odd.fields == behind.fields == {}
    assert report.never_read == {}
    assert "As far as the network is known: Local in x" in str(report)
    assert report.peak_memory.lacking == 2
    text = str(report)
    assert "Totals are lower bounds, as 2 operators are not known." in text
    assert "odd_one" in text
    assert "In all at least 36 parameters" in text
    assert "≥ 36" in text
    found = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert found["totals"]["at_least"] is True
    assert found["is_known_as_a_whole"] is False
    assert found["layers"][1]["macs"] is None
    assert found["layers"][1]["unknown"] == odd.unknown
    assert 'tr class="unknown"' in report.html()
    assert "Not all of it is known" in str(report.detail("odd_one"))
    assert re.search(r"\| odd_one \|.*\? \|", report.markdown().replace("\\_", "_"))


def test_an_operator_that_refuses_its_inputs_is_a_row() -> None:
    """A file may say nonsense; only a shape that a caller gives is the caller's mistake."""
    graph = L.build(L.Chain(L.Conv(2, 3), L.Relu()), (3, 8, 8)).with_input_shape((1, 4, 8, 8))
    report = inspect(graph)
    assert "channels" in report.layers[0].unknown
    assert report.at_least
    assert report.layers[0].params == 2 * 3 * 9 + 2


def test_weights_that_a_file_keeps_as_constants() -> None:
    graph = L.build(L.Chain(L.Conv(2, 3), L.Relu(), L.Flatten(), L.Dense(3)), (1, 6, 6))
    kept = Graph(graph.inputs, graph.nodes, graph.outputs, {}, graph.params)
    text = str(inspect(kept))
    assert f"{graph.trainable:,} numbers of state are weights" in text
    assert "rule of thumb" not in text
    assert "rule of thumb" not in inspect(kept).html()
    assert "rule of thumb" in str(inspect(graph))
