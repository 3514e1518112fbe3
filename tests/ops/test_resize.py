"""Resizing: other ways to write it, integers, borders of the rules, and the matrix of an axis."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from faltung.graph.onnx import from_model
from faltung.ops import Resize
from faltung.ops.operator import OnnxNode
from faltung.ops.resize_axis import COORDINATES, AxisResize, weights


def test_upsample_of_an_old_file_is_a_resize() -> None:
    x = np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)
    scales = np.array([1, 1, 2, 3], np.float32)
    graph = helper.make_graph(
        [helper.make_node("Upsample", ["x", "s"], ["y"], mode="nearest")],
        "old",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 4, 6])],
        [onnx.numpy_helper.from_array(scales, "s")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=8)
    read = from_model(model)
    assert np.array_equal(np.asarray(read(x)), np.kron(x, np.ones((2, 3), np.float32)))
    node = OnnxNode("Upsample", ("x",), ("y",), {"scales": (1.0, 2.0), "mode": "bilinear"}, opset=7)
    want = Resize((1.0, 2.0), mode="linear", coordinate="asymmetric", nearest_mode="floor")
    assert Resize.from_onnx(node) == (want, ("x",))


def test_the_second_name_of_half_pixel() -> None:
    constants = {"s": np.array([2.0], np.float32)}
    attributes = {"coordinate_transformation_mode": "tf_half_pixel_for_nn"}
    node = OnnxNode("Resize", ("x", "", "s"), ("y",), attributes, constants, 11)
    assert Resize.from_onnx(node) == (Resize((2.0,)), ("x",))


def test_integers_are_copied_or_rounded() -> None:
    x = np.array([[0, 255]], np.uint8)
    near = Resize((1.0, 2.0)).forward([x])[0][0]
    assert (near.dtype, near.tolist()) == (np.uint8, [[0, 0, 255, 255]])
    linear = Resize((1.0, 2.0), mode="linear").forward([x])[0][0]
    assert (linear.dtype, linear.tolist()) == (np.uint8, [[0, 64, 191, 255]])
    cubic = Resize((1.0, 4.0), mode="cubic").forward([x])[0][0]
    assert (cubic.min(), cubic.max()) == (0, 255)


def test_nan_reaches_only_what_has_a_weight() -> None:
    x = np.array([[1.0, np.nan, 3.0]])
    for mode in ("nearest", "linear"):
        up = Resize((1.0, 3.0), mode=mode, coordinate="asymmetric", nearest_mode="floor")
        y = up.forward([x])[0][0]
        assert np.isfinite(y[0, [0, 6]]).all()
        assert np.isnan(y[0, 3])


def test_an_open_size_that_stays_is_handed_on() -> None:
    assert Resize((1.0, 2.0)).out_shapes([("N", 3)]) == (("N", 6),)
    assert Resize(sizes=(5,), axes=(-1,)).out_shapes([("N", 3)]) == (("N", 5),)


def test_an_empty_axis_stays_empty() -> None:
    assert Resize((2.0, 1.0)).forward([np.zeros((0, 3))])[0][0].shape == (0, 3)
    assert Resize((0.2, 1.0)).forward([np.zeros((3, 2))])[0][0].shape == (0, 2)


@pytest.mark.parametrize("coordinate", COORDINATES)
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("exclude", [False, True])
def test_the_weights_of_each_output_add_up_to_1(coordinate: str, mode: str, exclude: bool) -> None:
    if exclude and mode != "cubic":
        return
    for size, out in ((1, 1), (1, 4), (3, 7), (7, 3), (5, 1), (4, 8)):
        for antialias in (False, True):
            scale = out / size
            axis = AxisResize(size, out, scale, mode, coordinate, "floor", -0.5, exclude, antialias)
            total = weights(axis).values.sum(axis=1)
            assert np.allclose(total, 1, rtol=0, atol=1e-14)
