"""Blocks of samples: their means, variances and neighbours, beside shuffled and moved ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.analysis.data.correlations import LEVEL, pooled
from faltung.analysis.data.pairs import apart
from faltung.analysis.data.places import SAMPLES, Drift, Interval, Moved, Places
from faltung.analysis.data.planes import Planes, some_positions, standardised
from faltung.analysis.data.tiles import MOST, Tiles, tiled, tiles_for, together

Array = NDArray[Any]
Floats = NDArray[np.float64]


def places(
    batches: Sequence[Array],
    axes: Sequence[str],
    *,
    most: int,
    moves: int,
    rng: np.random.Generator,
) -> Places | None:
    """Compare blocks of the samples with one another.

    Parameters
    ----------
    batches
        Arrays (samples, channels, *space), those of one batch of one size.
    axes
        Names of the axes of space.
    most
        How many values are looked at; of more, those on a grid chosen by chance.
    moves
        How often the samples are moved round.
    rng
        Chooses grids and moves.

    Returns
    -------
    Places or None
        None where the samples are too small for blocks.
    """
    sizes = [min(batch.shape[2 + a] for batch in batches) for a in range(len(axes))]
    parts = parts_of(sizes)
    if prod(parts) == 1:
        return None
    share = min(1.0, most / sum(batch.size for batch in batches))
    planes = sum(batch.shape[0] * batch.shape[1] for batch in batches)
    grids = [Grid(batch, share, rng) for batch in batches]
    tiles = tiles_for(sizes, parts, planes)
    fine = together([tiled(each.planes, each.at, each.space, tiles) for each in grids])
    blocks = fine.blocks(parts)
    drifts = tuple(drift(axis, a, grids) for a, axis in enumerate(axes) if sizes[a] > 1)
    return Places(
        *figures(blocks),
        neighbours(batches, parts, share),
        *shuffled(blocks),
        drifts,
        *moved(fine, parts, moves, rng),
    )


def parts_of(sizes: Sequence[int]) -> tuple[int, ...]:
    """Four blocks along each axis, two where there are three axes or more; of two values each.

    >>> parts_of((100,)), parts_of((28, 5)), parts_of((9, 9, 1))
    ((4,), (4, 2), (2, 2, 1))
    """
    most = 4 if len(sizes) < 3 else 2
    return tuple(max(1, min(most, size // 2)) for size in sizes)


class Grid:
    """Standardised planes of a batch, at all positions or on a grid of some."""

    def __init__(self, batch: Array, share: float, rng: np.random.Generator) -> None:
        self.space = batch.shape[2:]
        self.at: list[Array] = [np.arange(n) for n in self.space]
        if share < 1.0:
            each = batch.shape[0] * batch.shape[1]
            self.at = some_positions(self.space, int(batch.size * share / each), rng)
            every = (np.arange(n) for n in batch.shape[:2])
            batch = batch[np.ix_(*every, *self.at)]
        self.planes: Planes = standardised(batch)


def figures(blocks: Tiles) -> tuple[Floats, Floats]:
    """Means and variances of each block, averaged over the planes that vary; NaN without any."""
    n = np.maximum(blocks.count, 1)
    means = blocks.total / n
    variances = np.maximum(blocks.squares / n - means**2, 0.0)
    there = blocks.count > 0
    planes = there.sum(axis=(0, 1))
    sums = [np.where(there, each, 0.0).sum(axis=(0, 1)) for each in (means, variances)]
    means, variances = (np.where(planes > 0, s / np.maximum(planes, 1), np.nan) for s in sums)
    return means, variances


def shuffled(blocks: Tiles) -> tuple[Interval, Interval]:
    """Between what 95 % of the shufflings have the means, and the variances, of all blocks.

    A mean of n out of N values in random order has the variance ``σ²(N-n)/(n(N-1))``: sampling
    without replacement (W. Cochran, *Sampling Techniques*, 1977, theorem 2.2). The level is shared
    out among the blocks after Bonferroni.
    """
    there = blocks.count > 0
    channels = np.maximum(there.sum(axis=1), 1)
    n = np.maximum(blocks.count.sum(axis=1) / channels, 1)
    axes = tuple(range(1, n.ndim))
    total = np.broadcast_to(n.sum(axis=axes, keepdims=True), n.shape)
    share = (total - n) / (n * np.maximum(total - 1, 1))
    planes = np.maximum(there.sum(axis=(0, 1)), 1)
    g, w = (each.reshape(-1, *(1 for _ in axes)) for each in (blocks.g, blocks.w))
    z = NormalDist().inv_cdf(1 - (1 - LEVEL) / 2 / prod(planes.shape))
    spread = z * np.sqrt((g * share).sum(axis=0)) / planes
    middle = 1 - (share * there.sum(axis=1)).sum(axis=0) / planes
    # A variance is a mean of squares less a squared mean; of two values, the latter is all.
    width = z * np.sqrt((w * share + 2 * (g * share) ** 2).sum(axis=0)) / planes
    return (-spread, spread), (np.maximum(middle - width, 0.0), middle + width)


def moved(
    fine: Tiles, parts: Sequence[int], moves: int, rng: np.random.Generator
) -> tuple[Moved | None, Moved | None]:
    """How much blocks differ, beside the same samples moved round, each by its own distance."""
    fit = max(SAMPLES, MOST // max(1, prod(fine.count.shape[1:])))
    fine = fine.of(slice(0, fit))
    if len(fine.count) < SAMPLES or not moves:
        return None, None
    found = [_spreads(fine, parts)]
    found += [_spreads(fine.moved(rng), parts) for _ in range(moves)]
    first, *others = np.array(found)
    high = np.quantile(np.array(others), LEVEL, axis=0)
    both = [Moved(float(s), float(h), moves) for s, h in zip(first, high, strict=True)]
    return both[0], both[1]


def _spreads(fine: Tiles, parts: Sequence[int]) -> tuple[float, float]:
    means, variances = figures(fine.blocks(parts))
    return float(np.nanstd(means)), float(np.nanstd(variances))


def drift(axis: str, number: int, grids: Sequence[Grid]) -> Drift:
    """Fit a straight line along an axis to each plane; the average rise, and that of shufflings."""
    rises, variance, planes = 0.0, 0.0, 0
    for grid in grids:
        values, present = grid.planes.lines(number)
        if not len(values):
            continue
        there = (np.ones(values.shape) if present is None else present).sum(axis=1)
        t = grid.at[number] - (there @ grid.at[number] / there.sum(axis=1))[:, None]
        squares = (there * t**2).sum(axis=1)
        span, n = grid.space[number] - 1, float(there.sum(axis=1).mean())
        slopes = (t * values.sum(axis=1)).sum(axis=1) / np.where(squares > 0, squares, 1.0)
        rises += span * float(slopes.sum())
        of_sums = float(grid.planes.sums_vary.sum()) * n / max(n - 1, 1)
        variance += span**2 * of_sums / max(float(squares.mean()), 1e-300)
        planes += len(values)
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    return Drift(axis, rises / max(planes, 1), z * sqrt(variance) / max(planes, 1))


def neighbours(batches: Sequence[Array], parts: Sequence[int], share: float) -> Floats:
    """Correlation of neighbours within each block, averaged over the axes; NaN without any."""
    out = np.full(parts, np.nan)
    for block in product(*map(range, parts)):
        cuts = [standardised(_cut(batch, block, parts, share)) for batch in batches]
        found = [value for value in _neighbours(cuts) if np.isfinite(value)]
        if found:
            out[block] = sum(found) / len(found)
    return out


def _neighbours(cuts: Sequence[Planes]) -> Iterator[float]:
    axes = len(cuts[0].space)
    for axis in range(axes):
        step = tuple(int(a == axis) for a in range(axes))
        if min(cut.space[axis] for cut in cuts) > 1:
            yield float(pooled(apart(cut, step) for cut in cuts).values[0])


def _cut(batch: Array, block: Sequence[int], parts: Sequence[int], share: float) -> Array:
    """A block, or the middle of it where only a share of the values is looked at."""
    slices = []
    for b, p, size in zip(block, parts, batch.shape[2:], strict=True):
        lo, hi = b * size // p, (b + 1) * size // p
        keep = min(hi - lo, max(2, round((hi - lo) * share ** (1 / len(parts)))))
        slices.append(slice(lo + (hi - lo - keep) // 2, lo + (hi - lo - keep) // 2 + keep))
    return batch[(slice(None), slice(None), *slices)]
