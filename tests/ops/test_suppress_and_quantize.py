"""Boxes and small integers: worked examples, and what is out of range."""

from __future__ import annotations

import math

import numpy as np
import pytest

from faltung.errors import GeometryError
from faltung.geometry import Interval
from faltung.ops import Add, DequantizeLinear, NonMaxSuppression, QuantizeLinear
from faltung.ops.operator import OnnxNode

BOXES = np.array([[[0, 0, 2, 2], [2, 1, 0, 3], [0, 5, 2, 7], [0, 0, 2, 2]]], np.float32)
"""The second is turned round and shares a third of the first's union; the fourth is the first."""
SCORES = np.array([[[0.5, 0.75, 0.25, 0.5]]], np.float32)


def test_boxes_go_that_overlap_more_than_the_threshold() -> None:
    for threshold, kept in ((0.25, [1, 2]), (0.5, [1, 0, 2]), (1.0, [1, 0, 3, 2])):
        (rows,), _, _ = NonMaxSuppression(9, threshold).forward([BOXES, SCORES])
        assert rows.tolist() == [[0, 0, i] for i in kept]
    (rows,), _, _ = NonMaxSuppression(9, 1.0, 0.5).forward([BOXES, SCORES])
    assert rows.tolist() == [[0, 0, 1]]
    (rows,), _, _ = NonMaxSuppression(0).forward([BOXES, SCORES])
    assert (rows.shape, rows.dtype) == ((0, 3), np.int64)


def test_limits_that_are_left_out() -> None:
    node = OnnxNode("NonMaxSuppression", ("b", "s"), ("y",))
    assert NonMaxSuppression.from_onnx(node) == (NonMaxSuppression(), ("b", "s"))
    constants = {"n": np.array([2]), "t": np.array([0.5], np.float32)}
    node = OnnxNode("NonMaxSuppression", ("b", "s", "n", "", "t"), ("y",), {}, constants)
    assert NonMaxSuppression.from_onnx(node)[0] == NonMaxSuppression(2, 0.0, 0.5)


def test_what_two_of_them_keep_are_two_numbers() -> None:
    """How many boxes stay is told by each output's own name, so that nothing takes them for one."""
    nodes = [
        OnnxNode("NonMaxSuppression", ("boxes", "scores"), (name,)) for name in ("first", "second")
    ]
    shapes = [(1, 5, 4), (1, 2, 5)]
    found = [NonMaxSuppression.from_onnx(node)[0] for node in nodes]
    assert [op.out_shapes(shapes) for op in found] == [
        (("first_selected", 3),),
        (("second_selected", 3),),
    ]
    assert found[0] == found[1]
    with pytest.raises(GeometryError, match="the shapes must be equal"):
        Add().out_shapes([op.out_shapes(shapes)[0] for op in found])


def test_everything_may_decide_which_box_stays() -> None:
    taps = NonMaxSuppression(1).taps([BOXES.shape, SCORES.shape], (0, 2))
    assert taps == ((range(1), range(4), range(4)), (range(1), range(1), range(4)))


def test_what_does_not_fit_is_kept_in_range() -> None:
    x = np.array([-math.inf, -3.0, 0.25, 0.75, 1e9, math.inf, math.nan], np.float32)
    half, shift = np.float32(0.5).reshape(()), np.array(10, np.uint8)
    (y,), _, _ = QuantizeLinear().forward([x, half, shift])
    assert (y.dtype, y.tolist()) == (np.uint8, [0, 4, 10, 12, 255, 255, 10])
    (back,), _, _ = DequantizeLinear().forward([y, half, shift])
    assert back.dtype == np.float32
    assert back.tolist() == [-5.0, -3.0, 0.0, 1.0, 122.5, 122.5, 0.0]


def test_one_zero_point_may_have_an_axis_where_the_scale_has_none() -> None:
    shapes = ((4,), (), (1,))
    x, zero = np.int8([0, 1, 7, -8]), np.int8([1])
    (y,) = DequantizeLinear().forward([x, np.float32(2), zero])[0]
    assert np.array_equal(y, np.float32([-2, 0, 12, -18]))
    assert DequantizeLinear().out_shapes(shapes) == ((4,),)
    assert [len(t) for t in DequantizeLinear().taps(shapes, (2,))] == [1, 0, 1]
    spans = DequantizeLinear().input_span(shapes, (Interval(1, 3),))
    assert spans == ((Interval(1, 3),), (), (Interval(0, 1),))
