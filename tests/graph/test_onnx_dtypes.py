"""Graphs whose values are of several dtypes: what is saved comes back, what ONNX forbids is not."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from faltung import ops
from faltung.errors import GraphError
from faltung.graph import Graph, Node, Value
from faltung.graph.onnx import from_model, to_model
from faltung.graph.onnx_write import dtypes_of
from faltung.testing.compare import assert_same_bits


def chooser() -> Graph:
    """Where x is above its threshold, x, else its negative; and which column is largest."""
    nodes = (
        Node("above", ops.Greater(), ("x", "threshold"), ("is_above",)),
        Node("negative", ops.Neg(), ("x",), ("minus",)),
        Node("choice", ops.Where(), ("is_above", "x", "minus"), ("chosen",)),
        Node("largest", ops.ArgMax(1, False), ("chosen",), ("place",)),
        Node("column", ops.Unsqueeze((1,)), ("place",), ("column",)),
        Node("twice", ops.Concat(1), ("column", "column"), ("columns",)),
        Node("cut", ops.Split(1, (1, 2)), ("chosen",), ("left", "right")),
    )
    params = {"threshold": np.float32([0.5, -0.5, 0.0])}
    inputs = (Value("x", (4, 3)),)
    return Graph(inputs, nodes, ("chosen", "columns", "is_above", "right"), params)


def test_a_graph_of_several_dtypes_comes_back(onnxruntime: ModuleType) -> None:
    graph = chooser()
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    model = to_model(graph)
    wanted = graph(x)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for back in (from_model(model)(x), session.run(None, {"x": x})):
        for got, want in zip(back, wanted, strict=True):
            assert_same_bits(got, want)
    assert [y.dtype.name for y in wanted] == ["float32", "int64", "bool", "float32"]


def test_the_dtype_of_every_value_is_known() -> None:
    dtypes = dtypes_of(chooser())
    names = {name: dtype.name for name, dtype in dtypes.items()}
    assert names["is_above"] == "bool"
    assert names["columns"] == "int64"
    assert names["left"] == names["right"] == names["x"] == "float32"


def test_integers_that_go_where_onnx_takes_floats_alone_are_refused() -> None:
    node = Node("relu", ops.Relu(), ("x",), ("y",))
    graph = Graph((Value("x", (2, 3), "uint8"),), (node,), ("y",), {})
    with pytest.raises(GraphError, match=r"must all be float32 or all be float64, got dtypes=uint"):
        to_model(graph)


def test_gradients_pass_what_is_no_float() -> None:
    graph = chooser()
    x = np.float32([[1.0, -1.0, 2.0]] * 4)
    dout = np.ones((4, 3), np.float32)
    grads = graph.gradients(x, {"chosen": dout})
    assert grads["x"].tolist() == [[1.0, -1.0, 1.0]] * 4
    assert "threshold" not in grads
