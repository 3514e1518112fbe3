"""Whether the order along an axis means anything: near slices beside slices in any order.

Shuffling every value takes all structure away. Rows that have nothing to do with one another, but
are smooth along themselves, are fewer independent pairs than that, and alike by chance more often;
so whole slices are put into random orders too.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan, prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.analysis.data.correlations import LEVEL
from faltung.analysis.data.curves import NEAR
from faltung.analysis.data.planes import some_lines, standardised

Array = NDArray[Any]
Floats = NDArray[np.float64]

SLICES: Final = 512
"""Slices of a sample that are put into random orders, at most."""

PRODUCTS: Final = 1 << 20
"""Products of two slices that are kept, at most; of more samples, some are looked at."""


def by_order(
    batches: Sequence[Array], axis: int, orders: int, most: int, rng: np.random.Generator
) -> float:
    """Return what near slices' correlations all stay below in 95 % of random orders.

    Parameters
    ----------
    batches
        Arrays (samples, channels, *space).
    axis
        Which axis of space; its slices are put into random orders, those of each sample into
        orders of their own.
    orders
        How many.
    most
        How many values are looked at.
    rng
        Chooses the orders.

    Returns
    -------
    float
        A magnitude; NaN where a slice is one value, so that shuffling says it already.
    """
    if max(prod(batch.shape[2:]) // batch.shape[2 + axis] for batch in batches) < 2:
        return nan
    share = most / sum(batch.size for batch in batches)
    kept = max(1, PRODUCTS // len(batches))
    several = [Slices(batch, axis, share, kept, rng) for batch in batches]
    drawn = []
    for _ in range(orders):
        sums = np.sum([each.in_any_order(rng) for each in several], axis=0)
        norm = np.sqrt(sums[1] * sums[2])
        known = norm > 0
        drawn.append(np.abs(sums[0, known] / norm[known]).max(initial=0.0))
    return float(np.quantile(drawn, LEVEL))


class Slices:
    """Products of each two slices along an axis, and what else their correlation takes."""

    def __init__(
        self, batch: Array, axis: int, share: float, kept: int, rng: np.random.Generator
    ) -> None:
        n = min(batch.shape[2 + axis], SLICES)
        batch = batch[:: -(-len(batch) * n * n // kept)]
        lines = some_lines(batch, axis, max(1, int(batch.size * share)), rng)
        at = np.sort(rng.choice(lines.shape[3], n, replace=False))
        z = standardised(lines[..., at]).z
        self.values = z.shape[2]
        self.sums = z.sum(axis=2)
        self.squares = (z**2).sum(axis=2)
        flat = z.reshape(len(z), -1, n)
        self.products: Floats = flat.transpose(0, 2, 1) @ flat

    def in_any_order(self, rng: np.random.Generator) -> Floats:
        """Covariance, and variances of left and right ends, of slices 1, 2 ... `NEAR` apart."""
        samples, n = self.products.shape[:2]
        order = rng.permuted(np.tile(np.arange(n), (samples, 1)), axis=1)
        each = np.arange(samples)[:, None]
        sums, squares = self.sums[each, :, order], self.squares[each, :, order]
        found = np.zeros((3, NEAR))
        for h in range(1, min(NEAR, n // 2) + 1):
            products = self.products[each, order[:, :-h], order[:, h:]].sum()
            x, y = sums[:, :-h].sum(axis=1), sums[:, h:].sum(axis=1)
            pairs = self.values * (n - h)
            found[:, h - 1] = (
                products - (x * y).sum() / pairs,
                squares[:, :-h].sum() - (x**2).sum() / pairs,
                squares[:, h:].sum() - (y**2).sum() / pairs,
            )
        return found
