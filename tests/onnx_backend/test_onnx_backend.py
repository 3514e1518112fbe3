"""ONNX's own tests of a backend, and what calls it. `make test-onnx` runs all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.test_case import TestCase

from faltung.errors import GraphError, ModelFileError
from faltung.graph import onnx_backend as backend
from faltung.testing.onnx_cases import (
    KINDS,
    LEFT_OUT,
    WIDE,
    Outcome,
    cases,
    document,
    outcome,
    why_skipped,
)

PARTS = 6


@pytest.fixture(scope="module")
def quick() -> list[TestCase]:
    """Every fifth case that is not skipped, but for those of whole networks."""
    every = [
        case
        for kind in KINDS[:-1]
        for case in cases(kind)
        if not LEFT_OUT.get(str(case.name)) and (case.model is None or not why_skipped(case.model))
    ]
    return every[::5]


def reshape(opset: int = 17) -> onnx.ModelProto:
    """A Reshape to a shape that comes at run time."""
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "s"], ["y"])],
        "g",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4]),
            helper.make_tensor_value_info("s", TensorProto.INT64, ["k"]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_part_of_onnx_s_cases(part: int, quick: list[TestCase]) -> None:
    done = [outcome(case) for case in quick[part::PARTS]]
    assert [o for o in done if o.result == "failed"] == []


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_all_of_onnx_s_cases(kind: str) -> None:
    done = [outcome(case) for case in cases(kind)]
    assert [o for o in done if o.result == "failed"] == []
    assert any(o.result == "passed" for o in done)


def test_a_wrong_operator_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    (case,) = (c for c in cases("node") if c.name == "test_relu")
    assert outcome(case).result == "passed"
    monkeypatch.setattr("faltung.ops.Relu.forward", lambda self, x, **_: ((-x[0],), {}, None))
    done = outcome(case)
    assert done.result == "failed"
    assert "Not equal to tolerance" in done.reason


def test_a_broken_operator_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    (case,) = (c for c in cases("node") if c.name == "test_relu")
    monkeypatch.setattr("faltung.ops.Relu.forward", lambda self, x, **_: 1 / 0)
    assert outcome(case).reason == "ZeroDivisionError: division by zero"


def test_names_that_are_left_out_are_cases() -> None:
    known = {str(case.name) for kind in KINDS for case in cases(kind)}
    assert {*LEFT_OUT, *WIDE} <= known


def test_why_a_model_is_skipped() -> None:
    model = reshape()
    assert why_skipped(model) == ""
    model.graph.node[0].op_type = "Einsum"
    assert why_skipped(model) == "operator: Einsum"
    model.graph.node[0].domain = "my.own"
    assert why_skipped(model) == "operator: my.own.Einsum"
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT8E5M2
    assert why_skipped(model) == "element type: FLOAT8E5M2"
    model.graph.output[0].type.sequence_type.elem_type.tensor_type.elem_type = 1
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    assert why_skipped(model) == "values: sequence"


def test_the_page() -> None:
    text = document(
        [
            Outcome("node", "test_a", "passed"),
            Outcome("node", "test_b", "failed", "wrong"),
            Outcome("real", "test_c", "skipped", "operator: Loop"),
        ]
    )
    assert "| node | 1 | 0 | 1 |" in text
    assert "- node `test_b`: wrong" in text
    assert "| operator: Loop | 1 |" in text


# The backend ---------------------------------------------------------------------------------


def test_inputs_that_decide_shapes_come_at_run_time() -> None:
    prepared = backend.prepare(reshape())
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    for shape in ([4, 2], [8], [4, 2], [2, 2, 2], [1, 8], [8, 1]):
        (y,) = prepared.run([x, np.array(shape)])
        assert np.array_equal(y, x.reshape(shape))
    (y,) = prepared.run({"x": x[:1], "s": np.array([-1])})
    assert np.array_equal(y, x[0])
    assert len(prepared.graphs) == backend.KEPT_GRAPHS


def test_one_model_and_one_node() -> None:
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    (y,) = backend.run_model(reshape(), [x, np.array([8])])
    assert y.shape == (8,)
    node = helper.make_node("Softmax", ["x"], ["y"])
    (now,) = backend.run_node(node, [x[None]])
    (old,) = backend.run_node(node, [x[None]], opset_version=9)
    assert np.allclose(now.sum(axis=2), 1)
    assert np.allclose(old.sum(), 1)


def test_half_precision_is_what_comes_out() -> None:
    x = np.float16([1, -2])
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Relu", ["x"], ["y"])],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT16, [2])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT16, [2])],
        )
    )
    (y,) = backend.run_model(model, [x])
    assert y.dtype == np.float16


def test_computing_in_float64() -> None:
    x = np.float32([[1, 2**-30]])
    one = numpy_helper.from_array(np.ones((2, 1), np.float32), "w")
    minus = numpy_helper.from_array(np.float32([-1]), "b")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Add", "hb", "y")]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, k]) for n, k in ("x2", "y1")]
    for value, size in zip(values, (2, 1), strict=True):
        value.type.tensor_type.shape.dim[1].dim_value = size
    model = helper.make_model(helper.make_graph(nodes, "g", values[:1], values[1:], [one, minus]))
    (narrow,) = backend.prepare(model).run([x])
    (wide,) = backend.prepare(model, dtype="float64").run([x])
    assert (narrow.dtype, narrow.item()) == (np.float32, 0)
    assert (wide.dtype, wide.item()) == (np.float32, 2**-30)


def test_old_operator_sets_are_converted() -> None:
    node = helper.make_node("Add", ["x", "b"], ["y"], broadcast=1, axis=2)
    shapes: list[tuple[str, Any]] = [("x", [2, 3, 4]), ("b", [4])]
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes]
    ends = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3, 4])]
    graph = helper.make_graph([node], "g", inputs, ends)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 6)], ir_version=3)
    x, b = np.ones((2, 3, 4), np.float32), np.float32([1, 2, 3, 4])
    (y,) = backend.run_model(model, [x, b])
    assert np.array_equal(y, x + b)


def test_what_cannot_be_converted() -> None:
    model = reshape()
    model.opset_import[0].version = 6
    del model.graph.node[0].input[1:]
    match = "model: ONNX cannot convert it to operator set 9, got opset=6, cause="
    with pytest.raises(ModelFileError, match=match):
        backend.prepare(model)


def test_what_is_compatible() -> None:
    assert backend.is_compatible(reshape())
    assert not backend.is_compatible(reshape(), "CUDA")
    odd = reshape()
    odd.graph.node[0].op_type = "Einsum"
    assert not backend.is_compatible(odd)
    assert backend.supports_device("CPU:0")


def test_what_the_backend_refuses() -> None:
    with pytest.raises(ModelFileError, match="backend: only the CPU is there, got device=CUDA"):
        backend.prepare(reshape(), "CUDA")
    with pytest.raises(GraphError, match="backend: every input must be given, got given=1"):
        backend.run_model(reshape(), [np.ones((2, 4), np.float32)])
