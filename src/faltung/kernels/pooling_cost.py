"""Which poolings the compiled rows take, and what they take for them."""

from __future__ import annotations

from math import prod
from typing import Any, Final

import numpy as np

from faltung.geometry.window import ConvWindow, PoolWindow
from faltung.kernels import cost

STRIDE: Final = 4
"""The largest stride along a row whose phases are dealt out in registers."""
LARGEST: Final = 1 << 30
"""Sizes below this: positions in a row are compared as 32-bit integers."""
TILE: Final = 4
"""The longest side of a tile whose numbers are compared."""
MEAN_TILE: Final = 8
"""The longest side of a tile whose numbers are added, or that share one."""
TAPS: Final = 1 << 20
"""Taps of a window: each has a number that float32 holds."""


def applies(window: ConvWindow | PoolWindow, dtype: np.dtype[Any]) -> bool:
    """Whether nothing in a pooling is out of all proportion."""
    return (
        isinstance(window, PoolWindow)
        and dtype in (np.float32, np.float64)
        and window.axes[-1].stride <= STRIDE
        and prod(window.kernel) <= TAPS
        and all(
            axis.extent <= axis.size + 64
            and max(axis.stride, axis.size, abs(axis.pad_lo)) < LARGEST
            for axis in window.axes
        )
    )


def cycles(window: PoolWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Estimate one image: rows are reduced, then columns."""
    *before, columns = window.axes
    rows = prod(axis.kernel for axis in before)
    outputs = window.channels * prod(window.out_space)
    width = -(-columns.size // cost.lanes(dtype)) * cost.lanes(dtype)
    read = window.channels * prod(axis.out_size for axis in before) * width
    return (
        cost.CALL
        + cost.moved(read * rows, dtype, 0.1)
        + cost.moved(outputs * columns.kernel, dtype, 0.15)
        + cost.results(window.out_shape, dtype)
    )


def dx_cycles(window: PoolWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Estimate one image's gradient: every tap is looked at twice."""
    outputs = window.channels * prod(window.out_space)
    return (
        cost.CALL
        + cost.moved(outputs * prod(window.kernel), dtype, 0.5)
        + cost.results(window.x_shape, dtype)
    )


def is_tiled(window: ConvWindow | PoolWindow, dtype: np.dtype[Any], longest: int = TILE) -> bool:
    """Whether every number belongs to one window, of at most so many numbers on two axes."""
    if not isinstance(window, PoolWindow) or dtype not in (np.float32, np.float64):
        return False
    return (
        all(axis.kernel == 1 for axis in window.axes[:-2])
        and all(axis.kernel <= longest for axis in window.axes)
        and all(
            axis.stride == axis.kernel
            and axis.pad_lo == axis.pad_hi == 0
            and (axis.dilation == 1 or axis.kernel == 1)
            and axis.size == axis.out_size * axis.kernel
            for axis in window.axes
        )
    )


def is_mean_tiled(window: ConvWindow | PoolWindow, dtype: np.dtype[Any]) -> bool:
    """The same for means."""
    return is_tiled(window, dtype, MEAN_TILE)


def tile_cycles(window: PoolWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Estimate one image, or its gradient: every number is read or written once."""
    numbers = window.channels * prod(window.space)
    return cost.CALL + cost.moved(numbers, dtype, 0.25) + cost.results(window.out_shape, dtype)
