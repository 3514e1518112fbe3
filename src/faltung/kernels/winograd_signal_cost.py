"""For which signals there is Winograd's form with channels in the lanes, and what it takes.

Nothing here compiles anything: the registry asks it about every convolution.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, Final

import numpy as np

from faltung.geometry.window import ConvWindow
from faltung.kernels import cost
from faltung.kernels.winograd_cost import FAR, LEAST, growth_of

TAPS: Final = (4, 3)
"""Taps of the parts that a kernel is cut into, those that save most first."""
OUTPUTS: Final = 12
"""Outputs that whole tiles fill, of whichever size: none shares its rounding with others."""


def applies(window: object, dtype: np.dtype[Any]) -> bool:
    """Whether this is a signal, and its kernel can be cut into equal parts."""
    return (
        isinstance(window, ConvWindow)
        and dtype in (np.float32, np.float64)
        and len(window.axes) == 1
        and (window.stride, window.dilation) == ((1,), (1,))
        and any(window.kernel[0] % taps == 0 for taps in TAPS)
        and abs(window.axes[0].pad_lo) < 1 << 31
    )


def taps_of(window: ConvWindow) -> int:
    """Return how many taps each part has, and outputs each tile.

    >>> [taps_of(ConvWindow.of((1, 1, 99), (1, 1, k))) for k in (8, 9, 12)]
    [4, 3, 4]
    """
    return next(taps for taps in TAPS if window.kernel[0] % taps == 0)


def terms(window: ConvWindow) -> int:
    """Roundings on the way from an input and a weight to an output.

    n + 1 each for the input's and the output's product with a matrix, the taps + 2 for that of the
    weights; one for the product, one for each channel and part, one each for bias and residual.
    """
    taps = taps_of(window)
    return 4 * taps + taps + 2 + window.reduction // taps + 4


def growth(window: ConvWindow) -> float:
    """By how much more than the terms' own sum the form may round, on its one axis."""
    return sqrt(growth_of(taps_of(window), taps_of(window)))


def cycles(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Transform samples, products at every point, transform back."""
    width, taps = cost.lanes(dtype), taps_of(window)
    points, tiles = 2 * taps - 1, -(-window.out_space[0] // taps)
    ins, outs = (-(-count // width) for count in (window.group_in, window.group_out))
    weights = points * (window.reduction // taps) * outs * width
    size = weights * dtype.itemsize
    work = max(
        cost.products(weights * max(tiles, LEAST), dtype, 0.82),
        size / (16 if size < FAR else 6),
    )
    work += tiles * points * (3.0 * ins + 3.0 * outs)
    if not is_prepared:
        work += cost.CALL / window.groups + size * (0.3 if size > FAR / 2 else 0.13)
    samples = window.in_channels * window.space[0] + window.out_channels * window.out_space[0]
    moved = cost.moved(samples, dtype, 0.5)
    return cost.CALL + window.groups * work + moved + cost.results(window.out_shape, dtype)
