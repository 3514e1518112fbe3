"""Functions that a model brings with it: their bodies are read where they are called."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from faltung.errors import ModelFileError
from faltung.graph import Graph
from faltung.graph.onnx import from_model
from faltung.graph.unknown import unknown_nodes

X = np.float32([[-1, 2, 3]])


def function(
    name: str, nodes: Sequence[onnx.NodeProto], domain: str = "mine", opset: int = 17
) -> onnx.FunctionProto:
    ids = [helper.make_opsetid("", opset), helper.make_opsetid("mine", 1)]
    return helper.make_function(domain, name, ["a"], ["b"], list(nodes), ids, ["alpha"])


def model_of(nodes: Sequence[onnx.NodeProto], *functions: onnx.FunctionProto) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
    )
    ids = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    return helper.make_model(graph, opset_imports=ids, functions=functions, ir_version=8)


def call(name: str, x: str = "x", y: str = "y", **attributes: float) -> onnx.NodeProto:
    return helper.make_node(name, [x], [y], domain="mine", **attributes)


def leaky() -> onnx.FunctionProto:
    """LeakyRelu with the caller's slope, and its sign changed."""
    node = helper.make_node("LeakyRelu", ["a"], ["t"])
    node.attribute.add(name="alpha", type=onnx.AttributeProto.FLOAT, ref_attr_name="alpha")
    return function("Leaky", [node, helper.make_node("Neg", ["t"], ["b"])])


def kinds(graph: Graph) -> list[str]:
    return [node.operator.subject for node in graph.nodes]


@pytest.mark.parametrize("unknown", [False, True])
def test_a_body_is_read_where_it_is_called(unknown: bool) -> None:
    twice = function(
        "Twice", [call("Leaky", "a", "h", alpha=0.5), call("Leaky", "h", "b", alpha=1.0)]
    )
    model = model_of([call("Twice")], twice, leaky())
    graph = from_model(model, unknown=unknown)
    assert kinds(graph) == ["LeakyRelu", "Neg", "LeakyRelu", "Neg"]
    assert np.array_equal(graph(X), np.float32([[-0.5, 2, 3]]))
    assert len(model.functions) == 2


def test_what_is_unknown_within_is_named() -> None:
    odd = function(
        "Odd", [helper.make_node("Relu", ["a"], ["h"]), helper.make_node("Det", ["h"], ["b"])]
    )
    model = model_of([call("Odd")], odd)
    with pytest.raises(ModelFileError, match="these operators are not supported: Det"):
        from_model(model)
    graph = from_model(model, unknown=True)
    assert kinds(graph) == ["Relu", "Det"]
    assert [node.operator.subject for node in unknown_nodes(graph)] == ["Det"]


def test_functions_that_call_themselves() -> None:
    once = function("Once", [call("Again", "a", "b")])
    again = function("Again", [call("Once", "a", "b")])
    model = model_of([call("Once")], once, again)
    with pytest.raises(
        ModelFileError, match=r"must not call themselves, .*got function=mine\.Once"
    ):
        from_model(model)
    assert kinds(from_model(model, unknown=True)) == ["mine.Once"]


def test_functions_that_grow_without_end() -> None:
    """Each of them calls the next twice: 2**40 nodes from 40 short bodies."""
    names = [f"f{i}" for i in range(40)]
    bodies = [
        function(a, [call(b, "a", "h"), call(b, "h", "b")]) for a, b in itertools.pairwise(names)
    ]
    last = function("f39", [helper.make_node("Relu", ["a"], ["b"])])
    model = model_of([call("f0")], *bodies, last)
    with pytest.raises(
        ModelFileError, match=r"must have 100000 nodes at most, got nodes=549755813888"
    ):
        from_model(model)
    assert kinds(from_model(model, unknown=True)) == ["mine.f0"]


def test_bodies_of_another_operator_set_stay_calls() -> None:
    old = function("Old", [helper.make_node("Relu", ["a"], ["b"])], opset=9)
    with pytest.raises(ModelFileError, match=r"these operators are not supported: mine\.Old"):
        from_model(model_of([call("Old")], old))


def test_a_function_in_place_of_an_operator() -> None:
    """The file says what it means; to run it as if it were ONNX's own would be wrong."""
    swapped = function("Relu", [helper.make_node("Neg", ["a"], ["b"])], domain="")
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], swapped)
    with pytest.raises(ModelFileError, match="it redefines a standard operator, got function=Relu"):
        from_model(model)
    assert np.array_equal(from_model(model, unknown=True)(X), -X)
