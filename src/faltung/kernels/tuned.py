"""The tuned table: which row was the fastest for a layer, as `faltung tune` measured it here.

One file for each CPU, in the user's cache folder; ``FALTUNG_TUNED`` names another one, or ``none``.
A table is read once for each process and never changes while it runs, so the choice stays what it
is: a function of the layer and the size of an image. Batch and threads are no part of a key.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from faltung import atomic
from faltung.cache import cache_folder
from faltung.errors import KernelError, message
from faltung.geometry.window import ConvWindow, PoolWindow
from faltung.kernels import settings

FORMAT: Final = 1
NONE: Final = "none"
"""What ``FALTUNG_TUNED`` holds to use no table."""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows by layer.

    Parameters
    ----------
    rows
        `key_of` a layer to the name of a row.
    milliseconds
        What was measured: for each key the time of each row that could run it.
    cpu
        What `cpu_key` said where it was measured.
    """

    rows: Mapping[str, str] = field(default_factory=dict)
    milliseconds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    cpu: str = ""

    def merged(self, other: Table) -> Table:
        """Return a table with both; where both know a layer, `other` goes first."""
        times = {**self.milliseconds, **other.milliseconds}
        return Table({**self.rows, **other.rows}, times, other.cpu or self.cpu)


EMPTY: Final = Table()


def key_of(
    operation: str, window: ConvWindow | PoolWindow, dtype: np.dtype[Any], is_prepared: bool = False
) -> str:
    """Return a layer as text, without batch and threads.

    Examples
    --------
    >>> window = ConvWindow.of((8, 64, 56, 56), (32, 64, 3, 3), padding=1)
    >>> key_of("conv", window, np.dtype(np.float32))
    'conv float32 64x56x56 32x64x3x3 stride=1,1 pads=1:1,1:1 dilation=1,1 groups=1'
    """
    weights = window.w_shape if isinstance(window, ConvWindow) else window.kernel
    pads = ",".join(f"{lo}:{hi}" for lo, hi in window.pads)
    said = (
        *(operation, str(dtype), _by(window.x_shape[1:]), _by(weights)),
        *(f"stride={_with(window.stride)}", f"pads={pads}", f"dilation={_with(window.dilation)}"),
        f"groups={window.groups if isinstance(window, ConvWindow) else 1}",
    )
    return " ".join(said + ("prepared",) * is_prepared)


def _by(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))


def _with(sizes: tuple[int, ...]) -> str:
    return ",".join(map(str, sizes))


def current() -> Table:
    """Return the table that this process goes by: imposed, named by ``FALTUNG_TUNED``, or kept.

    Raises
    ------
    KernelError
        ``FALTUNG_TUNED`` names a file that is not there (K6).
    """
    now = settings.settings()
    return _imposed.table or _current(now.tuned, now.isa)


def impose(table: Table | None) -> None:
    """Have this process go by a table, from the next call on; None goes back to the kept one."""
    _imposed.table = table
    settings.changed()


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


# Inside -------------------------------------------------------------------------------------


class _Imposed:
    table: Table | None = None


_imposed = _Imposed()


@cache
def _current(named: str, isa: str) -> Table:
    if named == NONE or not cpu_key(isa):
        return EMPTY
    if named:
        if not Path(named).is_file():
            rule, cure = "must name a table, or be none", "Make one with faltung tune --out"
            values = {settings.TUNED: repr(named)}
            raise KernelError(message(settings.TUNED, rule, values, cure, "kernel K6"))
        return read(named)
    kept = path(isa)
    return read(kept) if kept.is_file() else EMPTY


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
