"""Whether the order of a table's columns means anything: near columns beside the same shuffled."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.analysis.data.correlations import quantiles
from faltung.analysis.data.curves import Curve
from faltung.analysis.data.planes import standardised

Floats = NDArray[np.float64]

LEAST: Final = 4
"""Columns without which there are too few orders to compare with."""

MOST: Final = 1024
"""Columns that are compared, the first ones."""


def columns_curve(values: NDArray[Any], shuffles: int, rng: np.random.Generator) -> Curve | None:
    """Average the magnitude of the correlation of two columns over columns so far apart.

    The magnitude, because the sign of a column is as arbitrary as its place. The interval is that
    of the columns in random orders.

    Parameters
    ----------
    values : array, (columns, rows)
        NaN where a value is missing; each two columns are compared on the rows that both have.
    shuffles
        How many orders are tried.
    rng
        Chooses them.

    Returns
    -------
    Curve or None
        None for fewer than `LEAST` columns.
    """
    if len(values) < LEAST:
        return None
    related = related_columns(values[:MOST])
    n = len(related)
    apart = np.abs(np.arange(n)[:, None] - np.arange(n))
    drawn = []
    for _ in range(max(shuffles, 1)):
        order = rng.permutation(n)
        drawn.append(_by_distance(related[np.ix_(order, order)], apart))
    low, high = quantiles(np.array(drawn))
    found = _by_distance(related, apart)
    pairs = n - np.arange(len(found))
    return Curve("across columns", "columns", n, found, low, high, pairs)


def related_columns(values: NDArray[Any]) -> Floats:
    """Magnitudes of Pearson's correlation of each two columns; 0 where one does not vary."""
    planes = standardised(values[:, None])
    z = planes.z[:, 0]
    there = np.ones(z.shape) if planes.present is None else planes.present[:, 0].astype(np.float64)
    n = np.maximum(there @ there.T, 1)
    sums, squares = z @ there.T, z**2 @ there.T
    covariance = z @ z.T - sums * sums.T / n
    variance = np.maximum(squares - sums**2 / n, 0)
    norm = np.sqrt(variance * variance.T)
    known = norm > 1e-11 * n
    rho: Floats = np.divide(covariance, norm, out=np.zeros_like(norm), where=known)
    return np.minimum(np.abs(rho), 1.0)


def _by_distance(related: Floats, apart: NDArray[np.int64]) -> Floats:
    """The mean over the pairs 0, 1, 2 ... up to half of the columns apart."""
    weights = related.ravel()
    means: Floats = np.bincount(apart.ravel(), weights) / np.bincount(apart.ravel())
    return means[: len(related) // 2 + 1]
