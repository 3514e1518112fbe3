"""For which geometries a convolution has Winograd's form, what it takes and how it rounds.

Nothing here compiles anything: the registry asks it about every convolution. What is said of a
window holds for its gradient to the input too, as the convolution that this is: `adjoint`.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, Final

import numpy as np

from faltung.geometry.adjoint import data_gradient
from faltung.geometry.window import ConvWindow
from faltung.kernels import cost

TAPS: Final = {2: (3, 5), 3: (5, 3), 4: (3,)}
"""Sides of the kernels for which there are tiles with so many outputs along a side."""
FAR: Final = 20 * 2**20
"""Bytes of transformed weights that caches hold; more come from memory for each image."""
AT_ONCE: Final = 64
"""Tiles at most of which a block that has them all transforms the weights as it uses them."""
LEAST: Final = 7
"""So many tiles take as long as fewer: for each input channel two vectors of weights are loaded."""
FRAMES: Final = 6
"""About so many slices of a volume are in a block of work together."""


APART: Final = 64
"""Dilation at most: a strip has some pixels of each phase, and should stay near a core."""


def applies(window: object, dtype: np.dtype[Any], outputs: int) -> bool:
    """Whether this is a square kernel of a side that `TAPS` has.

    In depth it may have any number of taps, next to each other.
    """
    return (
        isinstance(window, ConvWindow)
        and dtype in (np.float32, np.float64)
        and len(window.axes) in (2, 3)
        and window.kernel[-2] == window.kernel[-1]
        and window.kernel[-1] in TAPS[outputs]
        and set(window.stride) == {1}
        and set(window.dilation[:-2]) <= {1}
        and all(axis.dilation <= max(1, min(APART, axis.out_size)) for axis in window.axes)
        and all(abs(pad) < 1 << 31 for axis in window.axes for pad in (axis.pad_lo, axis.pad_hi))
    )


def tiles_of(window: ConvWindow, outputs: int) -> tuple[int, int]:
    """Return how many rows and columns of tiles there are.

    With a dilation, all phases have as many rows as the first. Columns of the phases take turns;
    the last ones may be of some phases alone.

    >>> tiles_of(ConvWindow.of((1, 1, 33, 33), (1, 1, 3, 3), padding=12, dilation=12), 2)
    (24, 21)
    """
    (rows, columns), (down, across) = window.axes[-2:], window.dilation[-2:]
    turns, rest = divmod(columns.out_size, outputs * across)
    return -(-rows.out_size // (outputs * down)) * down, turns * across + min(rest, across)


@lru_cache(1024)
def adjoint(window: ConvWindow) -> ConvWindow:
    """Return the convolution of `dout` with flipped weights that is the gradient of the input."""
    return ConvWindow(
        axes=tuple(data_gradient(axis) for axis in window.axes),
        batch=window.batch,
        in_channels=window.out_channels,
        out_channels=window.in_channels,
        groups=window.groups,
    )


def terms(window: ConvWindow, outputs: int) -> int:
    """Roundings on the way from an input and a weight to an output.

    With n points: n + 1 for each of the input's and of the output's two products with a matrix;
    twice the taps + 2 for those of the weights; one for the product, one for each channel at each
    depth, one each for bias and residual.
    """
    taps = window.kernel[-1]
    size, summed = taps + outputs - 1, window.reduction // taps**2
    return 4 * (size + 1) + 2 * (taps + 2) + summed + 3


def dx_terms(window: ConvWindow, outputs: int) -> int:
    """`terms` of the gradient of the input."""
    return terms(adjoint(window), outputs)


@lru_cache
def growth_of(outputs: int, taps: int) -> float:
    """By how much more than the terms' own sum the form may round: docs/derivations/winograd.md.

    On one axis ``max over outputs i and taps k of Σ_p |A[p, i]| |G[p, k]| Σ_q |B[q, p]|``; squared
    for two axes.

    >>> growth_of(2, 3), round(growth_of(4, 3)), round(growth_of(2, 5))
    (16.0, 205, 205)
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
    return growth_of(outputs, window.kernel[-1])


def _cycles(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool, outputs: int) -> float:
    """Transforms of all tiles, products at every point, and the weights, which come by once."""
    points, width = (window.kernel[-1] + outputs - 1) ** 2, cost.lanes(dtype)
    tiles = prod((*window.out_space[:-2], *tiles_of(window, outputs)))
    depth = prod(window.kernel[:-2])
    ins, outs = (-(-count // width) for count in (window.group_in, window.group_out))
    deep = -(-window.group_in // ins) * ins * depth
    summed = points * max(tiles, LEAST) * deep * outs * width
    products = cost.products(summed, dtype, 0.8)
    weights = points * window.group_in * depth * outs * cost.VECTOR
    is_at_once = not is_prepared and tiles <= AT_ONCE
    streamed = 0.0 if is_at_once else weights / (16 if weights < FAR else 6)
    # Frames that two blocks of work read are transformed by both.
    again = 1 + (depth - 1) / FRAMES
    moved = tiles * points * (6.5 * ins * again + 5.5 * outs)
    images = _image(window.x_shape, dtype) + _image(window.out_shape, dtype)
    return (
        cost.CALL
        + window.groups * (max(products, streamed) + moved)
        + (0.0 if is_prepared else _weights(window, outs, points, is_at_once))
        + images
    )


def _weights(window: ConvWindow, vectors: int, points: int, is_at_once: bool) -> float:
    """Cycles to transform the weights, a vector of output channels at a time.

    Where they are used at once they stay near; else they go to the caches that cores share, or to
    memory.
    """
    pairs = window.groups * vectors * window.reduction // window.kernel[-1] ** 2
    near = pairs * (3.0 * window.kernel[-1] ** 2 + 1.3 * points)
    if is_at_once:
        return near
    size = pairs * points * cost.VECTOR
    return cost.CALL + max(near, size * (0.3 if size > FAR / 2 else 0.13))


def _image(shape: tuple[int, ...], dtype: np.dtype[Any]) -> float:
    """Cycles to read or write an image, 16 planes side by side.

    Planes of whole pages share their places in the caches, which they all pass at once.
    """
    pixels, numbers = prod(shape[2:]), prod(shape[1:])
    is_crowded = pixels * dtype.itemsize % 4096 == 0 and numbers * dtype.itemsize > 4 * 2**20
    return cost.moved(numbers, dtype, 1.0 if is_crowded else 0.3)


def cycles(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool, outputs: int) -> float:
    """Cycles of a convolution by tiles of so many outputs a side.

    Images of a batch share what few tiles of one leave idle. So where tiles of 4 by 4 have less to
    multiply, those of 3 by 3 do not count as faster.
    """
    own = _cycles(window, dtype, is_prepared, outputs)
    if outputs != 3 or window.kernel[-1] not in TAPS[4]:
        return own
    size = window.kernel[-1] - 1
    three, four = (prod(tiles_of(window, m)) * (m + size) ** 2 for m in (3, 4))
    return own if three < four else max(own, _cycles(window, dtype, is_prepared, 4))


def dx_cycles(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool, outputs: int) -> float:
    """Cycles of the gradient of the input by tiles of so many of its numbers a side."""
    return cycles(adjoint(window), dtype, is_prepared, outputs)
