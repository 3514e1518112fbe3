"""Where compiled kernels get memory from: one place, so that tests can guard all of it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

LINE = 64
"""Bytes of a cache line."""


class _Kept(threading.local):
    """Working memory of the threads that call, kept from call to call."""

    buffer = np.empty(0, np.uint8)


_kept = _Kept()


def empty(shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array for a result; what is in it is not defined."""
    return np.empty(shape, dtype)


def working(size: int) -> NDArray[np.uint8]:
    """Return so many bytes from a cache line on; the calling thread's next call reuses them."""
    if _kept.buffer.nbytes < size + LINE:
        _kept.buffer = np.empty(size + LINE, np.uint8)
    start = -_kept.buffer.ctypes.data % LINE
    return _kept.buffer[start : start + size]
