"""Reductions of nothing, of integers, among equals; old files."""

from __future__ import annotations

import math

import numpy as np
import pytest

from faltung.ops import ArgMax, ReduceMax, ReduceMean, ReduceMin, ReduceProd, ReduceSum, TopK
from faltung.ops.operator import OnnxNode
from faltung.ops.reduce import AbstractReduction


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        (ReduceSum((1,), False), 0.0),
        (ReduceMean((1,), False), math.nan),
        (ReduceMax((1,), False), -math.inf),
        (ReduceMin((1,), False), math.inf),
        (ReduceProd((1,), False), 1.0),
    ],
    ids=lambda given: getattr(given, "onnx_type", None),
)
def test_of_no_values(operator: AbstractReduction, value: float) -> None:
    x = np.zeros((2, 0))
    (y,), _, saved = operator.forward([x])
    np.testing.assert_array_equal(y, [value, value])
    (dx,) = operator.backward(saved, [y])
    assert dx is not None
    assert dx.shape == (2, 0)


def test_integers_keep_their_dtype() -> None:
    x = np.array([[1, -4], [2, -1]], np.int32)
    for operator, want in ((ReduceSum(), -2), (ReduceMean((0,)), [[1, -2]]), (ReduceMax(), 2)):
        (y,), _, saved = operator.forward([x])
        assert y.dtype == np.int32
        assert y.tolist() in ([[want]], want)
        assert operator.backward(saved, [y]) == (None,)
    assert ReduceMax().forward([np.array([True, False])])[0][0].tolist() == [True]


def test_the_first_of_equals_takes_the_gradient() -> None:
    x = np.array([[1.0, 3.0], [3.0, 3.0]])
    for operator in (ReduceMax(), ReduceMin()):
        (y,), _, saved = operator.forward([x if operator == ReduceMax() else -x])
        (dx,) = operator.backward(saved, [np.full_like(y, 5)])
        assert dx is not None
        assert dx.tolist() == [[0.0, 5.0], [0.0, 0.0]]
    assert TopK(2).forward([np.array([2.0, 3.0, 3.0])])[0][1].tolist() == [1, 2]
    assert ArgMax(1, False, True).forward([x])[0][0].tolist() == [1, 1]


def test_the_gradient_of_a_product_with_zeros() -> None:
    x = np.array([[2.0, 0.0, 3.0], [0.0, 4.0, 0.0]])
    (y,), _, saved = ReduceProd((1,)).forward([x])
    (dx,) = ReduceProd((1,)).backward(saved, [np.ones_like(y)])
    assert dx is not None
    assert dx.tolist() == [[0.0, 6.0, 0.0], [0.0, 0.0, 0.0]]


def test_what_older_files_have_as_attributes_is_read() -> None:
    node = OnnxNode("ReduceMean", ("x",), ("y",), {"axes": (1,), "keepdims": 0}, opset=11)
    assert ReduceMean.from_onnx(node) == (ReduceMean((1,), False), ("x",))
    node = OnnxNode("TopK", ("x",), ("v", "i"), {"k": 3, "axis": 0}, opset=9)
    assert TopK.from_onnx(node) == (TopK(3, 0), ("x",))
    empty = {"a": np.zeros(0, np.int64)}
    node = OnnxNode("ReduceSum", ("x", "a"), ("y",), {}, empty, 13)
    assert ReduceSum.from_onnx(node) == (ReduceSum(), ("x",))
    node = OnnxNode("ReduceSum", ("x", "a"), ("y",), {"noop_with_empty_axes": 1}, empty, 13)
    assert ReduceSum.from_onnx(node) == (ReduceSum(()), ("x",))
