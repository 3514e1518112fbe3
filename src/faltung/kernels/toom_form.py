"""The short correlation of Toom and Cook for filters, as numbers; see `faltung.kernels.toom`."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.kernels.cook_toom import CookToom, cook_toom
from faltung.kernels.filter_cost import FOUR as FOUR
from faltung.kernels.filter_cost import SIZE as SIZE

Array = NDArray[Any]

POINTS: Final = tuple(s * Fraction(p) for p in ("1/4", "3/4", "2") for s in (1, -1))
"""In pairs, which saves work; of all small fractions they have nearly the least error."""
FORM: Final[CookToom] = cook_toom(FOUR, FOUR, POINTS)


def _growth() -> float:
    a, g, b = (
        np.abs(np.array(matrix, np.float64))
        for matrix in (FORM.to_output, FORM.from_weights, FORM.from_input)
    )
    return float((a * (g.max(1) * b.sum(1))).sum(1).max())


GROWTH: Final = _growth()
"""By how much more than direct sums one level may round, with max|x| · Σ|w| for each sum."""


def at_points(w: Array, axis: int) -> Array:
    """Return a kernel's values at the points, taken along one axis: that axis in front, in float64.

    >>> at_points(np.ones(9), 0).shape
    (7, 3)
    """
    moved = np.moveaxis(w.astype(np.float64), axis, 0)
    filled = np.zeros((-(-len(moved) // FOUR) * FOUR, *moved.shape[1:]))
    filled[: len(moved)] = moved
    fours = filled.reshape(-1, FOUR, *moved.shape[1:])
    g = np.array(FORM.from_weights, np.float64)
    values = sum(g[:, s].reshape(SIZE, *[1] * moved.ndim) * fours[:, s] for s in range(FOUR))
    return np.moveaxis(np.asarray(values), 1, axis + 1)
