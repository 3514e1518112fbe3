"""For which geometries stride 2 goes by phases, what that takes and how it rounds.

Nothing here compiles anything: the registry asks it about every convolution.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, Final

import numpy as np

from faltung.geometry.window import ConvWindow
from faltung.kernels.cost import CALL, OWN, VECTOR, lanes, moved, products, results

LARGEST: Final = 7
"""Taps along a side at most: of more, points are so many that rounding grows fast."""


def applies(window: object, dtype: np.dtype[Any]) -> bool:
    """Whether this is a square kernel of 3 to 7 taps a side, with stride 2."""
    return (
        isinstance(window, ConvWindow)
        and dtype in (np.float32, np.float64)
        and len(set(window.kernel)) == 1
        and 3 <= window.kernel[0] <= LARGEST
        and window.stride == (2, 2)
        and window.dilation == (1, 1)
        and all(abs(axis.pad_lo) < 1 << 31 for axis in window.axes)
    )


def taps_of(window: ConvWindow) -> int:
    """Taps along a side that a phase has at most."""
    return -(-window.kernel[0] // 2)


def phases_at(point: int, size: int, kernel_size: int, *, is_wide: bool) -> tuple[int, ...]:
    """Return the phases that a point sums over; phase 2·py + px has rows py and columns px.

    At infinity a kernel's last tap is taken; for an odd kernel, the odd phases have none there.

    >>> [len(phases_at(p, 3, 3, is_wide=True)) for p in range(9)]
    [4, 4, 2, 4, 4, 2, 2, 2, 1]
    """
    at_end = [place == size - 1 for place in divmod(point, size)]
    is_odd = is_wide and kernel_size % 2 == 1
    return tuple(
        2 * py + px
        for py in (0, 1)
        for px in (0, 1)
        if not (is_odd and ((at_end[0] and py) or (at_end[1] and px)))
    )


def terms(window: ConvWindow, outputs: int) -> int:
    """Roundings on the way from an input to an output: transforms, products, channels, bias."""
    taps = taps_of(window)
    return 4 * (outputs + taps - 1) + 2 * (taps + 2) + 4 * window.group_in + 6


@lru_cache
def growth_of(outputs: int, taps: int) -> float:
    """By how much more than the terms' own sum the form may round.

    On one axis ``max over outputs a and taps j of Σ_p |A[a, p]| |G[p, j]| Σ_q |B[p, q]|``: what a
    weight meets, where all numbers of x are as large as the largest. Squared for two axes.
    """
    from faltung.kernels.cook_toom import cook_toom  # fractions take long to import

    form = cook_toom(outputs, taps)
    a, g, b = (
        np.abs(np.array([[float(v) for v in row] for row in matrix]))
        for matrix in (form.to_output, form.from_weights, form.from_input)
    )
    return float((a @ (g * b.sum(1)[:, None])).max()) ** 2


def growth(window: ConvWindow, outputs: int) -> float:
    """`growth_of` for a window's kernel."""
    return growth_of(outputs, taps_of(window))


FAR: Final = 16 * 2**20
"""Bytes of transformed weights that caches hold."""
AT_ONCE: Final = 64
"""Tiles at most of which a block that has them all transforms the weights as it uses them."""


def cycles(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool, outputs: int) -> float:
    """Split and transform the input, products at every point, transform back."""
    width, taps = lanes(dtype), taps_of(window)
    size, is_wide = outputs + taps - 1, window.group_in >= width
    tiles = prod(-(-count // outputs) for count in window.out_space)
    outs = -(-window.group_out // (2 * width)) * 2
    phases = sum(len(phases_at(p, size, window.kernel[0], is_wide=is_wide)) for p in range(size**2))
    ins = 4 * -(-window.group_in // width) if is_wide else -(-4 * window.group_in // width)
    depth = phases * (-(-window.group_in // width) * width if is_wide else window.group_in)
    into, back = outputs**2 * 7.0 + size**2 * 4.5, outputs**2 * 5.0 + size**2 * 3.0
    # Weights are read once for each image, from far away where there are many.
    weights = depth * outs * width
    is_near, is_held = (weights * dtype.itemsize <= most for most in (OWN, FAR))
    reading = moved(weights, dtype, 0.15 if is_near else 0.3 if is_held else 0.75)
    work = max(tiles * products(depth * outs * width, dtype, 0.7), reading)
    work += tiles * (ins * into + outs * back)
    if not is_prepared:
        # A vector of output channels at a time; many are written far, or to memory.
        pairs, square = window.group_in * outs, window.kernel[0] ** 2
        near, size = pairs * (3.0 * square + 1.3 * phases), pairs * phases * VECTOR
        is_at_once = is_wide and tiles <= AT_ONCE
        far = CALL / window.groups + size * (0.3 if size > FAR / 2 else 0.13)
        work += near if is_at_once else max(near, far)
    return CALL + window.groups * work + results(window.out_shape, dtype)
