"""Who does the work of a call: what is too small for two threads is done by the one that calls.

That is decided by the geometry, and changes no bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from faltung.kernels import memory
from faltung.kernels.registry import Row, Window

if TYPE_CHECKING:
    from faltung.kernels.replay import Recorder

SMALL: Final = 100_000.0
"""Cycles below which waking a thread takes as long as it would save: some 20 us."""


@lru_cache(maxsize=4096)
def is_small(row: Row, window: Window, dtype: np.dtype[Any]) -> bool:
    """Whether a whole batch is too little work for several threads."""
    return row.is_compiled and window.batch * row.cycles(window, dtype) < SMALL


@contextmanager
def alone(is_serial: bool) -> Iterator[None]:
    """Have kernels that are launched meanwhile run on the calling thread alone."""
    before, memory.kept.is_serial = memory.kept.is_serial, is_serial or memory.kept.is_serial
    try:
        yield
    finally:
        memory.kept.is_serial = before


@contextmanager
def recorded(recorder: Recorder) -> Iterator[Recorder]:
    """Have a recorder note what is launched meanwhile, and what memory is taken."""
    before, memory.kept.recorder = memory.kept.recorder, recorder
    try:
        yield recorder
    finally:
        memory.kept.recorder = before
