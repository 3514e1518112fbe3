"""Verification: right figures pass, a figure that is off by one is named with its layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from faltung import Graph, Node, Value, ops, zoo
from faltung import layers as L
from faltung.analysis import receptive_field
from faltung.analysis.inspect import inspection
from faltung.analysis.inspect import layer as inspected_layer
from faltung.analysis.inspect.known import Known
from faltung.analysis.verification import Verification, verify
from faltung.geometry import AxisTransposed, AxisWindow, Interval
from faltung.ops.operator import AbstractOperator, Cost, Example
from faltung.testing.mutants.mutant import replaced
from faltung.testing.random_graphs import random_graph

FIELD = "receptive field of 'x', axis 0"


def report(found: Verification) -> str:
    return "\n".join(str(row) for row in found.differences[:8])


@pytest.mark.parametrize("seed", range(20))
def test_random_networks_pass(seed: int) -> None:
    found = verify(random_graph(seed))
    assert found.passed, report(found)
    assert {each.figure[:4] for each in found.left_out} <= {"halo"}
    # Not by the border alone: intervals were found that nothing cuts off.
    assert found.positions[0] > 20


def test_the_random_networks_have_what_is_asked_for() -> None:
    kinds = [{n.operator.onnx_type for n in random_graph(seed).nodes} for seed in range(20)]
    for wanted in ("Add", "Concat", "ConvTranspose", "Resize"):
        assert all(wanted in found for found in kinds)
    assert any("AveragePool" in found or "MaxPool" in found for found in kinds)
    axes = {len(random_graph(seed).inputs[0].shape) - 2 for seed in range(20)}
    assert axes == {1, 2, 3}
    same = [random_graph(3).nodes for _ in range(2)]
    assert same[0] == same[1]


@pytest.mark.parametrize("name", ["zero-one", "lenet", "resnet20"])
def test_networks_of_the_zoo_pass(name: str) -> None:
    found = verify(zoo.sketch(name))
    assert found.passed, report(found)
    assert not found.left_out


def test_every_operator_is_recounted_or_named() -> None:
    """On its first example that has values; only what decides its own size is left out.

    A field is said of a value's first channel. Where the channels look at different places, as
    those of SpaceToDepth, brute force finds more, and says so.
    """
    left_out, differing = set(), set()
    for name, operator in ops.OPERATORS.items():
        example = first_example(operator)
        found = verify(graph_of(example))
        assert all(FIELD[:9] in row.figure for row in found.differences), report(found)
        differing |= set() if found.passed else {name}
        if any(each.figure == "work and reach" for each in found.left_out):
            left_out.add(name)
    assert left_out == {"NonMaxSuppression"}
    assert differing == {"SpaceToDepth"}


def first_example(operator: type[AbstractOperator]) -> Example:
    return next(e for e in operator.examples() if 0 not in sum(e.in_shapes, ()))


def graph_of(example: Example) -> Graph:
    """One node: its first input is the graph's, all others are parameters."""
    rng = np.random.default_rng(0)
    kinds = [
        np.dtype(kind or "float32") for kind in example.dtypes or [""] * len(example.in_shapes)
    ]
    names = [f"in{i}" for i in range(len(kinds))]
    arrays = {
        name: np.asarray(rng.uniform(0.5, 1.5, shape)).astype(kind)
        for name, shape, kind in zip(names[1:], example.in_shapes[1:], kinds[1:], strict=True)
    }
    shapes = example.operator.out_shapes(example.in_shapes)
    outputs = tuple(f"out{i}" for i in range(len(shapes)))
    node = Node("layer", example.operator, tuple(names), outputs)
    x = Value(names[0], example.in_shapes[0], kinds[0].name)
    return Graph((x,), (node,), outputs[:1], arrays)


def test_what_is_unknown_is_left_out_with_its_reason() -> None:
    class Mine(ops.Relu):
        onnx_type = "Mine"

    chain = L.Chain(L.Conv(2, 3, name="conv"), L.Operation(Mine(), name="mine"))
    found = verify(L.build(chain, (1, 8, 8)))
    assert found.passed
    reasons = {(each.layer, each.reason) for each in found.left_out}
    assert ("mine", "no definition of this operator is known here") in reasons
    assert "Not recounted" in str(found)


