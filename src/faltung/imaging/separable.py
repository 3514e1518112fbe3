"""Kernels of rank 1, outer products of vectors: found, and run as one pass along each axis."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import gcd
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

ENTRY_TOLERANCE: Final = 16
"""How many unit roundoffs u an entry of an outer product may be off, relative to itself."""


def rank(kernel: Array) -> int:
    """Return the numerical rank of a matrix: singular values above ``max(m, n) eps`` the largest.

    This is `numpy.linalg.matrix_rank`'s rule. A kernel of more axes has the largest rank of its
    unfoldings, each axis against all others; one that is not finite has no rank but its size.

    >>> rank(np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]])), rank(np.eye(3))
    (1, 3)
    """
    if not np.isfinite(kernel).all():
        return max(kernel.shape, default=1)
    unfolded = (np.moveaxis(kernel, axis, 0).reshape(n, -1) for axis, n in enumerate(kernel.shape))
    return max((int(np.linalg.matrix_rank(matrix)) for matrix in unfolded), default=1)


def factors(kernel: Array) -> tuple[Array, ...] | None:
    """Return one vector for each axis whose outer product is the kernel; None where there is none.

    The candidates are the lines through the largest entry: of a kernel of rank 1 all others are
    multiples of them. Integer kernels are taken apart in integers: their product is the kernel,
    exactly. Floats are where every entry of the product is within ``16 u |entry|`` of the
    kernel's, u the unit roundoff; no singular values are needed for that. Because it holds entry
    by entry, passes along the axes have the class of error that the sum over the kernel has: with
    k entries, and n the sum of the sizes,

    ``|passes - exact| <= (γ_n (1 + 16 u) + 16 u) Σ |kernel| |x|``; the sum: ``γ_k Σ |kernel| |x|``.

    A zero of the kernel is a zero of the product, so that NaN and infinity spread as they do in
    the sum.

    >>> factors(np.array([[2, 0, -2], [4, 0, -4], [2, 0, -2]]))
    (array([2, 4, 2]), array([ 1,  0, -1]))
    """
    if kernel.ndim < 2 or not kernel.size or not kernel.any():
        return None
    if kernel.dtype.kind in "iu":
        return _integer_factors(kernel.astype(object))
    return _float_factors(kernel) if np.isfinite(kernel).all() else None


def are_worth_it(kernel: Array) -> bool:
    """Whether passes along the axes take fewer products than the kernel has entries."""
    return sum(kernel.shape) < kernel.size


def _lines(kernel: Array) -> tuple[tuple[int, ...], list[Array]]:
    """Where the largest entry is, and the line through it along each axis."""
    at = np.unravel_index(int(np.abs(kernel).argmax()), kernel.shape)
    place = tuple(int(i) for i in at)
    lines = (np.moveaxis(kernel, axis, -1) for axis in range(kernel.ndim))
    return place, [line[place[:axis] + place[axis + 1 :]] for axis, line in enumerate(lines)]


def _outer(vectors: Sequence[Array]) -> Array:
    return reduce(np.multiply.outer, vectors)


def _integer_factors(kernel: Array) -> tuple[Array, ...] | None:
    """Divide each line by its greatest common divisor; by Gauss's lemma the rest is an integer."""
    place, lines = _lines(kernel)
    vectors = [line // reduce(gcd, line.tolist()) for line in lines]
    content, rest = divmod(kernel[place], _outer(vectors)[place])
    vectors[0] = vectors[0] * content
    if rest or (_outer(vectors) != kernel).any():
        return None
    return tuple(vector.astype(np.int64) for vector in vectors)


def _float_factors(kernel: Array) -> tuple[Array, ...] | None:
    place, lines = _lines(kernel)
    pivot = kernel[place]
    vectors = [lines[0], *(line / pivot for line in lines[1:])]
    product = _outer(vectors)
    unit = np.finfo(kernel.dtype).eps / 2
    off = np.abs(product - kernel) > ENTRY_TOLERANCE * unit * np.abs(kernel)
    return None if off.any() else tuple(vectors)
