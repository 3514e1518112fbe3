"""One column of a table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.errors import FileFormatError, message
from faltung.files.table import CURE, cells, number_of, rows_of


def read_column(path: str | os.PathLike[str], column: str | int | None = None) -> NDArray[Any]:
    """Read one column of numbers from a CSV file.

    Parameters
    ----------
    path : str or path
        The file: UTF-8, with a header line or without one.
    column : str or int, optional
        Its name in the header, or its number, counted from 1; by default the first column that
        holds numbers alone.

    Returns
    -------
    array, (rows,)
        float64; NaN where a value is missing (empty, NA, nan, null).

    Raises
    ------
    StorageError
        Where there is no such file.
    FileFormatError
        Where it is no table of text, has no such column, or the column holds something else.
    """
    header, body = rows_of(path)
    number = _chosen(str(path), header, body, column)
    return np.array(_values(str(path), body, number), np.float64)


def _chosen(
    path: str, header: Sequence[str] | None, body: Sequence[Sequence[str]], column: str | int | None
) -> int:
    """The number of the column that is asked for, counted from 0."""
    width = max((len(row) for row in body), default=len(header or ()))
    names = [name.strip() for name in header or ()]
    if column is None:
        for number in range(width):
            if body and all(number_of(cell) is not None for cell in cells(body, number)):
                return number
        raise FileFormatError(message(path, "no column holds numbers alone", None, CURE))
    if isinstance(column, str) and column in names:
        return names.index(column)
    known = str(column).isdecimal() and 1 <= int(column) <= width
    if not known:
        rule, values = "there is no such column", {"column": repr(column)}
        cure = f"Use one of {', '.join(names)}" if names else f"Use 1 to {width}"
        raise FileFormatError(message(path, rule, values, cure))
    return int(column) - 1


def _values(path: str, body: Sequence[Sequence[str]], number: int) -> list[float]:
    values = []
    for line, cell in enumerate(cells(body, number), 1):
        value = number_of(cell)
        if value is None:
            rule = f"column {number + 1} holds something that is no number"
            where = {"row": line, "cell": repr(cell[:40])}
            raise FileFormatError(message(path, rule, where, "Choose another column"))
        values.append(value)
    return values
