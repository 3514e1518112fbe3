"""For which windows the direct kernels are, and what they take; see `faltung.kernels.cost`."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from faltung.geometry.window import ConvWindow
from faltung.kernels.cost import CALL, WIDE, block_products, packing, results


def is_pointwise(window: ConvWindow, dtype: np.dtype[Any]) -> bool:
    """Whether each output pixel needs the input pixel at its own place alone."""
    return dtype in (np.float32, np.float64) and all(
        (axis.kernel, axis.stride, axis.pad_lo, axis.out_size) == (1, 1, 0, axis.size)
        for axis in window.axes
    )


def conv_pointwise(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Register blocks on x as it lies; planes far from each other cost misses of the cache."""
    pixels = prod(window.space)
    per_group = min(
        block_products(window.group_out, pixels, window.group_in, block, dtype) for block in WIDE
    )
    return (
        CALL
        + packing(window, dtype, is_prepared, 1.5)
        + window.groups * per_group / 0.85
        + results(window.out_shape, dtype)
    )
