"""Weights of another float width than the input: the result is the input's, never stray memory."""

from __future__ import annotations

import numpy as np
import pytest

from faltung import layers, ops
from faltung.graph.blur import with_blur_pooling


@pytest.mark.parametrize(("x_dtype", "w_dtype"), [("f8", "f4"), ("f4", "f8")])
def test_conv_of_mixed_widths(x_dtype: str, w_dtype: str) -> None:
    """Small whole numbers are exact in both widths."""
    rng = np.random.default_rng(0)
    x, w = rng.integers(0, 9, (2, 3, 9, 9)), rng.integers(-3, 4, (4, 3, 3, 3))
    b = rng.integers(-5, 5, 4)
    conv = ops.Conv(2, ((1, 1), (1, 1)))
    expected = conv.forward([x.astype("f8"), w.astype("f8"), b.astype("f8")])[0][0]
    y = conv.forward([x.astype(x_dtype), w.astype(w_dtype), b.astype(w_dtype)])[0][0]
    assert y.dtype == x_dtype
    np.testing.assert_array_equal(y, expected)


def test_blur_of_a_wide_network() -> None:
    """Blurs, whose weights are float32, on a graph of float64."""
    net = layers.build(layers.Chain(layers.MaxPool(2)), (1, 8, 8))
    x = np.random.default_rng(0).integers(0, 9, (1, 1, 8, 8)).astype(float)
    blurred = with_blur_pooling(net.astype("float64"))
    np.testing.assert_array_equal(blurred(x), with_blur_pooling(net).astype("float64")(x))
