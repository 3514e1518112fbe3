"""Arrays that lie in one piece of memory: what goes over all of them is one pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from faltung.kernels.memory import LINE, line
from faltung.ops.operator import Array

DType = np.dtype[Any]


class Flat(NamedTuple):
    """Arrays by name, and the pieces that they lie in: one for each dtype.

    Every array begins at a cache line; what is between two is 0, and stays so.
    """

    arrays: dict[str, Array]
    pieces: dict[DType, Array]


def flat_like(arrays: Mapping[str, Array]) -> Flat:
    """Return zeros in the shapes and dtypes of arrays; what is no number has memory of its own.

    Parameters
    ----------
    arrays
        By name.

    Examples
    --------
    >>> flat = flat_like({"w": np.ones((2, 3)), "b": np.ones(2)})
    >>> flat.arrays["b"][:] = 7
    >>> flat.pieces[np.dtype(float)].nonzero()[0].tolist()
    [8, 9]
    """
    ends: dict[DType, int] = {}
    begins: dict[str, int] = {}
    for name, array in arrays.items():
        begins[name] = ends.get(array.dtype, 0)
        ends[array.dtype] = begins[name] + line(array.nbytes)
    pieces = {kind: _zeros(size).view(kind) for kind, size in ends.items() if _is_number(kind)}
    found = {}
    for name, array in arrays.items():
        if array.dtype in pieces:
            first = begins[name] // array.itemsize
            piece = pieces[array.dtype][first : first + array.size]
            found[name] = piece.reshape(array.shape)
        else:
            found[name] = np.zeros(array.shape, array.dtype)
    return Flat(found, pieces)


def flat_copies(arrays: Mapping[str, Array]) -> Flat:
    """Return copies of arrays.

    Parameters
    ----------
    arrays
        By name.
    """
    flat = flat_like(arrays)
    for name, array in arrays.items():
        flat.arrays[name][...] = array
    return flat


def pieces_of(arrays: Mapping[str, Array]) -> dict[DType, Array] | None:
    """Return the pieces that arrays lie in, if they lie as `flat_like` lays them; else None.

    Parameters
    ----------
    arrays
        By name.

    Examples
    --------
    >>> w = np.ones((2, 3))
    >>> pieces_of(flat_like({"w": w, "b": w}).arrays)[np.dtype(float)].shape
    (16,)
    >>> pieces_of({"w": w, "b": w.copy()}) is None
    True
    """
    groups: dict[DType, list[Array]] = {}
    for array in arrays.values():
        groups.setdefault(array.dtype, []).append(array)
    found = {}
    for kind, group in groups.items():
        first, end = group[0], group[0].ctypes.data
        for array in group:
            if array.ctypes.data != end or array.base is None or array.base is not first.base:
                return None
            end += line(array.nbytes)
        count = (end - first.ctypes.data) // first.itemsize
        found[kind] = as_strided(first.reshape(-1), (count,), (first.itemsize,))
    return found


def _is_number(kind: DType) -> bool:
    return kind.kind in "biufc" and LINE % kind.itemsize == 0


def _zeros(size: int) -> Array:
    whole = np.zeros(size + LINE, np.uint8)
    start = -whole.ctypes.data % LINE
    return whole[start : start + size]
