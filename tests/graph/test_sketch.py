"""Sketches: graphs of any size whose parameters take no memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from faltung import layers as L
from faltung.analysis import receptive_fields, summarize
from faltung.errors import GraphError

NET = L.Chain(L.Normalize(3.0, 2.0), L.Conv(4, 3), L.BatchNorm(), L.Relu(), L.Flatten(), L.Dense(5))


def test_a_sketch_is_the_graph_that_build_returns_but_for_the_numbers() -> None:
    built, sketched = L.build(NET, (1, 8, 8)), L.sketch(NET, (1, 8, 8))
    assert sketched.nodes == built.nodes
    assert sketched.inputs == built.inputs
    assert {n: a.shape for n, a in sketched.params.items()} == {
        n: a.shape for n, a in built.params.items()
    }
    assert sketched.state.keys() == built.state.keys()
    assert all(np.array_equal(sketched.state[n], built.state[n]) for n in built.state)
    assert summarize(sketched) == summarize(built)
    assert receptive_fields(sketched) == receptive_fields(built)


def test_six_billion_weights_take_no_memory() -> None:
    tracemalloc.start()
    graph = L.sketch(L.Chain(L.Flatten(), L.Dense(1000)), (3, 1080, 1920))
    again = graph.with_input_shape((1, 3, 1080, 1920)).replace(metadata={"kept": "hollow"})
    assert summarize(again).params == graph.trainable == 6_220_801_000
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_nobody_can_write_to_a_sketch() -> None:
    weight = L.sketch(NET, (1, 8, 8)).params["conv1.weight"]
    assert not weight.any()
    with pytest.raises(ValueError, match="WRITEABLE"):
        weight.setflags(write=True)
    with pytest.raises(ValueError, match="read-only"):
        weight[0] = 1


def test_a_view_of_bytes_that_can_change_is_copied() -> None:
    memory = bytearray(4)
    view = np.frombuffer(memory, np.float32)
    view.setflags(write=False)
    graph = L.build(L.Conv(1, 1, bias=False), (1, 2, 2))
    kept = graph.replace(params={"conv1.weight": view.reshape(1, 1, 1, 1)}).params["conv1.weight"]
    memory[:] = np.float32(7).tobytes()
    assert kept.item() == 0


def test_what_cannot_be_addressed_is_refused() -> None:
    with pytest.raises(GraphError, match="sketch: a layer has more weights than can be addressed"):
        L.sketch(L.Chain(L.Flatten(), L.Dense(10**14)), (3, 1080, 1920))
    with pytest.raises(GraphError, match="a layer needs an input shape"):
        L.sketch(NET)
