"""Integers of 2 or 4 bits: held in 8, cut and kept in range as ONNX has them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from faltung.errors import ModelFileError
from faltung.graph import onnx_backend as backend
from faltung.graph.onnx import from_model, to_model
from faltung.graph.onnx_narrow import told
from faltung.graph.onnx_tensors import stored_dtype
from faltung.ops import Cast, QuantizeLinear

RANGES = {"int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1), "uint2": (0, 3)}
X = np.arange(-20, 21, dtype=np.float32)


def element(name: str) -> int:
    return int(TensorProto.DataType.Value(name.upper()))


def quantising(name: str, zero: int = 1) -> onnx.ModelProto:
    """Quantise by 2 with a zero point of this type; give the steps, and what they stand for."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    stored = [
        helper.make_tensor("s", TensorProto.FLOAT, [], [2.0]),
        helper.make_tensor("z", element(name), [], [zero]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [41])],
        [
            helper.make_tensor_value_info("q", element(name), [41]),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [41]),
        ],
        stored,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 25)], ir_version=13)


@pytest.mark.parametrize("name", RANGES)
def test_the_lowest_bits_stay(name: str) -> None:
    least, greatest = RANGES[name]
    (y,) = Cast(name).forward([X])[0]
    assert y.dtype == ("uint8" if name[0] == "u" else "int8")
    assert (y.min(), y.max()) == (least, greatest)
    assert np.all((y.astype(int) - X.astype(int)) % (greatest - least + 1) == 0)
    assert Cast(name).out_dtypes([X.dtype]) == (y.dtype,)


@pytest.mark.parametrize("name", RANGES)
def test_steps_stay_in_range(name: str) -> None:
    model = quantising(name)
    graph = from_model(model)
    least, greatest = RANGES[name]
    q, y = graph(X)
    want = np.clip(np.rint(X / 2) + 1, least, greatest)
    assert np.array_equal(q, want)
    assert np.array_equal(y, (want - 1) * 2)
    # As ONNX's reference evaluator has it, in the type that the model declares.
    steps, back = backend.run_model(model, [X])
    assert steps.dtype == helper.tensor_dtype_to_np_dtype(element(name))
    assert np.array_equal(steps.astype(int), want)
    assert np.array_equal(back, y)


@pytest.mark.parametrize("name", RANGES)
def test_saved_and_read_again(name: str) -> None:
    for graph in (from_model(quantising(name)), from_model(casting(name))):
        again = from_model(to_model(graph))
        for got, want in zip(outputs(again), outputs(graph), strict=True):
            assert got.dtype == want.dtype
            assert np.array_equal(got, want)


def casting(name: str) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Cast", ["x"], ["c"], to=element(name)),
        helper.make_node("Cast", ["c"], ["y"], to=TensorProto.FLOAT),
    ]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [41]) for n in "xy"]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 25)], ir_version=13)


def outputs(graph: Any) -> tuple[np.ndarray, ...]:
    y = graph(X)
    return y if isinstance(y, tuple) else (y,)


@pytest.mark.parametrize("name", ["int4", "uint4"])
def test_onnx_runtime_quantises_the_same(onnxruntime: ModuleType, name: str) -> None:
    graph = from_model(quantising(name))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(to_model(graph).SerializeToString(), options)
    for got, want in zip(session.run(None, {"x": X}), graph(X), strict=True):
        assert np.array_equal(got, want)


def test_a_zero_point_says_which_integers() -> None:
    model = quantising("int4")
    node = told(model).graph.node[0]
    assert [(a.name, a.i) for a in node.attribute] == [("output_dtype", TensorProto.INT4)]
    assert not model.graph.node[0].attribute
    plain = quantising("int8")
    assert told(plain) is plain
    assert from_model(model).nodes[0].operator == QuantizeLinear(to="int4")


def test_narrow_inputs_and_outputs_of_a_model() -> None:
    model = casting("int4")
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT4
    assert from_model(model).inputs[0].dtype == "int8"
    x = np.arange(-8, 33).astype(helper.tensor_dtype_to_np_dtype(TensorProto.INT4))
    (y,) = backend.run_model(model, [x])
    assert np.array_equal(y, x.astype(np.float32))


def test_bfloat16_is_widened() -> None:
    model = casting("float")
    brain = TensorProto.BFLOAT16
    model.graph.node[0].attribute[0].i = brain
    model.graph.output[0].type.tensor_type.elem_type = brain
    model.graph.node[1].attribute[0].i = brain
    (y,) = backend.run_model(model, [X + np.float32(1 / 1024)])
    assert y.dtype == helper.tensor_dtype_to_np_dtype(brain)
    assert np.array_equal(y.astype(np.float32)[0], np.float32(-20))


def test_values_that_share_a_byte_are_not_read_from_other_files() -> None:
    match = "model: integers of 2 or 4 bits are read from the model's own file alone, got type=int4"
    with pytest.raises(ModelFileError, match=match):
        stored_dtype(TensorProto.INT4)
