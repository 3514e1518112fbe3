"""Short correlations with fewer products: the matrices of Cook and Toom, exactly.

The product of two polynomials is decided by its values at enough points: evaluate both, multiply
value by value, interpolate. Transposed (Winograd's form), the same matrices give m outputs of a
correlation with r taps from n = m + r - 1 products::

    y = Aᵀ [(G w) ⊙ (Bᵀ x)],   y[i] = Σ_k x[i + k] w[k]

With n - 1 points p and infinity as the last: ``A[i, j] = p_i^j``, ``G[i, j] = p_i^j / f_i`` where
``f_i = Π_{j≠i} (p_i - p_j)``, and row i of Bᵀ holds the coefficients of ``Π_{j≠i} (t - p_j)``. The
rows at infinity are the leading coefficients, and that of the whole product for Bᵀ. [#]_

Rounding grows with the entries' sizes, and these with the points': {0, ±3/4, ±3/2} for four outputs
of three taps has a quarter of the error that {0, ±1, ±2} has.

.. [#] S. Winograd, *Arithmetic Complexity of Computations*, SIAM 1980, chapter V; A. Lavin and
   S. Gray, *Fast Algorithms for Convolutional Neural Networks*, 2015, for their use in layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import prod
from typing import Final, NamedTuple

Matrix = tuple[tuple[Fraction, ...], ...]

POINTS: Final = (
    *(Fraction(0), Fraction(3, 4), Fraction(-3, 4), Fraction(3, 2), Fraction(-3, 2)),
    *(Fraction(3), Fraction(-3)),
)
"""In the order in which they are taken; four of them and infinity are six products."""
SMALL_POINTS: Final = (Fraction(0), Fraction(1), Fraction(-1))
"""For four products: all entries are 0, ±1 and ±1/2, so nothing but sums is rounded."""

FOUR_POINTS: Final = (Fraction(1, 2), Fraction(-1, 2), Fraction(5, 4), Fraction(-5, 4))
"""For five products: all in pairs; four of `POINTS` round nearly twice as much."""
SIX_POINTS: Final = tuple(Fraction(v, 8) for n in (2, 7, 14) for v in (n, -n))
"""For seven products: six of `POINTS`, one of them without a partner, round three times as much."""


class CookToom(NamedTuple):
    """The three matrices, and how many outputs and taps they are for.

    ``from_input`` (n, n) is Bᵀ, ``from_weights`` (n, taps) is G, ``to_output`` (outputs, n) is Aᵀ.
    """

    outputs: int
    taps: int
    from_input: Matrix
    from_weights: Matrix
    to_output: Matrix

    @property
    def size(self) -> int:
        """How many products there are."""
        return self.outputs + self.taps - 1


@lru_cache
def cook_toom(outputs: int, taps: int, points: tuple[Fraction, ...] | None = None) -> CookToom:
    """Return the matrices for so many outputs of so many taps.

    Parameters
    ----------
    outputs, taps
        Both at least 1.
    points
        ``outputs + taps - 2`` different numbers; the last point is infinity.

    Examples
    --------
    >>> small = cook_toom(2, 3)
    >>> [[str(v) for v in row] for row in small.to_output]
    [['1', '1', '1', '0'], ['0', '1', '-1', '1']]
    """
    count = outputs + taps - 2
    if points is None:
        known = {len(own): own for own in (FOUR_POINTS, SIX_POINTS)}
        longer = known.get(count, POINTS[:count])
        points = SMALL_POINTS[:count] if count <= len(SMALL_POINTS) else longer
    scale = [prod((p - q for q in points if q != p), start=Fraction(1)) for p in points]
    weights = [[p**j / f for j in range(taps)] for p, f in zip(points, scale, strict=True)]
    inputs = [[*_product([q for q in points if q != p]), Fraction(0)] for p in points]
    out = [[*(p**i for p in points), Fraction(int(i == outputs - 1))] for i in range(outputs)]
    weights.append([Fraction(int(j == taps - 1)) for j in range(taps)])
    inputs.append(_product(points))
    return CookToom(outputs, taps, *(_frozen(rows) for rows in (inputs, weights, out)))


def _product(roots: Sequence[Fraction]) -> list[Fraction]:
    """Return the coefficients of ``Π (t - root)``, the constant one first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *coefficients]
        scaled = [-root * c for c in coefficients] + [Fraction(0)]
        coefficients = [a + b for a, b in zip(shifted, scaled, strict=True)]
    return coefficients


def _frozen(rows: Sequence[Sequence[Fraction]]) -> Matrix:
    return tuple(tuple(row) for row in rows)
