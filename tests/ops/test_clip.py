"""Clip at its bounds, in files of others, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from faltung.errors import GraphError
from faltung.graph.onnx import from_model
from faltung.ops import Clip


def test_the_gradient_is_zero_at_and_outside_the_bounds() -> None:
    x = np.array([-math.inf, -1.0, 0.0, 3.0, 6.0, 7.0, math.nan], np.float32)
    (y,), _, saved = Clip(0.0, 6.0).forward([x])
    assert np.array_equal(y, [0, 0, 0, 3, 6, 6, math.nan], equal_nan=True)
    (dx,) = Clip(0.0, 6.0).backward(saved, [np.full(7, 2, np.float32)])
    assert dx is not None
    assert dx.tolist() == [0, 0, 0, 2, 0, 0, 0]


def test_bounds_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(GraphError, match="Clip: low must be at most high, got low=1, high=0"):
        Clip(1, 0)
    with pytest.raises(GraphError, match="low must be at most high"):
        Clip(math.nan, 0)


@pytest.mark.parametrize("low", [None, 0.0])
def test_files_of_others_are_read(low: float | None) -> None:
    value = helper.make_tensor_value_info
    x, y = value("x", TensorProto.FLOAT, [2]), value("y", TensorProto.FLOAT, [2])
    bounds = {"max": 6.0} if low is None else {"min": low, "max": 6.0}
    names = [name if name in bounds else "" for name in ("min", "max")]
    arrays = [onnx.numpy_helper.from_array(np.float32(v), k) for k, v in bounds.items()]
    proto = helper.make_graph(
        [helper.make_node("Clip", ["x", *names], ["y"])], "g", [x], [y], arrays
    )
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", 17)])
    (node,) = from_model(model).nodes
    assert node.operator == Clip(-math.inf if low is None else low, 6.0)
