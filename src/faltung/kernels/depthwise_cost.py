"""Which convolutions the depthwise rows take, and what they take for them."""

from __future__ import annotations

from math import prod
from typing import Any, Final

import numpy as np

from faltung.geometry.window import ConvWindow, PoolWindow
from faltung.kernels import cost

STRIDE: Final = 4
"""The largest stride along a row whose phases are dealt out in registers."""
SIDE: Final = 11
"""The longest side of a kernel whose sums are vectors of channels."""
WIDTH: Final = 512
"""The longest row that is brought side by side as a whole."""
PLANE: Final = 4096
"""Positions of a plane whose sums are vectors of channels."""
LARGEST: Final = 1 << 30
"""Sizes, strides and padding below this: positions in a row are compared as 32-bit integers."""


def applies(window: ConvWindow | PoolWindow, dtype: np.dtype[Any]) -> bool:
    """Whether a window is depthwise, and nothing in it is out of all proportion."""
    return (
        isinstance(window, ConvWindow)
        and window.groups == window.in_channels
        and dtype in (np.float32, np.float64)
        and window.axes[-1].stride <= STRIDE
        and all(
            axis.extent <= axis.size + 64
            and max(axis.stride, axis.size, abs(axis.pad_lo)) < LARGEST
            for axis in window.axes
        )
    )


def applies_lanes(window: ConvWindow | PoolWindow, dtype: np.dtype[Any]) -> bool:
    """Whether channels can be in the lanes: all apart, on planes and kernels of moderate size."""
    return (
        isinstance(window, ConvWindow)
        and applies(window, dtype)
        and window.out_channels == window.in_channels
        and len(window.axes) <= 2
        and window.axes[-1].size <= WIDTH
        and all(
            axis.kernel <= SIDE and max(axis.dilation, axis.stride) <= STRIDE
            for axis in window.axes
        )
    )


def cycles(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Estimate one image: whole vectors of columns, and memory."""
    return (
        cost.CALL
        + _products(window, dtype, 0.5)
        + cost.moved(window.in_channels * prod(window.space), dtype, 0.15)
        + cost.results(window.out_shape, dtype)
    )


def dx_cycles(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Estimate one image's data gradient: one pass for each remainder modulo the stride."""
    passes = prod(window.stride[:-1])
    return cost.CALL * passes + _products(window, dtype, 0.25) + cost.results(window.x_shape, dtype)


def dw_cycles(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Estimate one image's part of the weights' gradient."""
    taken = window.in_channels * prod(window.space) + prod(window.out_shape[1:])
    return (
        cost.CALL
        + _products(window, dtype, 0.2)
        + cost.moved(taken, dtype, 0.15)
        + 60.0 * window.out_channels
    )


def dw_lanes_cycles(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Estimate one image's part with channels in the lanes: transposes of both, and products."""
    vectors, taps = -(-window.in_channels // cost.lanes(dtype)), prod(window.kernel)
    pixels, outputs = prod(window.space), prod(window.out_space)
    work = pixels * 7.5 + outputs * (5.5 + taps / 1.7)
    return cost.CALL + vectors * (work + taps * 100 / cost.BATCH)


def applies_lanes_dx(window: ConvWindow | PoolWindow, dtype: np.dtype[Any]) -> bool:
    """Whether planes are small, too: their sums lie in a core's own cache."""
    return (
        applies_lanes(window, dtype)
        and prod(axis.size for axis in window.axes) <= PLANE
        and all(abs(axis.pad_lo) <= axis.extent for axis in window.axes)
    )


def dx_lanes_cycles(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Estimate one image's data gradient with channels in the lanes."""
    vectors, taps = -(-window.in_channels // cost.lanes(dtype)), prod(window.kernel)
    work = prod(window.space) * 9 + prod(window.out_space) * (5.5 + taps * 1.2)
    return cost.CALL + vectors * work


def _products(window: ConvWindow, dtype: np.dtype[Any], share: float) -> float:
    """Count what is computed past the end of each row as well."""
    lanes, columns = cost.lanes(dtype), window.axes[-1].out_size
    filled = -(-columns // lanes) * lanes / max(1, columns)
    return cost.products(cost.macs(window) * filled, dtype, share)
