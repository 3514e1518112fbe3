"""Operators as older operator sets wrote them: ONNX Runtime, which reads these, is the judge."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from faltung.errors import FaltungError, GeometryError
from faltung.graph.onnx import from_model

Use = tuple[int, onnx.NodeProto, Sequence[Any]]


def node(kind: str, inputs: str = "x", outputs: str = "y", **attributes: Any) -> onnx.NodeProto:
    ends = [[n.replace("-", "") for n in names.split()] for names in (inputs, outputs)]
    return helper.make_node(kind, *ends, **attributes)


def array(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def model_of(opset: int, made: onnx.NodeProto, arrays: Sequence[Any]) -> onnx.ModelProto:
    """A model of one node: x is its input, what else the node reads is stored."""
    x, *rest = arrays
    names = list(dict.fromkeys(name for name in made.input if name))[1:]
    rank = 2 if made.op_type in ("Flatten", "Gemm") else x.ndim
    graph = helper.make_graph(
        [made],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * rank)],
        [numpy_helper.from_array(a, n) for n, a in zip(names, rest, strict=True)],
    )
    ids = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=ids, ir_version=8 if opset > 17 else 4)


NORM = [np.abs(array(3, seed=i)) + 0.5 for i in range(4)]
W = array(2, 3, 3, 3, seed=9)
USES: list[Use] = [
    (9, node("Softmax"), [array(2, 3, 4)]),
    *((o, node("Softmax", axis=a), [array(2, 3, 4, 2)]) for o in (9, 11, 12) for a in range(4)),
    *((o, node("LogSoftmax", axis=a), [array(2, 3, 4)]) for o in (9, 12) for a in range(3)),
    (11, node("Softmax", axis=-2), [array(2, 3, 4)]),
    (12, node("LogSoftmax", axis=-1), [array(2, 3, 4)]),
    (13, node("Softmax", axis=1), [array(2, 3, 4)]),
    (9, node("Dropout", ratio=0.3), [array(2, 3)]),
    (11, node("Dropout", "x", "y mask"), [array(2, 3)]),
    (12, node("Dropout", "x r", "y"), [array(2, 3), np.float32(0.2)]),
    *((o, node("BatchNormalization", "x s b m v"), [array(2, 3, 4), *NORM]) for o in (9, 14, 15)),
    (9, node("Pad", pads=[0, 1, 2, -1], value=1.5), [array(3, 4)]),
    (10, node("Pad", pads=[1, 1, 1, 1], mode="reflect"), [array(3, 4)]),
    (10, node("Pad", pads=[2, 0, 0, 1], mode="edge"), [array(3, 4)]),
    (11, node("Pad", "x p v"), [array(3, 4), np.array([0, 1, 2, -1]), np.float32(2)]),
    (18, node("Pad", "x p - a"), [array(3, 4, 2), np.array([1, 2, 0, 1]), np.array([-1, 0])]),
    (9, node("Clip", min=-0.5, max=0.25), [array(4, 5)]),
    (9, node("Clip", min=0.0), [np.float32([-np.inf, -1, 2, np.inf])]),
    (10, node("Clip"), [np.float32([-np.inf, np.inf, 1])]),
    (11, node("Clip", "x - h"), [array(4, 5), np.float32(0.1)]),
    (9, node("Flatten", axis=2), [array(2, 3, 4)]),
    (9, node("Gemm", "x w c", transB=1), [array(2, 3), array(4, 3), array(4)]),
    (11, node("Gemm", "x w"), [array(2, 3), array(3, 4)]),
    (9, node("Reshape", "x s"), [array(2, 6), np.array([0, -1])]),
    (14, node("Reshape", "x s", allowzero=1), [array(2, 6), np.array([3, -1])]),
    (9, node("Conv", "x w", auto_pad="SAME_LOWER", strides=[2, 2]), [array(1, 3, 6, 5), W]),
    (11, node("Conv", "x w", auto_pad="SAME_UPPER"), [array(1, 3, 6, 5), W]),
    (11, node("Conv", "x w", auto_pad="VALID"), [array(1, 3, 6, 5), W]),
    (10, node("MaxPool", kernel_shape=[3, 2], strides=[2, 2], ceil_mode=1), [array(1, 2, 6, 5)]),
    (9, node("MaxPool", kernel_shape=[3], auto_pad="SAME_UPPER", strides=[2]), [array(1, 2, 6)]),
    (9, node("AveragePool", kernel_shape=[3], pads=[1, 1]), [array(1, 2, 6)]),
    (9, node("AveragePool", kernel_shape=[3], pads=[1, 1], count_include_pad=1), [array(1, 2, 6)]),
    *(
        (11, node("ConvTranspose", "x w", auto_pad=word, strides=[s, s]), [array(1, 2, 4, 5), W])
        for word in ("SAME_UPPER", "SAME_LOWER")
        for s in (1, 2, 3)
    ),
    (
        11,
        node("ConvTranspose", "x w", output_shape=[9, 11], strides=[2, 2]),
        [array(1, 2, 4, 5), W],
    ),
    (
        11,
        node("ConvTranspose", "x w", output_shape=[8, 10], strides=[2, 2], auto_pad="SAME_UPPER"),
        [array(1, 2, 4, 5), W],
    ),
    (
        11,
        node("ConvTranspose", "x w", output_shape=[10, 8], strides=[3, 2]),
        [array(1, 2, 3, 3), W],
    ),
    *(
        (
            18,
            node("GroupNormalization", "x s b", num_groups=g),
            [array(2, 6, 3, 2), array(g, seed=1), array(g, seed=2)],
        )
        for g in (1, 2, 3, 6)
    ),
    (18, node("GroupNormalization", "x s s", num_groups=2), [array(2, 4, 3), array(2, seed=1)]),
]


@pytest.mark.parametrize("use", USES, ids=lambda use: f"{use[0]}-{use[1].op_type}")
def test_old_forms(onnxruntime: ModuleType, use: Use) -> None:
    opset, made, arrays = use
    model = model_of(opset, made, arrays)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (want,) = session.run(["y"], {"x": arrays[0]})
    got = from_model(model)(arrays[0])
    assert isinstance(got, np.ndarray)
    assert got.shape == want.shape
    assert np.allclose(got, want, rtol=1e-5, atol=1e-6)


def test_the_upper_bound_wins() -> None:
    made = node("Clip", "x l h")
    graph = from_model(model_of(12, made, [array(3), np.float32(2), np.float32(1)]))
    assert np.array_equal(graph(array(3)), np.ones(3))


@pytest.mark.parametrize("axes", [[3], [-3]])
def test_axes_of_pad_that_are_not_there(axes: list[int]) -> None:
    made = node("Pad", "x p - a")
    model = model_of(18, made, [array(3, 4), np.array([1, 1]), np.array(axes)])
    with pytest.raises(GeometryError, match="Pad: axes must be the input's, got axis="):
        from_model(model)


def test_sizes_that_a_transposed_convolution_asks_for() -> None:
    made = node("ConvTranspose", "x w", output_shape=[9, 11], strides=[2, 2])
    model = model_of(11, made, [array(1, 2, 4, 5), W])
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "h"
    with pytest.raises(FaltungError, match="output_shape and auto_pad need an image and a kernel"):
        from_model(model)
    assert from_model(model, (1, 2, 4, 5)).shapes()["y"] == (1, 3, 9, 11)


def test_integers_are_divided_towards_zero() -> None:
    a, b = np.array([7, -7, 7, -7, 6, -6]), np.array([2, 2, -2, -2, 3, 3])
    model = model_of(14, node("Div", "x b"), [a, b])
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.elem_type = TensorProto.INT64
    got = from_model(model)(a)
    assert isinstance(got, np.ndarray)
    assert got.dtype == np.int64
    assert got.tolist() == [3, -3, -3, 3, 2, -2]