def test_the_report_says_on_what_it_rests() -> None:
    found = verify(L.build(L.Chain(L.Conv(2, 3), L.MaxPool(2)), (1, 9, 9)))
    text = str(found)
    assert "all agree" in text
    assert "The network ran on x 1×1×4×4." in text
    figures = found.to_dict()
    assert figures["passed"] is True
    assert {"layer", "figure", "place", "said", "counted", "same"} == set(figures["rows"][0])


def test_nothing_recounted_is_not_passed() -> None:
    assert not Verification((), (), (), (0, 0)).passed


# Planted errors. Each is an answer that is off by one, in one operator or in the analysis.

Change = Callable[[Any], Any]


@contextmanager
def planted(owner: Any, method: str, change: Change) -> Iterator[None]:
    def wrap(function: Any) -> Any:
        return lambda *given, **options: change(function(*given, **options))

    with replaced(owner, method, wrap):
        yield


def wider_cost(field: str) -> Change:
    def change(cost: Cost) -> Cost:
        return cost._replace(**{field: getattr(cost, field) + 1})

    return change


def moved_span(lo: int, hi: int) -> Change:
    """The last axis of the first input, where it has an interval."""

    def change(spans: Any) -> Any:
        first, last = spans[0][:-1], spans[0][-1]
        if not isinstance(last, Interval) or last.empty:
            last = Interval(5, 6)
        return ((*first, Interval(last.lo + lo, last.hi + hi)), *spans[1:])

    return change


def moved_taps(taps: Any) -> Any:
    last = taps[0][-1]
    more = range(last.start, last.stop + (last.step or 1), last.step or 1)
    return ((*taps[0][:-1], more), *taps[1:])


def longer(shapes: Any) -> Any:
    return ((*shapes[0][:-1], shapes[0][-1] + 1), *shapes[1:])


COSTLY = (
    *("Conv", "ConvTranspose", "LocallyConnected", "Gemm", "MatMul", "MaxPool", "AveragePool"),
    *("LpPool", "GlobalAveragePool", "GlobalMaxPool", "Resize", "ReduceMean", "ReduceMax"),
)
REACHING = (
    *("Conv", "ConvTranspose", "LocallyConnected", "MaxPool", "AveragePool", "LpPool", "Resize"),
    *("Pad", "Slice", "Concat", "Split", "Transpose", "DepthToSpace", "LRN", "Gather", "Relu"),
    *("Add", "Gemm", "MatMul", "Softmax", "GlobalAveragePool", "Tile", "BatchNormalization"),
)


@pytest.mark.parametrize("figure", ["macs", "connections", "connections_inside"])
@pytest.mark.parametrize("name", COSTLY)
def test_a_cost_off_by_one_is_named(name: str, figure: str) -> None:
    operator = ops.OPERATORS[name]
    graph = graph_of(first_example(operator))
    with planted(operator, "cost", wider_cost(figure)):
        found = verify(graph)
    wrong = {(row.layer, row.figure) for row in found.differences}
    assert wrong == {("layer", figure.replace("_", " "))}


def test_work_where_there_is_none_is_named() -> None:
    with planted(ops.Relu, "cost", wider_cost("macs")):
        found = verify(graph_of(first_example(ops.Relu)))
    assert {row.figure for row in found.differences} == {"macs"}


@pytest.mark.parametrize(("lo", "hi"), [(-1, 0), (1, 0), (0, 1), (0, -1)])
@pytest.mark.parametrize("name", REACHING)
def test_a_span_off_by_one_is_named(name: str, lo: int, hi: int) -> None:
    operator = ops.OPERATORS[name]
    graph = graph_of(first_example(operator))
    with planted(operator, "input_span", moved_span(lo, hi)):
        found = verify(graph)
    assert ("layer", "spans") in {(row.layer, row.figure) for row in found.differences}


@pytest.mark.parametrize("name", REACHING)
def test_taps_off_by_one_are_named(name: str) -> None:
    operator = ops.OPERATORS[name]
    graph = graph_of(first_example(operator))
    with planted(operator, "taps", moved_taps):
        found = verify(graph)
    assert ("layer", "taps") in {(row.layer, row.figure) for row in found.differences}


