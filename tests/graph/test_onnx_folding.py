"""What is computed while a model is read: constants, and arithmetic on sizes that are numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import faltung
from faltung.errors import FaltungError, GraphError, ModelFileError
from faltung.graph.graph import Graph
from faltung.graph.onnx import from_model
from faltung.graph.onnx_constants import LARGEST_FOLDED
from faltung.graph.onnx_import import OpenError
from faltung.ops import Reshape

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def model_of(
    nodes: Sequence[onnx.NodeProto],
    arrays: dict[str, Any] | None = None,
    *,
    inputs: dict[str, Sequence[int | str]] | None = None,
    opset: int = 17,
    outputs: Sequence[str] = ("y",),
    kind: int = TensorProto.FLOAT,
) -> onnx.ModelProto:
    declared = {"x": (2, 3, 4)} if inputs is None else inputs
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in declared.items()],
        [helper.make_tensor_value_info(name, kind, [None]) for name in outputs],
        [numpy_helper.from_array(np.asarray(a), name) for name, a in (arrays or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def node(kind: str, inputs: str = "x", outputs: str = "y", **attributes: Any) -> onnx.NodeProto:
    ends = [[n.replace("-", "") for n in names.split()] for names in (inputs, outputs)]
    return helper.make_node(kind, *ends, **attributes)


def kinds(graph: Graph) -> list[str]:
    return [n.operator.subject for n in graph.nodes]


FLATTEN = [
    node("Shape", "x", "batch", start=0, end=1),
    node("Concat", "batch rest", "shape", axis=0),
    node("Reshape", "x shape"),
]
REST = {"rest": np.array([-1])}
SWAP = [
    node("Shape", "x", "batch", start=0, end=1),
    node("Concat", "rest batch", "shape", axis=0),
    node("Reshape", "x shape"),
]


def test_arithmetic_on_shapes_disappears() -> None:
    graph = from_model(model_of(FLATTEN, REST))
    assert kinds(graph) == ["Reshape"]
    assert not graph.params
    assert not graph.state
    assert np.array_equal(graph(X), X.reshape(2, 12))


def test_sizes_that_are_open_are_asked_for() -> None:
    model = model_of(SWAP, REST, inputs={"x": ("n", 3, 4)})
    match = (
        r"model: values that must be constants are computed: layer 'reshape1' \(Reshape\) reads "
        r"'shape'\. Give load\(path, shapes=\.\.\.\) numbers for the open sizes of "
        r"\{'x': \('n', 3, 4\)\}"
    )
    with pytest.raises(OpenError, match=match) as caught:
        from_model(model)
    assert caught.value.inputs == frozenset()


def test_sizes_are_given(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(model_of(FLATTEN, REST, inputs={"x": ("n", 3, 4)}).SerializeToString())
    for shapes in ((2, 3, 4), {"x": (2, 3, 4)}):
        graph = faltung.load(path, shapes)
        assert graph.inputs[0].shape == (2, 3, 4)
        assert np.array_equal(graph(X), X.reshape(2, 12))
    with pytest.raises(ModelFileError, match=r"m\.onnx: input 'x': its shape must fit what the"):
        faltung.load(path, (2, 3, 5))


def test_any_size_of_the_batch() -> None:
    graph = from_model(model_of(FLATTEN, REST, inputs={"x": ("n", 3, 4)}))
    assert graph.inputs[0].shape == ("n", 3, 4)
    assert graph.nodes[0].operator == Reshape((0, -1))
    for n in (1, 2, 5):
        x = np.resize(X, (n, 3, 4))
        assert np.array_equal(graph(x), x.reshape(n, 12))


DEPENDENT = {
    "a value": [
        node("Shape", "x", "batch", start=0, end=1),
        node("ConstantOfShape", "batch", "zeros"),
        node("Reshape", "zeros column", "ones"),
        node("Add", "x ones"),
    ],
    "a merged axis": [
        node("Shape", "x", "ends", start=0, end=2),
        node("Concat", "ends rest", "shape", axis=0),
        node("Transpose", "x", "t", perm=[2, 0, 1]),
        node("Reshape", "t shape"),
    ],
}


@pytest.mark.parametrize("nodes", DEPENDENT.values(), ids=DEPENDENT)
def test_what_depends_on_the_size_of_the_batch(nodes: list[onnx.NodeProto]) -> None:
    arrays = {**REST, "column": np.array([-1, 1, 1])}
    model = model_of(nodes, arrays, inputs={"x": ("n", 3, 4)})
    with pytest.raises(OpenError, match=r"numbers for the open sizes of \{'x': \('n', 3, 4\)\}"):
        from_model(model)
    assert np.shape(from_model(model, (2, 3, 4))(X)) in ((2, 3, 4),)


def test_two_sizes_of_a_batch() -> None:
    nodes = [*FLATTEN[:2], node("Reshape", "x shape", "h"), node("MatMul", "w h")]
    inputs = {"x": ("n", 3, 4), "w": ("m", "n")}
    with pytest.raises(OpenError, match="numbers for the open sizes"):
        from_model(model_of(nodes, REST, inputs=inputs))


def test_one_number_for_all_that_is_open(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(model_of(FLATTEN, REST, inputs={"x": ("n", 3, "w")}).SerializeToString())
    assert faltung.load(path, open_size=1).inputs[0].shape == (1, 3, 1)
    assert faltung.load(path, (2, 3, "w"), open_size=4)(X).shape == (2, 12)
    with pytest.raises(ModelFileError, match="load: a size must not be negative, got open_size=-1"):
        faltung.load(path, open_size=-1)


def test_values_that_depend_on_inputs_are_all_named() -> None:
    nodes = [node("Reshape", "x s", "h"), node("Reshape", "h t")]
    inputs = {"x": (2, 3), "s": (1,), "t": (2,)}
    model = model_of(nodes, inputs=inputs)
    for value in model.graph.input[1:]:
        value.type.tensor_type.elem_type = TensorProto.INT64
    match = r"'reshape1' \(Reshape\) reads 's'; layer 'reshape2' \(Reshape\) reads 't'\. Fold them"
    with pytest.raises(OpenError, match=match) as caught:
        from_model(model)
    assert caught.value.inputs == {"s", "t"}
    graph = from_model(model, constants={"s": np.array([-1]), "t": np.array([3, 2])})
    assert [v.name for v in graph.inputs] == ["x"]
    assert np.array_equal(graph(X[0, :2, :3]), X[0, :2, :3].reshape(3, 2))


def test_one_name_is_one_size() -> None:
    nodes = [node("Add", "a b", "y")]
    model = model_of(nodes, inputs={"a": ("n", 3), "b": ("n", "m")})
    graph = from_model(model, {"a": (5, 3)})
    assert [v.shape for v in graph.inputs] == [(5, 3), (5, "m")]
    with pytest.raises(GraphError, match=r"input 'b': the size 'n' must be one number"):
        from_model(model, {"a": (5, 3), "b": (4, 3)})


def test_a_question_mark_is_no_name() -> None:
    model = model_of([node("Relu", "x", "y")], inputs={"x": ("?", "?")})
    assert from_model(model, (5, 3)).inputs[0].shape == (5, 3)
    assert from_model(model, (5, "?")).inputs[0].shape == (5, "?")


@pytest.mark.parametrize(
    ("shapes", "match"),
    [
        ({"z": (1,)}, r"load: shapes must name inputs, got names=\['z'\], inputs=\['a', 'b'\]"),
        ((1,), r"load: shapes must be a mapping where there are several inputs"),
        ({"a": (1,)}, r"input 'a': its shape must fit what the file declares"),
    ],
)
def test_shapes_that_are_refused(shapes: Any, match: str) -> None:
    model = model_of([node("Add", "a b", "y")], inputs={"a": ("n", 3), "b": ("n", "m")})
    with pytest.raises(GraphError, match=match):
        from_model(model, shapes)


def test_constants_are_computed_and_stay_what_they_were() -> None:
    nodes = [
        node("Constant", "", "c", value_floats=[1.0, 2.0, 3.0, 4.0]),
        node("Add", "c c", "twice"),
        node("Mul", "w w", "square"),
        node("Add", "x twice", "h"),
        node("Mul", "h square"),
    ]
    graph = from_model(model_of(nodes, {"w": np.float32([3])}))
    assert kinds(graph) == ["Add", "Mul"]
    assert list(graph.state) == ["twice"]
    assert list(graph.params) == ["square"]
    assert np.array_equal(graph(X), (X + np.float32([2, 4, 6, 8])) * 9)


def test_a_saved_graph_is_left_as_it_is() -> None:
    nodes = [node("Transpose", "w", "wt"), node("MatMul", "x wt")]
    model = model_of(nodes, {"w": np.ones((5, 4), np.float32)})
    assert kinds(from_model(model)) == ["MatMul"]
    helper.set_model_props(model, {"faltung.state": "[]"})
    graph = from_model(model)
    assert kinds(graph) == ["Transpose", "MatMul"]
    assert list(graph.params) == ["w"]


@pytest.mark.parametrize(
    ("made", "arrays", "want"),
    [
        (node("Shape"), {}, np.array([2, 3, 4])),
        (node("Shape", start=-2), {}, np.array([3, 4])),
        (node("Shape", start=1, end=-1), {}, np.array([3])),
        (node("Shape", start=5), {}, np.array([], np.int64)),
        (node("Size"), {}, np.array(24)),
        (node("ConstantOfShape", "s"), {"s": np.array([2, 1])}, np.zeros((2, 1), np.float32)),
        (
            node("ConstantOfShape", "s", value=numpy_helper.from_array(np.array([7]))),
            {"s": np.array([], np.int64)},
            np.array(7),
        ),
        (
            node("Range", "a b c"),
            {"a": np.int32(10), "b": np.int32(4), "c": np.int32(-3)},
            np.array([10, 7], np.int32),
        ),
        (
            node("Range", "a b c"),
            {"a": np.float32(1), "b": np.float32(2), "c": np.float32(0.5)},
            np.float32([1, 1.5]),
        ),
        (
            node("Range", "a b c"),
            {"a": np.array(3), "b": np.array(1), "c": np.array(1)},
            np.array([], np.int64),
        ),
    ],
)
def test_nodes_that_are_values(made: onnx.NodeProto, arrays: dict[str, Any], want: Any) -> None:
    graph = from_model(model_of([made], arrays))
    assert not graph.nodes
    got = graph(X)
    assert isinstance(got, np.ndarray)
    assert got.dtype == want.dtype
    assert np.array_equal(got, want)


@pytest.mark.parametrize(
    ("made", "arrays", "match"),
    [
        (
            node("ConstantOfShape", "s"),
            {"s": np.array([2**40])},
            rf"ConstantOfShape 'y': values made at import must have {LARGEST_FOLDED} bytes at mos",
        ),
        (node("ConstantOfShape", "s"), {"s": np.array([-1])}, "numbers that make an array"),
        (
            node("Range", "a b c"),
            {"a": np.array(0), "b": np.array(2**60), "c": np.array(1)},
            "Range 'y': values made at import must have",
        ),
        (
            node("Range", "a b c"),
            {"a": np.array(0), "b": np.array(9), "c": np.array(0)},
            "Range 'y': its inputs must be numbers that make an array",
        ),
    ],
)
def test_values_that_cannot_be_made(
    made: onnx.NodeProto, arrays: dict[str, Any], match: str
) -> None:
    with pytest.raises(ModelFileError, match=match):
        from_model(model_of([made], arrays))


def test_what_is_too_large_is_not_computed_ahead() -> None:
    big = 2**14
    arrays = {"a": np.ones((big, 1), np.float32), "b": np.ones((1, big), np.float32)}
    graph = from_model(model_of([node("MatMul", "a b", "h"), node("Relu")], arrays, outputs="hy"))
    assert kinds(graph) == ["MatMul", "Relu"]


def test_an_operator_that_refuses_its_constants_names_its_layer() -> None:
    arrays = {"a": np.ones((2, 3), np.float32), "b": np.ones((4, 5), np.float32)}
    with pytest.raises(FaltungError, match="the inner sizes must be equal") as caught:
        from_model(model_of([node("MatMul", "a b", name="odd")], arrays))
    assert "in layer 'odd'" in caught.value.__notes__[0]


def test_sizes_that_only_run_time_knows_are_no_outputs() -> None:
    model = model_of([node("Shape")], inputs={"x": ("n", 3)}, kind=TensorProto.INT64)
    with pytest.raises(OpenError, match="the list of outputs reads 'y'"):
        from_model(model)
