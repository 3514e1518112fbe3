"""Memory for compiled kernels that nobody may read or write past its end."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faltung.kernels import memory
from faltung.kernels.choose import compiled_for

GUARD = 0xA5
COMPILED = (
    *("blocked", "chain", "depthwise", "direct", "direct_and_blocked_dw", "exact", "filters"),
    *("gemm", "micro", "norm_batch", "numbers_together", "optimise", "packing", "pointwise"),
    *("polyphase", "polyphase_dx", "pooling", "random_geometries", "replay", "simd"),
    *("vector_math", "winograd", "winograd_dw"),
)
"""Modules about machine code alone: where nothing is compiled they have nothing to say."""

assert all(Path(__file__).with_name(f"test_{name}.py").exists() for name in COMPILED)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a compiler where there is none, or none is wanted."""
    if compiled_for():
        return
    skipped = pytest.mark.skip(reason="nothing is compiled here (FALTUNG_ISA=none)")
    for item in items:
        if item.path.parent.name == "kernels" and item.path.stem.removeprefix("test_") in COMPILED:
            item.add_marker(skipped)


class Guarded:
    """Buffers that end where a page begins that nobody may touch, with known bytes before them."""

    def __init__(self) -> None:
        self._protect = ctypes.CDLL(None).mprotect
        self._made: list[tuple[mmap.mmap, int, int]] = []

    def bytes(self, size: int) -> Any:
        """Return a buffer of so many bytes."""
        page = mmap.PAGESIZE
        room = -(-(size + 64) // page) * page
        memory_map = mmap.mmap(-1, room + page)
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory_map))
        whole = np.frombuffer((ctypes.c_char * room).from_address(start), np.uint8)
        whole[:] = GUARD
        assert self._protect(ctypes.c_void_p(start + room), ctypes.c_size_t(page), 0) == 0
        self._made.append((memory_map, start, room - size))
        return whole[room - size :]

    def array(self, shape: Sequence[int], dtype: Any) -> Any:
        """Return an array that ends at the unreadable page."""
        size = prod(shape) * np.dtype(dtype).itemsize
        return self.bytes(size).view(dtype).reshape(shape)

    def copy(self, array: Any) -> Any:
        """Return a guarded copy."""
        copied = self.array(array.shape, array.dtype)
        copied[...] = array
        return copied

    def check(self) -> None:
        """No byte before any buffer has changed."""
        page = mmap.PAGESIZE
        for memory_map, start, lead in self._made:
            before = np.frombuffer((ctypes.c_char * lead).from_address(start), np.uint8)
            assert (before == GUARD).all()
            end = start + len(memory_map) - page
            assert self._protect(ctypes.c_void_p(end), ctypes.c_size_t(page), 3) == 0
        self._made.clear()


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Guarded]:
    """Have every kernel's memory guarded."""
    made = Guarded()
    monkeypatch.setattr(memory, "empty", made.array)
    monkeypatch.setattr(memory, "working", made.bytes)
    yield made
    made.check()
