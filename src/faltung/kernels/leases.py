"""Memory of large results, taken again when nobody holds them any more.

The system hands out large pieces page by page, each cleared when it is first touched: 33 MB that
are new take 7 ms to fill, and under one if they were used before. So an array made here borrows its
memory (`leased`), and gives it back when the array and all its views are gone. It begins where a
line of the cache does: vectors that cross from one line to the next are written more slowly.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Sequence
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

LINE: Final = 64
"""Bytes of a line of the cache."""
LEAST: Final = 1 << 20
"""Bytes from which memory is borrowed; smaller arrays are the system's."""
KEPT: Final = 256 << 20
"""Bytes that wait to be borrowed, at most."""
GRAIN: Final = 1 << 18
"""Sizes are rounded up to this, so that nearly equal ones share."""
SLACK: Final = 1.25
"""By how much a piece may be larger than what is asked for."""


class _Shelf:
    """Pieces that nobody holds, those given back last at the end."""

    def __init__(self) -> None:
        self.given: deque[Array] = deque()
        self.pieces: list[Array] = []
        self.lock = threading.Lock()

    def take(self, size: int) -> Array:
        """Return a piece of at least so many bytes."""
        with self.lock:
            self._put_away()
            for at in range(len(self.pieces) - 1, -1, -1):
                if size <= self.pieces[at].nbytes <= SLACK * size:
                    return self.pieces.pop(at)
        return np.empty(size, np.uint8)

    def give(self, piece: Array) -> None:
        """Keep a piece for others; the oldest ones go where there are too many.

        The collector of garbage may call this at any time, while this thread holds the lock too.
        """
        self.given.append(piece)
        if self.lock.acquire(blocking=False):
            try:
                self._put_away()
            finally:
                self.lock.release()

    def waiting(self) -> int:
        """Return how many bytes nobody holds."""
        with self.lock:
            self._put_away()
            return sum(piece.nbytes for piece in self.pieces)

    def clear(self) -> None:
        """Let all pieces go."""
        with self.lock:
            self._put_away()
            self.pieces.clear()

    def _put_away(self) -> None:
        while self.given:
            self.pieces.append(self.given.popleft())
        total = sum(piece.nbytes for piece in self.pieces)
        while total > KEPT:
            total -= self.pieces.pop(0).nbytes


_shelf = _Shelf()


def _forked() -> None:
    """Let a child have a lock that nobody holds."""
    _shelf.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class _Lease:
    """What an array holds instead of memory of its own; with it goes the last reader."""

    __slots__ = ("__array_interface__", "_piece")

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any], size: int) -> None:
        self._piece = _shelf.take(size)
        place = self._piece.ctypes.data
        self.__array_interface__ = {
            "shape": shape,
            "typestr": dtype.str,
            "data": (place + -place % LINE, False),
            "version": 3,
        }

    def __del__(self) -> None:
        # At the end of the process the module may be gone before its arrays.
        if _shelf is not None:
            _shelf.give(self._piece)


def leased(shape: Sequence[int], dtype: np.dtype[Any]) -> Array:
    """Return an array; what is in it is not defined.

    Parameters
    ----------
    shape, dtype
        As of `numpy.empty`.
    """
    size = prod(shape) * dtype.itemsize
    if size < LEAST:
        return np.empty(shape, dtype)
    return np.asarray(_Lease(tuple(shape), dtype, -(-(size + LINE) // GRAIN) * GRAIN))


def waiting() -> int:
    """Return how many bytes wait to be borrowed."""
    return _shelf.waiting()


def release() -> None:
    """Give all that waits back to the system."""
    _shelf.clear()
