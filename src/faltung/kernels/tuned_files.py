"""Tuned tables as files: one for each CPU, in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from faltung import atomic
from faltung.cache import cache_folder
from faltung.errors import KernelError, message
from faltung.kernels import settings
from faltung.kernels.tuned import EMPTY, Table

FORMAT: Final = 1


def path(isa: str = "") -> Path:
    """Return where the table of this CPU is kept."""
    return cache_folder() / "tuned" / f"{cpu_key(isa)}.json"


@cache
def cpu_key(isa: str = "") -> str:
    """Return a name for this CPU and what kernels are compiled for: a table fits no other.

    Empty where nothing can be compiled, and nothing is to be tuned.
    """
    try:
        import llvmlite.binding as llvm

        from faltung.kernels.isa import chosen, host_features
    except (ImportError, OSError):
        return ""
    compiled_for = chosen(isa)
    if compiled_for is None:
        return ""
    features = sorted(name for name, is_there in host_features().items() if is_there)
    mark = hashlib.sha256(" ".join(features).encode()).hexdigest()[:8]
    return f"{llvm.get_host_cpu_name()}-{compiled_for.name}-{mark}"


def read(path: str | os.PathLike[str]) -> Table:
    """Read a table; a damaged one is empty, and a warning says so."""
    try:
        return _checked(json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        said = f"faltung: the tuned table {os.fspath(path)} is left out: {error}"
        warnings.warn(said, RuntimeWarning, stacklevel=2)
        return EMPTY


def save(table: Table, path: str | os.PathLike[str]) -> None:
    """Write a table, whole or not at all.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    times = {key: dict(rows) for key, rows in table.milliseconds.items()}
    content = {
        "format": FORMAT,
        "cpu": table.cpu,
        "rows": dict(table.rows),
        "milliseconds": times,
    }
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1, sort_keys=True)
    atomic.write_bytes(path, f"{text}\n".encode())


@cache
def kept(named: str, isa: str) -> Table:
    """Return the table of a file, or this CPU's own where none is named."""
    if not cpu_key(isa):
        return EMPTY
    if named:
        if not Path(named).is_file():
            rule, cure = "must name a table, or be none", "Make one with faltung tune --out"
            values = {settings.TUNED: repr(named)}
            raise KernelError(message(settings.TUNED, rule, values, cure, "kernel K6"))
        return read(named)
    own = path(isa)
    return read(own) if own.is_file() else EMPTY


def _checked(content: Any) -> Table:
    """Return a table of what a file holds; anything else than a table is refused."""
    rows: Any
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"it is no table of format {FORMAT}")
    cpu, rows, times = (content.get(name, 0) for name in ("cpu", "rows", "milliseconds"))
    is_whole = isinstance(cpu, str) and isinstance(rows, dict) and isinstance(times, dict)
    if not is_whole or not all(isinstance(name, str) for name in rows.values()):
        raise ValueError("it has no cpu, rows and milliseconds")
    for measured in times.values():
        if not isinstance(measured, dict) or not all(map(_is_time, measured.values())):
            raise ValueError("its times are no numbers")
    return Table(MappingProxyType(rows), MappingProxyType(times), cpu)


def _is_time(value: Any) -> bool:
    return isinstance(value, (int, float)) and value >= 0