@pytest.mark.parametrize("name", [*REACHING, "Reshape", "Flatten", "Squeeze", "ReduceMean"])
def test_a_size_off_by_one_is_named(name: str) -> None:
    operator = ops.OPERATORS[name]
    graph = graph_of(first_example(operator))
    with planted(operator, "out_shapes", longer):
        found = verify(graph)
    assert ("layer", "output size") in {(row.layer, row.figure) for row in found.differences}


NET = L.build(
    L.Chain(
        L.Conv(2, 3, stride=2, padding=1, name="first"),
        L.MaxPool(3, stride=2, padding=1, name="pool"),
        L.ConvTranspose(2, 3, stride=2, name="up"),
        L.Conv(1, 2, name="last"),
    ),
    (1, 21, 23),
)


@pytest.mark.parametrize(
    ("owner", "method", "change", "layers", "figure"),
    [
        (AxisWindow, "taps", lambda r: r[:-1], {"first", "pool", "last"}, "taps"),
        (AxisWindow, "input_span", lambda s: Interval(s.lo, s.hi + 1), {"pool"}, "spans"),
        (AxisWindow, "input_span", lambda s: Interval(s.lo + 1, s.hi), {"first"}, "spans"),
        (AxisWindow, "connections", lambda n: n + 1, {"first", "pool"}, "connections"),
        (AxisTransposed, "input_span", lambda s: Interval(s.lo, s.hi + 1), {"up"}, "spans"),
        (AxisTransposed, "connections", lambda n: n + 1, {"up"}, "connections"),
    ],
)
def test_an_error_in_the_geometry_is_named(
    owner: Any, method: str, change: Change, layers: set[str], figure: str
) -> None:
    """The recount shares no line with it."""
    with planted(owner, method, change):
        found = verify(NET)
    # Where the kernels read the same line, the layer does not even run.
    assert layers <= {r.layer for r in found.differences if r.figure in (figure, "output size")}


@pytest.mark.parametrize(
    "change",
    [
        lambda f: replace(f, size=f.size + 1) if isinstance(f.size, int) else f,
        lambda f: replace(f, start=f.start + 1),
        lambda f: replace(f, jump=f.jump + 1),
        lambda f: replace(f, jump=f.jump / 2),
    ],
    ids=["size", "start", "jump", "half the jump"],
)
def test_a_field_off_by_one_is_named(change: Change) -> None:
    with planted(receptive_field, "_field", change):
        found = verify(NET)
    wrong = {row.layer for row in found.differences}
    assert wrong - {"(local part)"} == {"first", "pool", "up", "last"}
    assert FIELD in {row.figure for row in found.differences}


@pytest.mark.parametrize("figure", ["halo_lo", "halo_hi", "stride"])
def test_a_halo_off_by_one_is_named(figure: str) -> None:
    net = L.build(L.Chain(L.Conv(2, 3, padding=1), L.MaxPool(2), L.Conv(1, 3)), (1, 40, 40))
    assert verify(net).passed

    def off(found: Any) -> Any:
        axes = tuple(replace(a, **{figure: getattr(a, figure) + 1}) for a in found.axes)
        return replace(found, axes=axes)

    with planted(inspection, "locality", off):
        found = verify(net)
    assert {row.layer for row in found.differences} == {"(local part)"}


def test_the_stride_of_one_layer_multiplied_too_early_is_named() -> None:
    """With its own stride a layer would see more: 17 for a 7 with stride 2 and a 3 behind it."""
    net = L.build(L.Chain(L.Conv(1, 7, stride=2), L.MaxPool(3, stride=2)), (1, 64, 64))
    assert verify(net).passed

    def early(field: Any) -> Any:
        return replace(field, size=17) if field.jump == Fraction(4) else field

    with planted(receptive_field, "_field", early):
        found = verify(net)
    assert {row.layer for row in found.differences} == {"maxpool1"}
    assert any(row.counted == "11 from 0, every 4" for row in found.differences)


@pytest.mark.parametrize(
    ("owner", "method", "change", "figures"),
    [
        (inspected_layer, "_dense", lambda n: n and n + 1, {"dense params"}),
        (Known, "bytes", lambda n: n + 1, {"activation bytes", "peak memory"}),
    ],
)
def test_a_figure_of_the_inspection_off_by_one_is_named(
    owner: Any, method: str, change: Change, figures: set[str]
) -> None:
    with planted(owner, method, change):
        found = verify(NET)
    assert {row.figure for row in found.differences} == figures
