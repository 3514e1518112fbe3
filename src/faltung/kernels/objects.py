"""Object files in the user's cache folder: whole or not there, and made anew when damaged.

Processes that start together may compile the same kernel; each writes a file of its own and
renames it, and whoever is last wins with the same bytes.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from faltung import atomic
from faltung.cache import cache_folder

_SUM: Final = 32
"""Bytes of the checksum that stands before the code."""


def folder() -> Path:
    """Return where compiled kernels are kept."""
    return cache_folder() / "kernels"


class _Notice:
    """Who is told, once, that kernels are being compiled: it may take seconds."""

    tell: Callable[[], None] | None = None


_notice = _Notice()


def tell_when_compiling(tell: Callable[[], None]) -> None:
    """Have a function called when this process compiles its first kernel."""
    _notice.tell = tell


def kept(name: str, make: Callable[[], bytes]) -> bytes:
    """Return an object file, from the folder or made and put there.

    A folder that cannot be written is no error: the code is made anew in each process.
    """
    path = folder() / f"{name}.o"
    code = _read(path)
    if code is None:
        tell, _notice.tell = _notice.tell, None
        if tell is not None:
            tell()
        code = make()
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            _sweep(path.parent)
            atomic.write_bytes(path, hashlib.sha256(code).digest() + code, synced=False)
    return code


@functools.cache
def _sweep(folder: Path) -> None:
    """Remove what crashes left behind, once: of thousands of files, not before each one."""
    atomic.remove_stale(folder)


def _read(path: Path) -> bytes | None:
    """Return the code of a file; None where there is none, or a damaged one."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    code = stored[_SUM:]
    return code if hashlib.sha256(code).digest() == stored[:_SUM] else None
