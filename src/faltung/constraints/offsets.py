"""Weights by offset instead of by position: a change of index that loses nothing.

``V[i, j, a, b] = W[i, j, i + a, j + b]``. Offsets run from ``1 - n`` to ``n - 1`` on an axis of n
positions, so that V has more places than W has weights: those whose ``i + a`` or ``j + b`` leaves
the image. They are filled with 0, which is what they would be multiplied with anyway (the image is
zero outside), unless something else is asked for; `inside` tells them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.geometry.checks import refuse

Array = NDArray[Any]


def by_offset(w: ArrayLike, fill: float = 0) -> Array:
    """Return ``V[i, j, a, b] = W[i, j, i + a, j + b]``, offset a at index ``a + n - 1``.

    Parameters
    ----------
    w : array_like, (*size, *size)
        A weight for each output position and input position, on any number of axes.
    fill
        What stands where no position of the image has the offset.

    Returns
    -------
    numpy.ndarray, (*size, *(2 size - 1))
        A new array of the same dtype, its values bit for bit those of ``w``.

    Raises
    ------
    GeometryError
        offsets O1: the second half of the axes is not as long as the first.

    Examples
    --------
    >>> by_offset([[1, 2], [3, 4]]).tolist()
    [[0, 1, 2], [3, 4, 0]]
    """
    w = np.asarray(w)
    size = _size(w, w.shape[w.ndim // 2 :])
    here, offsets = _grid(size, [2 * n - 1 for n in size])
    there = [i + a - (n - 1) for i, a, n in zip(here, offsets, size, strict=True)]
    clipped = [np.clip(k, 0, n - 1) for k, n in zip(there, size, strict=True)]
    v: Array = w[(*here, *clipped)]
    v[~inside(size)] = fill
    return v


def by_position(v: ArrayLike) -> Array:
    """Return ``W[i, j, k, l] = V[i, j, k - i, l - j]``, the inverse of `by_offset`.

    Parameters
    ----------
    v : array_like, (*size, *(2 size - 1))
        A weight for each output position and offset; those that leave the image are not read.

    Returns
    -------
    numpy.ndarray, (*size, *size)
        A new array of the same dtype.

    Raises
    ------
    GeometryError
        offsets O1: the axes do not have these lengths.

    Examples
    --------
    >>> by_position([[0, 1, 2], [3, 4, 0]]).tolist()
    [[1, 2], [3, 4]]
    """
    v = np.asarray(v)
    size = _size(v, [(n + 1) // 2 if n % 2 else -1 for n in v.shape[v.ndim // 2 :]])
    here, there = _grid(size, size)
    offsets = [k - i + n - 1 for i, k, n in zip(here, there, size, strict=True)]
    w: Array = v[(*here, *offsets)]
    return w


def inside(size: Sequence[int]) -> NDArray[np.bool_]:
    """Return where `by_offset` holds weights, as (*size, *(2 size - 1)).

    Parameters
    ----------
    size
        Positions along each axis of the image.

    Examples
    --------
    >>> inside((2,)).tolist()
    [[False, True, True], [True, True, False]]
    """
    found: NDArray[np.bool_] = np.ones((), np.bool_)
    here, offsets = _grid(size, [2 * n - 1 for n in size])
    for i, a, n in zip(here, offsets, size, strict=True):
        there = i + a - (n - 1)
        found = found & (there >= 0) & (there < n)
    return found


def _grid(first: Sequence[int], second: Sequence[int]) -> tuple[list[Array], list[Array]]:
    grid = list(np.ogrid[tuple(slice(n) for n in (*first, *second))])
    return grid[: len(first)], grid[len(first) :]


def _size(array: Array, half: Sequence[int]) -> tuple[int, ...]:
    """Return the image's size, once both halves of the axes say the same."""
    size = array.shape[: array.ndim // 2]
    if not size or tuple(half) != size:
        rule = "the array must have twice as many axes as an image, both halves of one size"
        refuse("offsets", rule, {"shape": array.shape}, "", "offsets O1")
    return size
