"""A constant matrix times a column of vectors, in few instructions.

Points come in pairs ±p, so rows of Cook and Toom's matrices come in pairs that differ in the sign
of every other entry: the even part and the odd part are computed once, then added and subtracted.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from faltung.kernels.simd import Code, Vector

Row = tuple[Fraction, ...]


def times(code: Code, matrix: Sequence[Row], column: Sequence[Vector]) -> list[Vector]:
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
    for i, j in _pairs(matrix):
        even = tuple((a + b) / 2 for a, b in zip(matrix[i], matrix[j], strict=True))
        odd = tuple((a - b) / 2 for a, b in zip(matrix[i], matrix[j], strict=True))
        a, b = _dot(code, even, column), _dot(code, odd, column)
        done[i], done[j] = a + b, a - b
    return [done[i] if i in done else _dot(code, row, column) for i, row in enumerate(matrix)]


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


def _dot(code: Code, row: Row, column: Sequence[Vector]) -> Vector:
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
