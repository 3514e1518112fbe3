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
CHANNELS: Final = 2
"""Output channels of a register block."""
VECTORS: Final = 2
"""Vectors of columns of a register block, with 32 registers."""
LARGEST: Final = 1 << 30
"""Sizes and padding below this: positions in a row are compared as 32-bit integers."""
NEAR: Final = 40 * 1024
"""Bytes of transformed pixels that stay in the nearest cache."""
TERMS: Final = 128
"""Input channels times columns of the kernel that are summed one after the other, at most."""


def applies(window: object, dtype: np.dtype[Any]) -> bool:
    """Whether a kernel has three rows of taps next to each other, and there is little to sum."""
    return _applies(window, dtype, lambda window: window.group_in)


def applies_dx(window: object, dtype: np.dtype[Any]) -> bool:
    """Whether the same holds for the gradient of the input."""
    return _applies(window, dtype, lambda window: window.group_out)


def _applies(window: object, dtype: np.dtype[Any], summed: Callable[[ConvWindow], int]) -> bool:
    return (
        isinstance(window, ConvWindow)
        and dtype in (np.float32, np.float64)
        and (len(window.axes) == 2 or (len(window.axes) == 3 and _is_flat(window)))
        and window.kernel[0] == TAPS
        and set(window.stride) == {1}
        and set(window.dilation) == {1}
        and summed(window) * window.kernel[-1] <= TERMS
        and all(max(axis.size, abs(axis.pad_lo)) < LARGEST for axis in plane_of(window))
    )


def _is_flat(window: ConvWindow) -> bool:
    """Whether pixels of a slice do not meet each other."""
    return all((a.kernel, a.pad_lo, a.pad_hi) == (1, 0, 0) for a in window.axes[1:])


def plane_of(window: ConvWindow) -> tuple[AxisWindow, AxisWindow]:
    """Return rows and columns; a volume whose kernel reaches in depth alone has slices as rows."""
    rows, *columns = window.axes
    if len(columns) == 1:
        return rows, columns[0]
    return rows, AxisWindow(prod(axis.size for axis in columns), 1)


def terms(window: ConvWindow) -> int:
    """Roundings on the way from an input and a weight to an output.

    With n points: n + 1 each for the input's and the output's product with a matrix; the taps + 2
    for that of the weights, and one to the kernel's own numbers; one for the product, one for each
    channel and column, one each for bias and residual.
    """
    summed = window.group_in * window.kernel[-1]
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
    summed = window.group_in * window.kernel[-1]
    height, columns = (axis.out_size for axis in plane_of(window))
    blocks = -(-height // OUTPUTS) * -(-columns // (VECTORS * width))
    # What a register block reads for all output channels should stay in the nearest cache.
    share = 0.85 if summed * points * VECTORS * cost.VECTOR <= NEAR else 0.6
    products = points * CHANNELS * VECTORS / 2 / share
    each = -(-window.group_out // CHANNELS) * (summed * products + 40)
    taken = VECTORS * summed * points * 2.5
    weights = 0.0 if is_prepared else prod(window.w_shape) * 1.5
    return (
        cost.CALL
        + window.groups * blocks * (each + taken)
        + weights
        + cost.results(window.out_shape, dtype)
    )


def dx_cycles(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Cycles of the gradient of the input."""
    return cycles(adjoint(window), dtype, is_prepared)
