"""Folding leaves a network that computes the same with fewer nodes."""

from __future__ import annotations

import numpy as np
import pytest

from faltung import ops
from faltung.graph import Graph, Node
from faltung.graph import layers as L
from faltung.graph.graph import Value
from faltung.plan.fold import folded

RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def moved(graph: Graph) -> Graph:
    """Give statistics and scales other values than 0 and 1."""
    state = {n: np.abs(normal(*a.shape)) + 0.5 for n, a in graph.state.items()}
    params = {n: normal(*a.shape) for n, a in graph.params.items()}
    return graph.replace(params=params, state=state)


def same(graph: Graph, count: int) -> None:
    """Hold what folding leaves to the network, in float64, and to so many nodes."""
    wide = graph.astype(np.float64)
    simpler = folded(wide)
    x = RNG.normal(size=tuple(3 if isinstance(n, str) else n for n in graph.inputs[0].shape))
    a, b = np.asarray(wide(x)), np.asarray(simpler(x))
    assert np.abs(a - b).max() <= 1e-12 * np.abs(a).max()
    assert len(simpler.nodes) == count


@pytest.mark.parametrize("groups", [1, 2])
def test_normalisation_goes_into_the_convolution(groups: int) -> None:
    chain = L.Chain(L.Conv(4, 3, groups=groups), L.BatchNorm(), L.Relu(), L.Conv(2, 1))
    same(moved(L.build(chain, (2, 6, 6))), 3)


def test_normalisation_goes_into_the_transposed_convolution() -> None:
    chain = L.Chain(L.ConvTranspose(6, 2, stride=2), L.BatchNorm())
    same(moved(L.build(chain, (4, 5, 5))), 1)


def with_constant(operator: ops.operator.AbstractOperator, constant: np.ndarray) -> Graph:
    nodes = (
        Node("conv", ops.Conv(), ("x", "w"), ("y",)),
        Node("after", operator, ("y", "c"), ("z",)),
    )
    params = {"w": normal(3, 2, 3, 3)}
    return Graph((Value("x", (1, 2, 5, 5)),), nodes, ("z",), params, {"c": constant})


@pytest.mark.parametrize("operator", [ops.Add(), ops.Sub(), ops.Mul()])
@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 3, 1, 1), (1, 1, 1), ()])
def test_arithmetic_by_channel_goes_into_the_convolution(
    operator: ops.operator.AbstractOperator, shape: tuple[int, ...]
) -> None:
    same(with_constant(operator, normal(*shape)), 1)


@pytest.mark.parametrize("shape", [(1,), (), (3, 1, 1)])
@pytest.mark.parametrize("operator", [ops.Add(), ops.Mul()])
def test_numbers_may_stand_first(
    operator: ops.operator.AbstractOperator, shape: tuple[int, ...]
) -> None:
    graph = with_constant(operator, normal(*shape))
    after = Node("after", operator, ("c", "y"), ("z",))
    same(Graph(graph.inputs, (graph.nodes[0], after), ("z",), graph.params, graph.state), 1)


@pytest.mark.parametrize("shape", [(3,), (3, 1), (1, 3, 3), (3, 3, 1), (1, 1, 3, 3)])
def test_arithmetic_along_other_axes_stays(shape: tuple[int, ...]) -> None:
    same(with_constant(ops.Mul(), normal(*shape)), 2)


def test_a_value_that_others_read_stays() -> None:
    graph = moved(L.build(L.Chain(L.Conv(4, 3), L.BatchNorm()), (2, 6, 6)))
    both = Graph(graph.inputs, graph.nodes, ("conv1", *graph.outputs), graph.params, graph.state)
    assert len(folded(both).nodes) == 2


def test_scales_that_are_no_numbers_stay() -> None:
    assert len(folded(with_constant(ops.Mul(), np.array(np.inf, np.float32))).nodes) == 2


def test_the_batchs_own_statistics_stay() -> None:
    graph = L.build(L.Chain(L.Conv(4, 3), L.BatchNorm()), (2, 6, 6))
    conv, norm = graph.nodes
    own = Node(norm.name, ops.BatchNormalization(training_mode=True), norm.inputs, ("a", "b", "c"))
    own_graph = Graph(graph.inputs, (conv, own), ("a",), graph.params, graph.state)
    assert len(folded(own_graph).nodes) == 2


def test_what_depends_on_no_input_is_computed() -> None:
    graph = with_constant(ops.Add(), normal(3))
    shape = Node("column", ops.Reshape((3, 1, 1)), ("c",), ("column",))
    add = Node("after", ops.Add(), ("y", "column"), ("z",))
    longer = Graph(graph.inputs, (shape, graph.nodes[0], add), ("z",), graph.params, graph.state)
    same(longer, 1)


def test_an_identity_that_is_the_output_stays() -> None:
    graph = L.build(L.Chain(L.Relu(), L.Dropout(0.5), L.Relu(), L.Dropout(0.5)), (4,))
    assert [node.name for node in folded(graph).nodes] == ["relu1", "relu2", "dropout2"]
