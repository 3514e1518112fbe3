"""Arrays that lie in one piece of memory: what goes over all of them is one pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from faltung.kernels.memory import LINE, line
from faltung.ops.operator import Array


class Flat(NamedTuple):
    """Arrays by name, and the pieces that they lie in: one for each dtype, by its name.

    Every array begins at a cache line; what is between two is 0, and stays so.
    """

    arrays: dict[str, Array]
    pieces: dict[str, Array]


def flat_like(arrays: Mapping[str, Array]) -> Flat:
    """Return zeros in the shapes and dtypes of arrays.

    Parameters
    ----------
    arrays
        By name.

    Examples
    --------
    >>> flat = flat_like({"w": np.ones((2, 3)), "b": np.ones(2)})
    >>> flat.arrays["b"][:] = 7
    >>> flat.pieces["float64"].nonzero()[0].tolist()
    [8, 9]
    """
    ends: dict[str, int] = {}
    begins: dict[str, int] = {}
    for name, array in arrays.items():
        begins[name] = ends.get(array.dtype.name, 0)
        ends[array.dtype.name] = begins[name] + line(array.nbytes)
    pieces = {kind: _zeros(size).view(kind) for kind, size in ends.items()}
    found = {}
    for name, array in arrays.items():
        first = begins[name] // array.itemsize
        piece = pieces[array.dtype.name][first : first + array.size]
        found[name] = piece.reshape(array.shape)
    return Flat(found, pieces)


def _zeros(size: int) -> Array:
    whole = np.zeros(size + LINE, np.uint8)
    start = -whole.ctypes.data % LINE
    return whole[start : start + size]
