"""For which windows the direct kernels are, and what they take; see `faltung.kernels.cost`."""

from __future__ import annotations

from math import prod
from typing import Any, Final

import numpy as np

from faltung.geometry.window import ConvWindow
from faltung.kernels.cost import (
    CALL,
    OWN,
    WIDE,
    block_products,
    lanes,
    moved,
    packing,
    results,
    streamed,
)
from faltung.kernels.panels import MOST, panels_of
from faltung.kernels.reaches import reaches

WIDEST: Final = 4
"""The largest stride in a row of pixels that a kernel of one position takes: of a larger one, most
of what is read would be left out."""


def is_pointwise(window: ConvWindow, dtype: np.dtype[Any]) -> bool:
    """Whether each output pixel needs one input pixel alone, none of them padding."""
    return (
        dtype in (np.float32, np.float64)
        and window.stride[-1] <= WIDEST
        and all(
            (axis.kernel, axis.pad_lo) == (1, 0) and (axis.out_size - 1) * axis.stride < axis.size
            for axis in window.axes
        )
    )


def is_whole_pointwise(window: ConvWindow, dtype: np.dtype[Any]) -> bool:
    """Whether each input pixel is that of an output pixel, too."""
    return is_pointwise(window, dtype) and window.out_space == window.space


def conv_pointwise(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Register blocks on x as it lies, or on the pixels that a stride leaves."""
    taken = 0 if window.out_space == window.space else window.in_channels * prod(window.out_space)
    return (
        _pointwise(window, dtype, window.group_out, window.group_in)
        + moved(taken, dtype, 5.0)
        + results(window.out_shape, dtype)
    )


def conv_dx_pointwise(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """The same product with weights that are read column by column."""
    return _pointwise(window, dtype, window.group_in, window.group_out) + results(
        window.x_shape, dtype
    )


def _pointwise(window: ConvWindow, dtype: np.dtype[Any], rows: int, terms: int) -> float:
    pixels = prod(window.out_space)
    per_group = min(block_products(rows, pixels, terms, block, dtype) for block in WIDE)
    return CALL + 0.2 * streamed(prod(window.w_shape), dtype) + window.groups * per_group / 0.9


def conv_blocked(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Channels in the lanes: a strip in by a transpose, register blocks, a strip out."""
    return _blocked(window, dtype, is_prepared, is_backward=False)


def conv_dx_blocked(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """The same for each phase of the stride: as many products as forward."""
    return _blocked(window, dtype, is_prepared, is_backward=True)


def _blocked(
    window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool, is_backward: bool
) -> float:
    sides = (window.group_in, window.group_out)[:: -1 if is_backward else 1]
    panels = panels_of(lanes(dtype), *sides)
    depth, rows, columns = reaches(window, is_backward=is_backward)
    most = MOST[32][panels.vectors]
    pixels = -(-columns.grid // -(-columns.grid // most)) if columns.grid else 1
    blocks = depth.grid * rows.grid * -(-columns.grid // pixels)
    taps = prod(sum(len(phase) for phase in axis.phases) for axis in (depth, rows, columns))
    products = max(pixels * panels.vectors, pixels + panels.vectors, 8) / 2
    channels = panels.panels * panels.in_blocks * panels.length
    sources = window.groups * panels.in_blocks * lanes(dtype) * len(depth.distances)
    taken = sources * depth.grid * rows.source * columns.source
    shape = window.x_shape if is_backward else window.out_shape
    # What one row of outputs reads should stay in a core's own cache.
    row = sources * rows.span * (columns.source + columns.span) * dtype.itemsize
    is_far = row > OWN and rows.span > 1
    share = 0.25 if is_far else 0.84
    # With a stride more of them are read for each output: fewer stay in the nearest cache.
    each = 0.5 if is_backward or window.stride[-1] == 1 else 0.8
    return (
        CALL
        + packing(window, dtype, is_prepared, 0.8 if is_backward else 0.6 if taps > 1 else 0.45)
        + window.groups * channels * taps * blocks * products / share
        + moved(taken, dtype, each if columns.source >= lanes(dtype) else 3.0)
        + moved(prod(shape[1:]), dtype, 0.9 if len(columns.phases) > 1 else 0.5)
        + results(shape, dtype)
    )
