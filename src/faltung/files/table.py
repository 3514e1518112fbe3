"""Tables: text files with a row in each line, split by commas, semicolons or tabs."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.errors import FileFormatError, message
from faltung.files.parsing import file_bytes, parsing

SEPARATORS: Final = ",;\t"
MISSING: Final = ("", "na", "n/a", "nan", "null", "none", "-")
CURE: Final = "Write it as text with a header line and a row in each line"

Rows = list[list[str]]


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a table that hold numbers.

    Parameters
    ----------
    names : tuple of str
        From the header; ``column 1`` and so on where there is none.
    values : array, (rows, columns)
        float64; NaN where a value is missing.
    others : mapping of str to str
        The columns that hold something else, and the first such cell of each.
    """

    names: tuple[str, ...]
    values: NDArray[Any]
    others: Mapping[str, str]


def read_table(path: str | os.PathLike[str]) -> Columns:
    """Read the columns of numbers of a CSV file.

    Parameters
    ----------
    path : str or path
        The file: UTF-8, with a header line or without one.

    Returns
    -------
    Columns
        Those whose cells are numbers or missing (empty, NA, nan, null); the others by name.

    Raises
    ------
    StorageError
        Where there is no such file.
    FileFormatError
        Where it is no table of text, or has no rows.
    """
    header, body = rows_of(path)
    if not body:
        raise FileFormatError(message(str(path), "the table has a header alone", None, CURE))
    width = max([len(row) for row in body] + [len(header or ())])
    given = [name.strip() for name in header or ()] + [""] * width
    names = [name or f"column {number + 1}" for number, name in enumerate(given[:width])]
    columns: list[list[float]] = []
    kept, others = [], {}
    for number, name in enumerate(names):
        values = [number_of(cell) for cell in cells(body, number)]
        odd = next((row for row, value in enumerate(values) if value is None), None)
        if odd is None:
            kept.append(name)
            columns.append([value for value in values if value is not None])
        else:
            others[name] = cells(body, number)[odd]
    return Columns(
        tuple(kept), np.array(columns, np.float64).reshape(len(kept), len(body)).T, others
    )


def rows_of(path: str | os.PathLike[str]) -> tuple[list[str] | None, Rows]:
    """Return the header, or None, and the rows below it.

    A first row is a header if it has words and no number.

    Raises
    ------
    StorageError
        Where there is no such file.
    FileFormatError
        Where it is no text, or has no rows.
    """
    file_path = Path(path)
    with parsing(file_path, CURE):
        text = file_bytes(file_path).decode("utf-8-sig")
        rows = [row for row in csv.reader(text.splitlines(), delimiter=_separator(text)) if row]
    found = [number_of(cell) for cell in rows[0]] if rows else []
    is_header = None in found and all(value is None or isnan(value) for value in found)
    if not rows:
        raise FileFormatError(message(str(path), "the table has no rows", None, CURE))
    return (rows[0], rows[1:]) if is_header else (None, rows)


def number_of(cell: str) -> float | None:
    """The number in a cell, NaN for a missing one, None for anything else.

    >>> number_of(" 1.5 "), number_of("n/a"), number_of("red")
    (1.5, nan, None)
    """
    if cell.strip().lower() in MISSING:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        return None


def cells(body: Sequence[Sequence[str]], number: int) -> list[str]:
    """A column, counted from 0; rows may end early."""
    return [row[number] if number < len(row) else "" for row in body]


def _separator(text: str) -> str:
    """The sign that splits the first line into the most parts."""
    first = text.partition("\n")[0]
    return max(SEPARATORS, key=first.count)
