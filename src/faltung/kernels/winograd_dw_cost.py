"""For which geometries the weights' gradient has Winograd's form, what it takes and how it rounds.

Nothing here compiles anything: the registry asks it about every convolution.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, Final

import numpy as np

from faltung.geometry.window import ConvWindow
from faltung.kernels.cost import BATCH, CALL, lanes, products

OUTPUTS: Final = {3: 4, 5: 3}
"""Outputs along a side of a tile for so many taps: 6 x 6 products there, 7 x 7 here."""
CHUNK: Final = 128
"""Channels of x, and of dout, whose sums one block keeps."""
SQUARE: Final = 250.0
"""Cycles to bring a tile of a vector of channels to its points: side by side, then transformed."""


def applies(window: object, dtype: np.dtype[Any], taps: int) -> bool:
    """Whether this is a square kernel of so many taps a side, next to each other."""
    return (
        isinstance(window, ConvWindow)
        and dtype in (np.float32, np.float64)
        and window.kernel == (taps, taps)
        and window.stride == (1, 1)
        and window.dilation == (1, 1)
        and all(abs(axis.pad_lo) < 1 << 31 for axis in window.axes)
    )


def terms(window: ConvWindow) -> int:
    """Roundings on the way from an input to an output.

    Each of the transforms' six matrix products rounds at most as often as a row has entries; one
    more for the product, and one for each tile; the last is that from float64.
    """
    taps = window.kernel[0]
    outputs = OUTPUTS[taps]
    size = taps + outputs - 1
    return 4 * size + 2 * outputs + window.batch * tiles(window) + 2


@lru_cache
def growth_of(taps: int) -> float:
    """By how much more than the terms' own sum the form may round, for such a kernel.

    On one axis ``max over outputs a and inputs j of Σ_p |A[a, p]| |G[p, j]| Σ_q |B[p, q]|``: what a
    number of dout meets, where all numbers of x are as large as the largest. Squared for two axes.
    """
    from faltung.kernels.cook_toom import cook_toom  # fractions take long to import

    form = cook_toom(taps, OUTPUTS[taps])
    a, g, b = (
        np.abs(np.array([[float(v) for v in row] for row in matrix]))
        for matrix in (form.to_output, form.from_weights, form.from_input)
    )
    return float((a @ (g * b.sum(1)[:, None])).max()) ** 2


def growth(window: ConvWindow) -> float:
    """`growth_of` for a window's kernel."""
    return growth_of(window.kernel[0])


def tiles(window: ConvWindow) -> int:
    """Tiles of an image's gradient."""
    outputs = OUTPUTS[window.kernel[0]]
    return prod(-(-size // outputs) for size in window.out_space)


def cycles(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Transforms of both, once for every chunk of the other's channels; products; sums back."""
    width, taps = lanes(dtype), window.kernel[0]
    points = (taps + OUTPUTS[taps] - 1) ** 2
    ins, outs = (-(-count // width) for count in (window.group_in, window.group_out))
    again = [-(-count // CHUNK) for count in (window.group_out, window.group_in)]
    squares = ins * again[0] + outs * again[1]
    each = points * ins * outs * width * width
    back = ins * width * outs * (points * 3 + 60) * 4 / BATCH
    work = tiles(window) * (products(each, dtype) + SQUARE * squares)
    return 2 * CALL + window.groups * (work + back)
