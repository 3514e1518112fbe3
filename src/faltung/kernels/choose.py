"""Geometry and dtype, or a name that the user gives, to a row of the registry."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import numpy as np

from faltung.errors import KernelError, message
from faltung.kernels.registry import ROWS, Row, Window, rows_of
from faltung.kernels.tuned import EMPTY, Table, key_of

COARSER: Final = 1.1
"""What rounds by more than direct sums has to save so much, or it is not worth its rounding."""


def choose(
    operation: str,
    window: Window,
    dtype: np.dtype[Any],
    imposed: str = "",
    isa: str = "",
    *,
    exact: bool = False,
    prepared: bool = False,
    table: Table = EMPTY,
) -> Row:
    """The row that runs `operation` on this window and dtype: the one with the fewest cycles.

    A row that rounds by more than direct sums has to save a tenth of them.

    The choice follows from the layer and the size of an image. The batch and the number of threads
    have no part in it, so that an image has the same bits in any batch.

    Parameters
    ----------
    operation : str
        ``"conv"``, ``"conv_dx"``, ``"conv_dw"``, ``"max_pool"`` ...
    window : ConvWindow or PoolWindow
    dtype : numpy.dtype
    imposed : str
        A row's name. It replaces the choice for the operation that it computes; other operations
        choose as ever. Empty: the cheapest row that applies.
    isa : str
        The instruction set to compile for, as ``FALTUNG_ISA`` names it; empty for the widest.
    exact : bool
        Only rows whose error is that of direct summation.
    prepared : bool
        The weights were brought into the row's order before, or for a batch of images: that is not
        paid for by each.
    table : Table
        Measured rows, as `faltung.kernels.tuned` reads them: they go before the estimates.

    Raises
    ------
    KernelError
        If no row has the imposed name, if that row does not take this window or dtype (K1, K2),
        or if no row does (K3).
    """
    one = window if window.batch == 1 else replace(window, batch=1)
    return _choose(operation, one, dtype, imposed, isa, exact, prepared, table)


@lru_cache(maxsize=4096)
def _choose(
    operation: str,
    window: Window,
    dtype: np.dtype[Any],
    imposed: str,
    isa: str,
    exact: bool,
    prepared: bool,
    table: Table,
) -> Row:
    if imposed:
        row = _named(imposed)
        if row.operation == operation:
            return _checked(row, window, dtype)
    fitting = candidates(operation, window, dtype, isa, exact=exact)
    if fitting:
        measured = table.rows.get(key_of(operation, window, dtype, prepared)) if table.rows else ""
        for row in fitting:
            if row.name == measured:
                return row
        return min(fitting, key=lambda row: _price(row, window, dtype, prepared))
    raise KernelError(
        message(
            operation,
            "no kernel takes these arrays",
            {"dtype": dtype, "window": window},
            "Convert to float32 or float64",
            "kernel K3",
        )
    )


def _price(row: Row, window: Window, dtype: np.dtype[Any], prepared: bool) -> float:
    cycles = row.cycles(window, dtype, prepared)
    return cycles if row.is_exact else COARSER * cycles


def candidates(
    operation: str, window: Window, dtype: np.dtype[Any], isa: str = "", *, exact: bool = False
) -> list[Row]:
    """The rows that could run `operation` here, in the order of the registry."""
    return [
        row
        for row in rows_of(operation)
        if row.costs
        and (row.is_exact or not exact)
        and row.applies(window, dtype)
        and (not row.is_compiled or bool(_isa(isa)))
    ]


def compiled_for() -> str:
    """The instruction set that kernels are compiled for; empty where NumPy does everything."""
    return _isa(os.environ.get("FALTUNG_ISA", ""))


@lru_cache
def _isa(asked: str) -> str:
    """The name of an instruction set, empty for none; says once if nothing can be compiled."""
    try:
        from faltung.kernels.isa import chosen
    except (ImportError, OSError) as error:
        said = f"faltung: nothing is compiled, NumPy does everything, more slowly ({error})"
        warnings.warn(said, RuntimeWarning, stacklevel=2)
        return ""
    isa = chosen(asked)
    return "" if isa is None else isa.name


def _named(name: str) -> Row:
    for row in ROWS:
        if row.name == name:
            return row
    known = ", ".join(row.name for row in ROWS)
    raise KernelError(
        message(
            "FALTUNG_KERNEL",
            "must be empty, 'reference' or the name of a kernel",
            {"FALTUNG_KERNEL": repr(name)},
            f"Kernels: {known}",
            "kernel K1",
        )
    )


def _checked(row: Row, window: Window, dtype: np.dtype[Any]) -> Row:
    if row.applies(window, dtype):
        return row
    raise KernelError(
        message(
            "FALTUNG_KERNEL",
            f"{row.name} does not take these arrays",
            {"dtype": dtype, "window": window},
            f"Use one of {', '.join(other.name for other in rows_of(row.operation))}",
            "kernel K2",
        )
    )
