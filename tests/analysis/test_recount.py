"""The recount by itself: what it counts by hand, and what it must not miss."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from faltung import layers as L
from faltung import ops
from faltung.analysis.recount import count_work, recount, recount_layer
from faltung.analysis.recount.layers import LayerRecount
from faltung.analysis.recount.trial import dependencies, drawn, moved
from faltung.ops.operator import AbstractOperator

ROOT = Path(__file__).parents[2]
FLOAT = np.dtype(np.float32)


def layer_of(operator: AbstractOperator, *shapes: tuple[int, ...]) -> LayerRecount:
    found = recount_layer(operator, shapes, [FLOAT] * len(shapes))
    assert isinstance(found, LayerRecount)
    return found


def test_it_imports_nothing_else_of_the_analysis() -> None:
    folder = ROOT / "src" / "faltung" / "analysis" / "recount"
    trees = [ast.parse(path.read_text()) for path in folder.glob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    found = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    found |= {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    own = {name.split(".")[1] for name in found if name.startswith("faltung.")}
    assert own == {"analysis", "errors", "graph", "ops", "reference"}
    inner = {name for name in found if name.startswith("faltung.analysis")}
    assert inner
    assert all(name.startswith("faltung.analysis.recount.") for name in inner)


def test_nothing_there_asks_an_operator_for_the_answer() -> None:
    folder = ROOT / "src" / "faltung" / "analysis" / "recount"
    text = "".join(path.read_text() for path in folder.glob("*.py"))
    for question in (".cost(", ".taps(in_shapes", ".input_span(", "geometry"):
        assert question not in text.replace("faltung.geometry`", "")


@pytest.mark.parametrize(
    ("operator", "shapes", "want"),
    [
        # 3 taps for each of 4 outputs; the first and the last of these lie on padding.
        (ops.Conv(padding=1), ((1, 1, 4), (1, 1, 3)), (12, 12, 10)),
        (ops.Conv(padding=1, padding_mode="circular"), ((1, 1, 4), (1, 1, 3)), (12, 12, 12)),
        # Each of 4 inputs meets the whole kernel; what is cropped joins nothing.
        (ops.ConvTranspose(padding=1), ((1, 1, 4), (1, 1, 3)), (12, 10, 10)),
        (ops.MaxPool(2, stride=2, ceil_mode=True), ((1, 1, 5),), (0, 6, 5)),
        (ops.AveragePool(3, stride=1, padding=1), ((1, 2, 4),), (0, 24, 20)),
        (ops.Gemm(), ((2, 3), (3, 5)), (30, 30, 30)),
        (ops.MatMul(), ((2, 1, 4, 3), (5, 3, 2)), (240, 240, 240)),
    ],
)
def test_work_counted_by_hand(
    operator: AbstractOperator, shapes: tuple[tuple[int, ...], ...], want: tuple[int, ...]
) -> None:
    assert count_work(operator, shapes) == want


def test_padding_is_made_visible() -> None:
    """Along the border a window reaches outside; the values themselves do not show that."""
    found = layer_of(ops.Conv(padding=2, dilation=2), (1, 1, 9), (1, 1, 3))
    hidden, seen = found.reaches[0][0], found.visible[0]
    assert (hidden.lo[2][0, 0, 0], hidden.hi[2][0, 0, 0]) == (0, 3)
    assert (seen.lo[2][0, 0, 0], seen.hi[2][0, 0, 0]) == (-2, 3)
    assert int(seen.count.sum()) == found.work.connections // found.in_shapes[0][0]
    assert int(hidden.count.sum()) == found.work.connections_inside


def test_a_window_that_hangs_over_in_ceil_mode_is_seen_whole() -> None:
    found = layer_of(ops.MaxPool(3, stride=2, ceil_mode=True), (1, 1, 8))
    size = found.in_shapes[0][2]
    seen = found.visible[0]
    assert int(seen.hi[2].max()) == size + 1
    assert int(found.reaches[0][0].hi[2].max()) == size


@pytest.mark.parametrize(
    "operator",
    [ops.Relu(), ops.Clip(0.0, 6.0), ops.LeakyRelu(), ops.Abs(), ops.HardSigmoid()],
)
def test_no_closed_rectifier_hides_a_value(operator: AbstractOperator) -> None:
    x = drawn([(2, 5)], [FLOAT])
    (found,) = dependencies(operator, x)
    assert np.array_equal(found[0].reshape(10, 10), np.eye(10, dtype=bool))


@pytest.mark.parametrize("operator", [ops.MaxPool(3, stride=1), ops.ReduceMin(axes=(2,))])
def test_no_lost_maximum_hides_a_value(operator: AbstractOperator) -> None:
    (found,) = dependencies(operator, drawn([(1, 1, 6)], [FLOAT]))
    per_output = found[0].sum(axis=0).ravel()
    assert set(per_output.tolist()) == ({3} if isinstance(operator, ops.MaxPool) else {6})


def test_what_copies_says_where_from_and_what_does_not_is_no_copy() -> None:
    copies = moved(ops.Slice((1,), (4,), (1,)), ((2, 5),))
    assert copies is not None
    assert copies[0][0].lo[1].tolist() == [[1, 2, 3], [1, 2, 3]]
    for operator in (
        ops.Relu(),
        ops.Abs(),
        ops.ReduceMax(axes=(1,)),
        ops.Resize((1.0, 2.0), mode="linear"),
    ):
        assert moved(operator, ((2, 5),)) is None


def test_difference_of_two_paths_hides_nothing() -> None:
    """End to end ``x - x`` is 0 whatever x is; node by node it is seen."""
    x = L.Input((1, 8))
    y = L.Operation(ops.Sub())(x, L.Conv(1, 3, padding=1)(x))
    found = recount(L.build(y))
    (sight,) = found.sights
    assert not sight.reasons
    lo, hi = sight.lo["sub1"][0], sight.hi["sub1"][0]
    assert (hi - lo)[1:-1].tolist() == [3] * (len(lo) - 2)


def test_shared_parameters_count_once() -> None:
    net = L.build(L.Chain(L.Conv(2, 3), L.Conv(2, 3)), (2, 9, 9))
    second = replace(net.nodes[1], inputs=(net.nodes[1].inputs[0], *net.nodes[0].inputs[1:]))
    shared = replace(net, nodes=(net.nodes[0], second))
    found = recount(shared)
    assert (found.params["conv1"], found.params["conv2"]) == (38, 0)


def test_the_budget_is_kept_and_said() -> None:
    net = L.build(L.Chain(L.Conv(2, 3), L.Flatten(), L.Dense(2)), (1, 40, 40))
    found = recount(net, budget=1e4)
    assert "declared one" in found.not_run
    assert set(found.arrays) == {"x", "conv1", "flatten1"}
