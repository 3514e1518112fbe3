"""A part of a graph: the nodes and arrays that some values need."""

from __future__ import annotations

import numpy as np
import pytest

from faltung import layers as L
from faltung.errors import GraphError
from faltung.graph.part import part


def two_inputs() -> L.Symbol:
    a, b = L.Input((2, 6), name="a"), L.Input((2, 6), name="b")
    return L.Conv(3, 3, name="joined")(L.BatchNorm(name="norm")(a) + L.Conv(2, 1, name="side")(b))


def test_only_what_a_value_needs_is_left() -> None:
    graph = L.build(two_inputs())
    cut = part(graph, ["norm"])
    assert [v.name for v in cut.inputs] == ["a"]
    assert [node.name for node in cut.nodes] == ["norm"]
    assert set(cut.params) == {"norm.scale", "norm.bias"}
    assert set(cut.state) == {"norm.mean", "norm.var"}
    assert part(graph, graph.outputs).nodes == graph.nodes


def test_values_are_those_of_the_whole() -> None:
    graph = L.build(two_inputs())
    feeds = {name: np.random.default_rng(0).normal(size=(1, 2, 6)) for name in "ab"}
    side = part(graph, ["side"])({"b": feeds["b"]})
    both = part(graph, ["side", "joined"])(feeds)
    assert np.array_equal(both[0], side)
    assert np.array_equal(both[1], graph(feeds))


def test_an_unknown_value_is_named() -> None:
    with pytest.raises(GraphError, match=r"part: there must be such a value, got output=nowhere"):
        part(L.build(L.Relu(), (3, 4)), ["nowhere"])
