"""Constant arrays in pages of their own, which go back to the system as soon as nobody holds them.

What the C library hands out in between goes back only where it lies at the end of its memory: of a
network's weights, which come and go while a plan is made, most would stay with the process.
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable, Sequence
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LEAST: Final = 1 << 16
"""Bytes from which an array has pages of its own."""
HUGE: Final = 1 << 22
"""Bytes from which large pages are asked for, as NumPy does."""


class Pages:
    """What a constant array holds: nobody else has its memory, and nobody can write to it."""

    __slots__ = ("__array_interface__", "_memory")

    def __init__(self, memory: Array) -> None:
        self._memory = memory
        self.__array_interface__ = {
            "shape": memory.shape,
            "typestr": memory.dtype.str,
            "data": (memory.ctypes.data, True),
            "version": 3,
        }


def filled(shape: Sequence[int], dtype: np.dtype[Any], fill: Callable[[Array], object]) -> Array:
    """Return an array that nobody can write to any more.

    Parameters
    ----------
    shape, dtype
        As of `numpy.empty`.
    fill
        Is given the array to write to, once; it must not keep it.

    Examples
    --------
    >>> ones = filled((300, 300), np.dtype(float), lambda array: array.fill(1))
    >>> float(ones.sum()), ones.flags.writeable
    (90000.0, False)
    """
    size = prod(shape) * dtype.itemsize
    if size < LEAST:
        array = np.empty(shape, dtype)
        fill(array)
        array.setflags(write=False)
        return array
    array = np.frombuffer(_mapped(size), dtype).reshape(shape)
    fill(array)
    return np.asarray(Pages(array))


def _mapped(size: int) -> mmap.mmap:
    if sys.platform == "win32":
        return mmap.mmap(-1, size)
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if size >= HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
        pages.madvise(mmap.MADV_HUGEPAGE)
    return pages
