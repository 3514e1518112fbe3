"""Kernels as people type them: ``1 2 1; 2 4 2; 1 2 1``, with fractions such as ``1/9``."""

from __future__ import annotations

import re
from math import isfinite, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.errors import GeometryError, message


def is_numbers(text: str) -> bool:
    """Whether a text starts as numbers do, not as a name does.

    >>> is_numbers(" -1 0 1"), is_numbers("box:3")
    (True, False)
    """
    return re.match(r"\s*[-+.\d]", text) is not None


def kernel_of(text: str, *, axes: int = 2) -> NDArray[Any]:
    """Return a kernel from its rows, split by semicolons or lines, entries by spaces or commas.

    Parameters
    ----------
    text : str
        Decimal numbers and fractions of whole numbers.
    axes : int
        2 for images; 1 for signals, where there must be one row.

    Returns
    -------
    array, (rows, columns) or (entries,)
        int64 where all entries are whole and written so, else float64.

    Raises
    ------
    GeometryError
        kernel L5: an entry that is no number, rows of different lengths, no entries.

    Examples
    --------
    >>> kernel_of("1 2; 3 4").tolist(), kernel_of("1/4, 0.5, .25", axes=1).tolist()
    ([[1, 2], [3, 4]], [0.25, 0.5, 0.25])
    """
    rows = [re.split(r"[\s,]+", row.strip(" ,\t")) for row in re.split(r"[;\n]", text)]
    rows = [row for row in rows if row != [""]]
    if not rows or len({len(row) for row in rows}) != 1 or (axes == 1 and len(rows) > 1):
        rule = "must be rows of equally many numbers" if axes == 2 else "must be one row of numbers"
        got = {"row lengths": [len(row) for row in rows[:9]]}
        cure = "Write it as '1 2 1; 2 4 2; 1 2 1'" if axes == 2 else "Write it as '1 2 1'"
        raise GeometryError(message("kernel", rule, got, cure, "kernel L5"))
    values = np.array([[_entry(part) for part in row] for row in rows])
    return values if axes == 2 else values[0]


def _entry(part: str) -> int | float:
    """A whole number, a decimal one, or a fraction of whole numbers."""
    if re.fullmatch(r"[-+]?\d{1,18}", part):
        return int(part)
    above, is_fraction, below = part.partition("/")
    try:
        value = int(above[:40]) / int(below[:40]) if is_fraction else float(part)
    except (ValueError, ZeroDivisionError):
        value = nan
    if not isfinite(value):
        rule, got = "an entry is no number", {"entry": repr(part[:40])}
        raise GeometryError(message("kernel", rule, got, "Write 2, -0.5 or 1/9", "kernel L5"))
    return value
