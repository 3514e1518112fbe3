"""For which geometries there is Winograd's form down the rows, what it takes and how it rounds.

Nothing here compiles anything: the registry asks it about every convolution.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod, sqrt
from typing import Any, Final

import numpy as np

from faltung.geometry.axis import AxisWindow
from faltung.geometry.window import ConvWindow
from faltung.kernels import cost
from faltung.kernels.winograd_cost import adjoint, growth_of

OUTPUTS: Final = 4
"""Rows of a tile."""
TAPS: Final = 3
"""Rows of a kernel: six points, whose sums fit a CPU's registers for two channels."""
NEARBY: Final = (2, 2)
"""Output channels and vectors of columns of a register block, with 32 registers: 24 sums."""
DISTANT: Final = (4, 1)
"""The same where pixels come from further away: more products for each."""
NARROW: Final = (2, 1)
"""The same with 16 registers."""
LARGEST: Final = 1 << 30
"""Sizes and padding below this: positions in a row are compared as 32-bit integers."""
NEAR: Final = 40 * 1024
"""Bytes of transformed pixels that stay in the nearest cache."""
TERMS: Final = 128
"""Input channels times columns of the kernel that are summed one after the other, at most."""
PAGE: Final = 4096
"""Bytes between places that share a set of the nearest cache, on most CPUs."""
WAYS: Final = 12
"""Lines that such a set holds."""
DEALT: Final = 30.0
"""Cycles to deal a vector of a signal's tiles out, or to take one up, and what that waits for."""


def applies(window: object, dtype: np.dtype[Any]) -> bool:
    """Whether a kernel has three rows of taps next to each other, and there is little to sum.

    Or taps in threes, in a signal.
    """
    return _applies(window, dtype, lambda window: window.group_in)


def applies_dx(window: object, dtype: np.dtype[Any]) -> bool:
    """Whether the same holds for the gradient of the input."""
    return _applies(window, dtype, lambda window: window.group_out)


def _applies(window: object, dtype: np.dtype[Any], summed: Callable[[ConvWindow], int]) -> bool:
    return (
        isinstance(window, ConvWindow)
        and dtype in (np.float32, np.float64)
        and (len(window.axes) < 3 or _is_flat(window))
        and (window.kernel[0] % TAPS == 0 if is_dealt(window) else window.kernel[0] == TAPS)
        and set(window.stride) == {1}
        and set(window.dilation) == {1}
        and summed(window) * columns_of(window) <= TERMS
        and all(max(axis.size, abs(axis.pad_lo)) < LARGEST for axis in plane_of(window))
    )


def _is_flat(window: ConvWindow) -> bool:
    """Whether pixels of a slice do not meet each other."""
    return all((a.kernel, a.pad_lo, a.pad_hi) == (1, 0, 0) for a in window.axes[1:])


def is_dealt(window: ConvWindow) -> bool:
    """Whether there is one row, whose numbers are dealt out to several."""
    return len(window.axes) == 1


def plane_of(window: ConvWindow) -> tuple[AxisWindow, AxisWindow]:
    """Return rows and columns; a volume whose kernel reaches in depth alone has slices as rows."""
    rows, *columns = window.axes
    if is_dealt(window):
        return AxisWindow(1, 1), rows
    if len(columns) == 1:
        return rows, columns[0]
    return rows, AxisWindow(prod(axis.size for axis in columns), 1)


def columns_of(window: ConvWindow) -> int:
    """Return how many columns of taps there are; of a signal's kernel, how often three."""
    _, columns = plane_of(window)
    return columns.kernel // TAPS if is_dealt(window) else columns.kernel


def tiles_of(window: ConvWindow) -> tuple[int, int]:
    """Return how many rows of tiles there are, and how many tiles in each."""
    rows, columns = (axis.out_size for axis in plane_of(window))
    return -(-rows // OUTPUTS), -(-columns // OUTPUTS) if is_dealt(window) else columns


def block_of(summed: int) -> tuple[int, int]:
    """Return the register block for so many terms, with 32 registers.

    What it reads for all output channels should stay in the nearest cache.
    """
    channels, vectors = NEARBY
    is_near = summed * (OUTPUTS + TAPS - 1) * vectors * cost.VECTOR <= NEAR
    return (channels, vectors) if is_near else DISTANT


def terms(window: ConvWindow) -> int:
    """Roundings on the way from an input and a weight to an output.

    With n points: n + 1 each for the input's and the output's product with a matrix; the taps + 2
    for that of the weights, and one to the kernel's own numbers; one for the product, one for each
    channel and column, one each for bias and residual.
    """
    summed = window.group_in * columns_of(window)
    return 2 * (OUTPUTS + TAPS) + TAPS + 2 + summed + 4


def dx_terms(window: ConvWindow) -> int:
    """`terms` of the gradient of the input."""
    return terms(adjoint(window))


def growth(window: ConvWindow) -> float:
    """By how much more than the terms' own sum the form may round, on its one axis."""
    return sqrt(growth_of(OUTPUTS, TAPS))


def cycles(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Register blocks at every point, transforms of rows, and rows out."""
    points, width = OUTPUTS + TAPS - 1, cost.lanes(dtype)
    summed = window.group_in * columns_of(window)
    tile_rows, tile_columns = tiles_of(window)
    channels, vectors = block = block_of(summed)
    blocks = tile_rows * -(-tile_columns // (vectors * width))
    dealt = vectors * DEALT if is_dealt(window) else 0.0
    products = points * channels * vectors / 2 / (0.85 if block == NEARBY else 0.6)
    each = -(-window.group_out // channels) * (summed * products + 40 + channels * dealt)
    taken = summed * (vectors * points * 2.5 + dealt)
    weights = cost.packing(window, dtype, is_prepared, 2.0)
    return (
        cost.CALL
        + window.groups * blocks * (each + taken)
        + _crowded(window, dtype)
        + weights
        + cost.results(window.out_shape, dtype)
    )


def _crowded(window: ConvWindow, dtype: np.dtype[Any]) -> float:
    """Cycles lost where rows of all channels, read one by one, share their places in a cache.

    Planes of whole pages do; of more than it has ways, none stays until its neighbour is read.
    """
    pixels = prod(window.space)
    if pixels * dtype.itemsize % PAGE or window.group_in <= WAYS:
        return 0.0
    return window.in_channels * pixels / cost.lanes(dtype) * 15.0


def dx_cycles(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Cycles of the gradient of the input."""
    return cycles(adjoint(window), dtype, is_prepared)
