"""The tuned table: which row was the fastest for a layer, as `faltung tune` measured it here.

One file for each CPU, in the user's cache folder; ``FALTUNG_TUNED`` names another one, or ``none``.
A table is read once for each process and never changes while it runs, so the choice stays what it
is: a function of the layer and the size of an image. Batch and threads are no part of a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import numpy as np

from faltung.geometry.window import ConvWindow, PoolWindow
from faltung.kernels import settings

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
    return _imposed.table or _kept(now.tuned, now.isa)


def impose(table: Table | None) -> None:
    """Have this process go by a table, from the next call on; None goes back to the kept one."""
    _imposed.table = table
    settings.changed()


# Inside -------------------------------------------------------------------------------------


class _Imposed:
    table: Table | None = None


_imposed = _Imposed()


@cache
def _kept(named: str, isa: str) -> Table:
    """Read a table, once; what reads files is imported here."""
    if named == NONE:
        return EMPTY
    from faltung.kernels.tuned_files import kept

    return kept(named, isa)
