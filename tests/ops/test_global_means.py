"""Means over images: none of many pixels is rounded away."""

from __future__ import annotations

import numpy as np

from faltung.ops import GlobalAveragePool


def test_many_pixels_beside_a_large_one() -> None:
    x = np.ones((1, 2, 64, 63), np.float32)
    x[:, :, 0, 0] = 2.0**24
    (y,), _, _ = GlobalAveragePool().forward([x])
    assert y.dtype == np.float32
    assert np.array_equal(
        y, np.float32((2.0**24 + 64 * 63 - 1) / (64 * 63) * np.ones((1, 2, 1, 1)))
    )
