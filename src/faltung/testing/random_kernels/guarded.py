"""Memory for kernels that nobody may read past its end or write beside: for many cases a second.

Each buffer ends where a page begins that cannot be touched; before it lie known bytes. What is in
it is no number at first, so that whatever is used without being written shows.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.kernels import memory

Array = NDArray[Any]

GUARD: Final = 0xA5
POISON: Final = 0xFF
"""Bytes that make no number: a NaN as a float, -1 as an integer."""
BEFORE: Final = 512
"""Guard bytes before a buffer."""
ROOMS: Final = (1 << 16, 1 << 19, 1 << 22, 1 << 26)
"""Bytes that are kept from case to case; what is larger is made for its case alone."""


class _Room:
    """Some pages that end at one that cannot be touched."""

    def __init__(self, size: int) -> None:
        page = mmap.PAGESIZE
        self.size = -(-size // page) * page
        self._pages = mmap.mmap(-1, self.size + page)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._pages))
        protect = ctypes.CDLL(None).mprotect
        if protect(ctypes.c_void_p(start + self.size), ctypes.c_size_t(page), 0):
            raise OSError("mprotect: no page can be made unreadable here")
        self.bytes = np.frombuffer(self._pages, np.uint8, self.size)
        self.lead = self.bytes[:0]

    def take(self, size: int) -> NDArray[np.uint8]:
        """Return the last bytes, poisoned."""
        first = self.size - size
        self.lead = self.bytes[max(0, first - BEFORE) : first]
        self.lead[:] = GUARD
        taken = self.bytes[first:]
        taken[:] = POISON
        return taken

    def is_whole(self) -> bool:
        """Whether no guard byte has changed."""
        return bool((self.lead == GUARD).all())


class Guards:
    """Buffers of one case after another."""

    def __init__(self) -> None:
        self._free: dict[int, list[_Room]] = {size: [] for size in ROOMS}
        self._used: list[tuple[int, _Room]] = []

    def bytes(self, size: int) -> NDArray[np.uint8]:
        """Return a buffer of so many bytes; it is taken back by `check`."""
        wanted = next((room for room in ROOMS if room >= size + BEFORE), 0)
        free = self._free.get(wanted)
        room = free.pop() if free else _Room(wanted or size + BEFORE)
        self._used.append((wanted, room))
        return room.take(size)

    def array(self, shape: Sequence[int], dtype: Any) -> Array:
        """Return an array of what is no number."""
        kind = np.dtype(dtype)
        made: Array = self.bytes(prod(shape) * kind.itemsize).view(kind)
        return made.reshape(shape)

    def copy(self, array: Array) -> Array:
        """Return a guarded copy."""
        copied = self.array(array.shape, array.dtype)
        copied[...] = array
        return copied

    def check(self) -> bool:
        """Take all buffers back; return whether every guard byte is as it was."""
        is_whole = all(room.is_whole() for _, room in self._used)
        for wanted, room in self._used:
            if wanted:
                self._free[wanted].append(room)
        self._used.clear()
        return is_whole

    @contextmanager
    def installed(self) -> Iterator[Guards]:
        """Have kernels take their memory here."""
        kept = {name: getattr(memory, name) for name in ("empty", "working", "place")}
        given = {"empty": self.array, "working": self.bytes, "place": self._place}
        try:
            for name in kept:
                setattr(memory, name, given[name])
            yield self
        finally:
            for name, function in kept.items():
                setattr(memory, name, function)

    def _place(self, size: int) -> int:
        return int(self.bytes(size).ctypes.data)
