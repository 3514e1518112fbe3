"""For which geometries the gradient of the input with stride 2 has Winograd's form, at what cost.

Nothing here compiles anything: the registry asks it about every gradient.
"""

from __future__ import annotations

from math import prod
from typing import Any, Final

import numpy as np

from faltung.geometry.window import ConvWindow
from faltung.kernels import cost
from faltung.kernels.winograd_cost import FAR, LEAST, growth_of

SIZES: Final = (4, 6)
"""Sides of kernels whose phases all have as many taps, and more than one."""


def applies(window: object, dtype: np.dtype[Any]) -> bool:
    """Whether this is a square kernel of one of the `SIZES`, with stride 2."""
    return (
        isinstance(window, ConvWindow)
        and dtype in (np.float32, np.float64)
        and len(set(window.kernel)) == 1
        and window.kernel[0] in SIZES
        and window.stride == (2, 2)
        and window.dilation == (1, 1)
        and all(axis.size > 1 and abs(axis.pad_lo) < 1 << 31 for axis in window.axes)
    )


def tiles_of(window: ConvWindow, outputs: int) -> tuple[int, int]:
    """Return how many rows and columns of tiles each phase has.

    >>> tiles_of(ConvWindow.of((1, 1, 56, 54), (1, 1, 4, 4), padding=1, stride=2), 4)
    (7, 7)
    """
    rows, columns = (-(-axis.size // (2 * outputs)) for axis in window.axes)
    return rows, columns


def terms(window: ConvWindow, outputs: int) -> int:
    """Roundings on the way from dout to dx: both transforms, the weights', products, bias."""
    taps = window.kernel[0] // 2
    return 4 * (outputs + taps) + 2 * (taps + 2) + window.group_out + 3


def growth(window: ConvWindow, outputs: int) -> float:
    """By how much more than direct sums the form may round: `winograd_cost.growth_of`."""
    return growth_of(outputs, window.kernel[0] // 2)


def cycles(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool, outputs: int) -> float:
    """Transform dout, for each phase where they read other rows or columns; products; back."""
    width, square = cost.lanes(dtype), (outputs + window.kernel[0] // 2 - 1) ** 2
    tiles = prod(tiles_of(window, outputs))
    ins, outs = (-(-count // width) for count in (window.group_out, window.group_in))
    ways = prod(1 + axis.pad_lo % 2 for axis in window.axes)
    weights = 4 * square * window.group_out * outs * width
    size = weights * dtype.itemsize
    products = cost.products(weights * max(tiles, LEAST), dtype, 0.8)
    work = max(products, size / (16 if size < FAR else 6))
    work += tiles * square * (3.0 * ins * ways + 4 * 4.0 * outs)
    if not is_prepared:
        work += cost.CALL / window.groups + size * (0.3 if size > FAR / 2 else 0.13)
    images = cost.moved(prod(window.x_shape[1:]), dtype, 0.5)
    return cost.CALL + window.groups * work + images + cost.results(window.x_shape, dtype)
