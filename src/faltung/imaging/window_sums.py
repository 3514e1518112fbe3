"""Sums over every window of an array, in time that does not grow with the window.

Along one axis the array is cut into blocks as long as the window. A window is the end of one block
and the start of the next, so that it is a running sum from the right plus one from the left: each
is a sum over numbers inside the window alone. A running sum over the whole array (an integral
image) would give a window of small numbers the rounding of all the large ones before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def window_sums(x: Array, sizes: Sequence[int]) -> Array:
    """Sum over each window that lies inside, along the first axes.

    Parameters
    ----------
    x : array
        Integers, whose sums fit their dtype, or floats.
    sizes : sequence of int
        Of the window, one for each of the first axes, none longer than its axis.

    Returns
    -------
    array
        ``n - size + 1`` long on these axes. Exact for integers; for floats
        ``|error| <= γ_(Σ sizes) · Σ |x| over the window``.

    Examples
    --------
    >>> window_sums(np.arange(6), [3])
    array([ 3,  6,  9, 12])
    """
    for axis, size in enumerate(sizes):
        x = np.moveaxis(_along_first(np.moveaxis(x, axis, 0), size), 0, axis)
    return x


def _along_first(x: Array, size: int) -> Array:
    length = len(x)
    blocks = -(-length // size) + 1
    filled = np.zeros((blocks * size, *x.shape[1:]), x.dtype)
    filled[:length] = x
    cut = filled.reshape(blocks, size, *x.shape[1:])
    to_the_end = np.cumsum(cut[:, ::-1], axis=1)[:, ::-1].reshape(filled.shape)
    before = np.zeros_like(cut)
    np.cumsum(cut[:, :-1], axis=1, out=before[:, 1:])
    starts = length - size + 1
    sums: Array = to_the_end[:starts] + before.reshape(filled.shape)[size : size + starts]
    return sums
