"""Graphs that are copied and pickled: the same one, and the same bits."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from faltung import Graph
from faltung import layers as L
from faltung.errors import ModelFileError
from faltung.graph.onnx import from_bytes


def network(dtype: str = "float32") -> Graph:
    chain = L.Chain(L.Normalize(2.0, 3.0), L.Conv(2, 3), L.BatchNorm(), L.Flatten(), L.Dense(3))
    return L.build(chain, (1, 6, 6), seed=4, metadata={"network": "mine"}).astype(dtype)


def test_a_copy_is_the_graph_itself_as_nothing_changes_it() -> None:
    graph = network()
    assert copy.copy(graph) is graph
    assert copy.deepcopy({"network": graph})["network"] is graph


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_pickled_graph_gives_the_same_bits_under_the_same_names(dtype: str) -> None:
    graph = network(dtype)
    found = pickle.loads(pickle.dumps(graph))
    x = np.random.default_rng(0).standard_normal((2, 1, 6, 6))
    assert np.array_equal(found(x), graph(x))
    assert found(x).dtype == dtype
    assert list(found.params) == list(graph.params)
    assert list(found.state) == list(graph.state)
    assert found.metadata["network"] == "mine"


def test_damaged_bytes_are_no_graph() -> None:
    with pytest.raises(ModelFileError, match="the file is damaged, or no ONNX model"):
        from_bytes(b"no model")
