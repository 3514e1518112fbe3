"""Columns of tables: text files with a row in each line, split by commas, semicolons or tabs."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.errors import FileFormatError, message
from faltung.files.parsing import file_bytes, parsing

SEPARATORS = ",;\t"
MISSING = ("", "na", "n/a", "nan", "null", "none", "-")
CURE = "Write it as text with a header line and a row in each line"


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
    file_path = Path(path)
    with parsing(file_path, CURE):
        text = file_bytes(file_path).decode("utf-8-sig")
        rows = [row for row in csv.reader(text.splitlines(), delimiter=_separator(text)) if row]
    if not rows:
        raise FileFormatError(message(str(path), "the table has no rows", None, CURE))
    header = None if any(_number(cell) is not None for cell in rows[0]) else rows[0]
    body = rows[1:] if header else rows
    number = _chosen(str(path), header, body, column)
    return np.array(_values(str(path), body, number), np.float64)


def _separator(text: str) -> str:
    """The sign that splits the first line into the most parts."""
    first = text.partition("\n")[0]
    return max(SEPARATORS, key=first.count)


def _number(cell: str) -> float | None:
    """The number in a cell, NaN for a missing one, None for anything else."""
    if cell.strip().lower() in MISSING:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        return None


def _chosen(
    path: str, header: Sequence[str] | None, body: Sequence[Sequence[str]], column: str | int | None
) -> int:
    """The number of the column that is asked for, counted from 0."""
    width = max((len(row) for row in body), default=len(header or ()))
    names = [name.strip() for name in header or ()]
    if column is None:
        for number in range(width):
            if body and all(_number(cell) is not None for cell in _cells(body, number)):
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


def _cells(body: Sequence[Sequence[str]], number: int) -> list[str]:
    """A column; rows may end early."""
    return [row[number] if number < len(row) else "" for row in body]


def _values(path: str, body: Sequence[Sequence[str]], number: int) -> list[float]:
    values = []
    for line, cell in enumerate(_cells(body, number), 1):
        value = _number(cell)
        if value is None:
            rule = f"column {number + 1} holds something that is no number"
            where = {"row": line, "cell": repr(cell[:40])}
            raise FileFormatError(message(path, rule, where, "Choose another column"))
        values.append(value)
    return values
