"""Where compiled kernels get memory from: one place, so that tests can guard all of it.

Working memory belongs to the thread that calls, is as large as its largest call needed, and is
taken again by the next. `kept_bytes` says how much there is of it, `release` gives it back.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.kernels.leases import LINE as LINE
from faltung.kernels.leases import leased

if TYPE_CHECKING:
    from faltung.kernels.replay import Recorder

KEPT: Final = 64 * 2**20
"""Bytes that a thread keeps at most from call to call; what is larger goes back at once."""


class _Buffer:
    """Bytes from a cache line on."""

    def __init__(self, size: int) -> None:
        self.bytes = np.empty(size + LINE, np.uint8)
        self.start = -self.bytes.ctypes.data % LINE
        self.place = self.bytes.ctypes.data + self.start
        self.size = size


_buffers: weakref.WeakSet[_Buffer] = weakref.WeakSet()
_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    # A child must not find the lock held by a thread that it does not have.
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


class Kept(threading.local):
    """What a thread that calls keeps from call to call, and what listens to it."""

    def __init__(self) -> None:
        self.size, self.place = 0, 0
        self.buffer: _Buffer | None = None
        self.recorder: Recorder | None = None
        self.is_serial = False


kept: Final = Kept()


def empty(shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array for a result; what is in it is not defined."""
    made = leased(shape, dtype)
    if kept.recorder is not None:
        kept.recorder.made.append(made)
    return made


def aligned(shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return such an array from a cache line on: its vectors are read in one go."""
    count = prod(shape)
    room = empty((count + LINE // dtype.itemsize,), dtype)
    start = -room.ctypes.data % LINE // dtype.itemsize
    return room[start : start + count].reshape(shape)


def zeros(shape: Sequence[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return zeros for a kernel that counts in them, and leaves them as zeros."""
    made = np.zeros(shape, dtype)
    if kept.recorder is not None:
        kept.recorder.zeros.append(made)
    return made


def constant(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array that nobody writes to any more; see `faltung.kernels.replay`."""
    array.setflags(write=False)
    return array


def line(size: int) -> int:
    """Return the whole cache lines that so many bytes take, in bytes."""
    return -(-size // LINE) * LINE


def working(size: int) -> NDArray[np.uint8]:
    """Return so many bytes from a cache line on; the calling thread's next call reuses them."""
    buffer = kept.buffer
    if buffer is None or buffer.size < size:
        buffer = _Buffer(size)
        if size <= KEPT:
            _keep(buffer)
    return buffer.bytes[buffer.start : buffer.start + size]


def place(size: int) -> int:
    """Return the address of so many bytes that the calling thread keeps; at most `KEPT`."""
    if kept.size < size:
        _keep(_Buffer(size))
    return kept.place


def kept_bytes() -> int:
    """Return how much working memory all threads of this process keep now.

    >>> release()
    >>> before = kept_bytes()
    >>> _ = working(1000)
    >>> kept_bytes() - before >= 1000
    True
    """
    with _lock:
        return sum(buffer.size + LINE for buffer in _buffers)


def release() -> None:
    """Give back the working memory of the calling thread; its next call takes some anew."""
    _keep(None)


def _keep(buffer: _Buffer | None) -> None:
    kept.buffer = buffer
    kept.size, kept.place = (buffer.size, buffer.place) if buffer else (0, 0)
    if buffer is not None:
        with _lock:
            _buffers.add(buffer)
