"""Where max pooling found its values: against a search by hand, and against ONNX Runtime."""

from __future__ import annotations

from itertools import product
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from faltung.graph.onnx import from_model, to_model
from faltung.ops import MaxPool
from faltung.testing import Case
from faltung.testing.onnx_model import graph_of

USES: list[tuple[dict[str, Any], tuple[int, ...]]] = [
    ({"kernel_size": 2}, (2, 3, 4, 6)),
    ({"kernel_size": (2, 3), "stride": (1, 2), "padding": ((1, 0), (1, 1))}, (1, 2, 4, 5)),
    ({"kernel_size": 2, "stride": 1, "dilation": 2}, (2, 2, 5, 4)),
    ({"kernel_size": 3, "stride": 2, "padding": 1}, (2, 2, 7)),
    ({"kernel_size": (1, 2, 2), "stride": (2, 1, 1)}, (1, 2, 3, 3, 4)),
]


def found(operator: MaxPool, x: np.ndarray) -> np.ndarray:
    """Each output's largest value, looked for tap by tap."""
    window = operator.window(x.shape)
    order = "F" if operator.indices == "columns" else "C"
    places = np.arange(np.prod(x.shape[2:])).reshape(x.shape[2:], order=order)
    index = np.empty(window.out_shape, np.int64)
    for at in np.ndindex(*window.out_shape):
        axes = zip(window.axes, at[2:], strict=True)
        taps = list(product(*(axis.taps_inside(o) for axis, o in axes)))
        best = max(taps, key=lambda tap: x[(*at[:2], *tap)])  # the first of equal ones
        image = at[0] * x.shape[1] + at[1]
        index[at] = image * places.size + places[best]
    return index


@pytest.mark.parametrize("order", ["rows", "columns"])
@pytest.mark.parametrize(("fields", "shape"), USES)
def test_positions(
    onnxruntime: ModuleType, fields: dict[str, Any], shape: tuple[int, ...], order: str
) -> None:
    operator = MaxPool(**fields, indices=order)
    x = np.random.default_rng(3).integers(-4, 4, shape).astype(np.float32)
    (y, index), _, _ = operator.forward([x])
    assert np.array_equal(index, found(operator, x))
    assert index.dtype == np.int64
    if order == "rows":
        assert np.array_equal(x.ravel()[index], y)
    model = to_model(graph_of(Case("use", operator, (shape,)), np.float32))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    wanted = session.run(None, {"x0": x})
    assert np.array_equal(wanted[0], y)
    assert np.array_equal(wanted[1], index)
    back = from_model(model)(x)
    assert all(np.array_equal(a, b) for a, b in zip(back, (y, index), strict=True))


def test_nan_is_found_first() -> None:
    x = np.float32([[[1, np.nan, 5, np.nan]]])
    (y, index), _, _ = MaxPool(4, indices="rows").forward([x])
    assert np.isnan(y).all()
    assert index.tolist() == [[[1]]]
    assert MaxPool(4, indices="rows").backward(_, [np.ones((1, 1, 1), np.float32), None])[
        0
    ].tolist() == [[[0, 1, 0, 0]]]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_integers_stay_what_they_are(dtype: type) -> None:
    x = np.array([[[-3, -5, 2, 1]]]).astype(dtype)
    (y,), _, _ = MaxPool(2).forward([x])
    assert y.dtype == dtype
    assert y.tolist() == [[[max(x[0, 0, :2]), 2]]]
