"""A constant matrix times a column of vectors, in few instructions.

Points come in pairs ±p, so rows of Cook and Toom's matrices come in pairs that differ in the sign
of every other entry: the even part and the odd part are computed once, then added and subtracted.
Where columns come in such pairs, the two vectors are added and subtracted before.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol

from faltung.kernels.simd import Vector

Row = tuple[Fraction, ...]


class Arithmetic(Protocol):
    """What computes with vectors: a `Code`, or what stands in for one."""

    def constant(self, value: float) -> Vector:
        """Return a vector with one number in all lanes."""

    def fma(self, a: Vector, b: Vector, c: Vector) -> Vector:
        """Return ``a * b + c``."""


def times(code: Arithmetic, matrix: Sequence[Row], column: Sequence[Vector]) -> list[Vector]:
    """Return the product of a constant matrix and a column of vectors.

    Parameters
    ----------
    code
        Where the instructions go.
    matrix
        Any numbers.
    column
        As many vectors as the matrix has columns.
    """
    done: dict[int, Vector] = {}
    for group in shared_rows(matrix):
        for i, vector in zip(group, some_rows(code, matrix, group, column), strict=True):
            done[i] = vector
    return [done[i] for i in range(len(matrix))]


def shared_rows(matrix: Sequence[Row]) -> list[tuple[int, ...]]:
    """Return the rows in groups that share work: pairs and single ones, or all together."""
    pairs = _pairs(matrix)
    if not pairs and _pairs(list(zip(*matrix, strict=True))):
        return [tuple(range(len(matrix)))]
    paired = {i for pair in pairs for i in pair}
    return [*pairs, *((i,) for i in range(len(matrix)) if i not in paired)]


def some_rows(
    code: Arithmetic, matrix: Sequence[Row], group: Sequence[int], column: Sequence[Vector]
) -> list[Vector]:
    """Return what one of the `shared_rows` gives."""
    rows = [matrix[i] for i in group]
    if len(rows) == 2 and _pairs(rows):
        even = tuple((a + b) / 2 for a, b in zip(*rows, strict=True))
        odd = tuple((a - b) / 2 for a, b in zip(*rows, strict=True))
        a, b = _dot(code, even, column), _dot(code, odd, column)
        return [a + b, a - b]
    return _by_columns(code, rows, list(column))


def _by_columns(code: Arithmetic, rows: Sequence[Row], column: list[Vector]) -> list[Vector]:
    """Return rows times a column; of two columns alike but for signs, sum and difference serve."""
    columns = [list(entries) for entries in zip(*rows, strict=True)]
    for i, j in _pairs([tuple(entries) for entries in columns]) if len(rows) > 1 else ():
        even = [(a + b) / 2 for a, b in zip(columns[i], columns[j], strict=True)]
        odd = [(a - b) / 2 for a, b in zip(columns[i], columns[j], strict=True)]
        column[i], column[j] = column[i] + column[j], column[i] - column[j]
        columns[i], columns[j] = even, odd
    return [_dot(code, row, column) for row in zip(*columns, strict=True)]


def _pairs(matrix: Sequence[Row]) -> list[tuple[int, int]]:
    """Return rows whose entries agree but for the signs of some, and that share work."""
    pairs: list[tuple[int, int]] = []
    free = set(range(len(matrix)))
    for i in range(len(matrix)):
        for j in range(i + 1, len(matrix)):
            signs = {_sign(a, b) for a, b in zip(matrix[i], matrix[j], strict=True)} - {0}
            if i in free and j in free and signs == {1, -1}:
                pairs.append((i, j))
                free -= {i, j}
    return pairs


def _sign(a: Fraction, b: Fraction) -> int | None:
    """Return 1 for equal numbers, -1 for opposite ones, 0 for two zeros, None for others."""
    if a == b:
        return 1 if a else 0
    return -1 if a == -b else None


def _dot(code: Arithmetic, row: Row, column: Sequence[Vector]) -> Vector:
    """Return the sum of vectors times constants, those of factor one first."""
    terms = [(c, v) for c, v in zip(row, column, strict=True) if c]
    terms.sort(key=lambda term: (term[0] != 1, abs(term[0]) != 1))
    if not terms:
        return code.constant(0.0)
    (factor, vector), *rest = terms
    total = vector if factor == 1 else vector * code.constant(float(factor))
    for factor, vector in rest:
        if abs(factor) == 1:
            total = total + vector if factor == 1 else total - vector
        else:
            total = code.fma(vector, code.constant(float(factor)), total)
    return total
