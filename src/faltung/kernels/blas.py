"""The matrix library under NumPy: which one it is, and how many threads it may take.

OpenBLAS's threads wait for each other by spinning. On small products, and on cores that others
use as well, they wait far longer than they compute: a training step took 17 times as long with
two of them as with one. So the kernels hold it to one thread and take whole blocks in parallel.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_NAMES = (("scipy_openblas", "64_"), ("scipy_openblas", ""), ("openblas", ""))


@cache
def _functions() -> tuple[Any, Any, Any] | None:
    """OpenBLAS's get_corename, get_num_threads and set_num_threads; None for another library."""
    import ctypes

    # A symbol is looked up in NumPy's extension module and in the library that it is linked to.
    path = getattr(sys.modules.get("numpy._core._multiarray_umath"), "__file__", None)
    try:
        library = ctypes.CDLL(path) if path else None
    except OSError:
        return None
    for prefix, suffix in _NAMES:
        try:
            core, get, put = (
                getattr(library, f"{prefix}_{name}{suffix}")
                for name in ("get_corename", "get_num_threads", "set_num_threads")
            )
        except AttributeError:
            continue
        core.restype = ctypes.c_char_p
        return core, get, put
    return None


def describe() -> tuple[str, int]:
    """The core that OpenBLAS chose its kernels for and its threads; else what can be known."""
    functions = _functions()
    if functions is None:
        return "unknown", os.cpu_count() or 1
    core, get, _ = functions
    return core().decode(), int(get())


class _Held:
    """How many callers hold the library to one thread, and what it had before the first."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.callers = 0
        self.before = 1


_HELD = _Held()


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold the matrix library to one thread; the last caller to leave gives the others back."""
    functions = _functions()
    if functions is None:
        yield
        return
    _, get, put = functions
    with _HELD.lock:
        if _HELD.callers == 0:
            _HELD.before = int(get())
            if _HELD.before > 1:
                put(1)
        _HELD.callers += 1
    try:
        yield
    finally:
        with _HELD.lock:
            _HELD.callers -= 1
            if _HELD.callers == 0 and _HELD.before > 1:
                put(_HELD.before)
