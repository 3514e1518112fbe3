"""What every definition starts with: float64 arrays, and zeros around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[Any]
Ints: TypeAlias = Sequence[int]
Pads: TypeAlias = Sequence[tuple[int, int]]

# Infinities and NaN are legal data here: they spread by IEEE 754's rules, without a warning.
ieee = np.errstate(all="ignore")


def as_float(x: ArrayLike) -> Array:
    """Copy of ``x`` in float64, or in complex128 where it is complex.

    >>> as_float([1, 2]).dtype, as_float([1j]).dtype
    (dtype('float64'), dtype('complex128'))
    """
    array = np.asarray(x)
    return array.astype(np.complex128 if np.iscomplexobj(array) else np.float64)


def padded(x: Array, pads: Pads) -> Array:
    """Zeros before and after the last axes of ``x``; a negative pad crops.

    >>> padded(np.array([1, 2, 3]), [(1, -1)])
    array([0, 1, 2])
    """
    whole = [(0, 0)] * (x.ndim - len(pads)) + list(pads)
    wider = np.pad(x, [(max(0, lo), max(0, hi)) for lo, hi in whole])
    kept = [
        slice(max(0, -lo), max(0, size - max(0, -hi)))
        for size, (lo, hi) in zip(wider.shape, whole, strict=True)
    ]
    return wider[tuple(kept)]


def unpadded(x: Array, pads: Pads, space: Ints) -> Array:
    """Adjoint of `padded`: ``<padded(x), y> = <x, unpadded(y)>``; ``space`` is what x had.

    >>> unpadded(np.array([4, 5, 6]), [(1, -1)], [3])
    array([5, 6, 0])
    """
    wide = x.shape[x.ndim - len(pads) :]
    back = [(-lo, n + lo - size) for (lo, _), n, size in zip(pads, space, wide, strict=True)]
    return padded(x, back)
