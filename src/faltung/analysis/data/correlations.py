"""Correlations along every axis and of opposite parts, and where shuffling would put them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import nan, prod, sqrt
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.analysis.data.curves import Curve, Far
from faltung.analysis.data.pairs import Pooled, along, apart
from faltung.analysis.data.planes import STRETCH, Planes, some_lines, some_positions, standardised

Array = NDArray[Any]
Floats = NDArray[np.float64]
Interval = tuple[Floats, Floats]

LEVEL: Final = 0.95
"""Share of the shufflings that lie within an interval."""

_Z: Final = NormalDist().inv_cdf((1 + LEVEL) / 2)

SHUFFLED: Final = 1 << 16
"""Up to so many values are really shuffled; of more, the interval is derived."""


@dataclass(frozen=True, eq=False)
class Correlations:
    """What `correlations` found.

    Parameters
    ----------
    curves
        One for each axis that has two positions.
    far
        Opposite parts.
    shuffles
        How often the values were shuffled for the intervals; 0 where these were derived.
    """

    curves: tuple[Curve, ...]
    far: Far
    shuffles: int


def correlations(
    batches: Sequence[Array],
    axes: Sequence[str],
    unit: str,
    *,
    most: int,
    shuffles: int,
    rng: np.random.Generator,
) -> Correlations:
    """Correlate values by their distance along each axis.

    Parameters
    ----------
    batches
        Arrays (samples, channels, *space), those of one batch of one size.
    axes
        Names of the axes of space.
    unit
        What distances are counted in.
    most
        How many values are looked at along an axis; of more, whole lines are chosen.
    shuffles
        How often values are shuffled, where they are at most `SHUFFLED`.
    rng
        Chooses lines, and shuffles.
    """
    sizes = [min(batch.shape[2 + a] for batch in batches) for a in range(len(axes))]
    total = sum(batch.size for batch in batches)
    longest = max(sizes) if total <= most else STRETCH
    lags = {a: min(size, longest) // 2 for a, size in enumerate(sizes) if size > 1}
    if total <= most:
        planes = [standardised(batch) for batch in batches]
        pools = measured(planes, lags)
    else:
        planes = []
        pools = measured_in_part(batches, lags, most / total, rng)
    if not planes or total > SHUFFLED:
        shuffles = 0
    intervals = by_shuffling(planes, lags, shuffles, rng) if shuffles else list(map(derived, pools))
    named = zip(lags, pools, intervals, strict=False)
    curves = tuple(_curve(axes[a], unit, sizes[a], pool, limits) for a, pool, limits in named)
    patches = prod(map(patch, pools[:-1], [sizes[a] for a in lags]))
    return Correlations(curves, _far(pools[-1], intervals[-1], patches), shuffles)


def _curve(axis: str, unit: str, size: int, pool: Pooled, interval: Interval) -> Curve:
    low, high = interval
    low[0] = high[0] = pool.values[0]  # a value is itself, shuffled or not
    return Curve(axis, unit, size, pool.values, low, high, np.rint(pool.pairs).astype(np.int64))


def _far(pool: Pooled, interval: Interval, patches: float) -> Far:
    value, low, high = (float(each[0]) for each in (pool.values, *interval))
    return Far(value, low, high, chance(pool, patches), round(float(pool.pairs[0])))


def patch(pool: Pooled, size: int) -> float:
    """Over how many positions along an axis values vary as one: ``1 + 2 Σ (1-h/n) ρ(h)²``.

    By so much the variance of a correlation between unrelated pieces grows (M. Bartlett, *On the
    theoretical specification and sampling properties of autocorrelated time-series*, 1946); along
    several axes by the product, where the correlation is one too.
    """
    by_chance = pool.spread[1:] / np.maximum(pool.scale[1:], 1) ** 2
    squares = np.nan_to_num(pool.values[1:]) ** 2 - by_chance
    shares = 1 - np.arange(1, len(squares) + 1) / size
    return max(1.0, float(1 + 2 * (shares * squares).sum()))


def chance(pool: Pooled, patches: float) -> float:
    """How far from 0 unrelated pieces come, 95 % of the time; never further than 1."""
    spread, scale = float(pool.spread[0]), float(pool.scale[0])
    return min(_Z * sqrt(spread * patches) / scale, 1.0) if scale > 0 else nan


def measured(planes: Sequence[Planes], lags: dict[int, int]) -> list[Pooled]:
    """Pool the pairs along each axis, and those of opposite parts."""
    curves = [pooled(along(each, axis, lag) for each in planes) for axis, lag in lags.items()]
    return [*curves, pooled(apart(each, half(each.space)) for each in planes)]


def measured_in_part(
    batches: Sequence[Array], lags: dict[int, int], share: float, rng: np.random.Generator
) -> list[Pooled]:
    """The same of a share of the lines along each axis, and of the pairs of opposite parts."""
    curves = []
    for axis, lag in lags.items():
        lines = (some_lines(each, axis, int(each.size * share), rng) for each in batches)
        curves.append(pooled(along(standardised(each), 1, lag) for each in lines))
    return [*curves, pooled(_far_in_part(each, share, rng) for each in batches)]


def _far_in_part(batch: Array, share: float, rng: np.random.Generator) -> Pooled:
    """Pairs of opposite parts on a grid of positions; first all left ends, then all right ones."""
    space = batch.shape[2:]
    offset = half(space)
    room = [n - o for n, o in zip(space, offset, strict=True)]
    most = int(batch.size * share / (2 * batch.shape[0] * batch.shape[1]))
    left = some_positions(room, most, rng)
    right = [at + o for at, o in zip(left, offset, strict=True)]
    every = [np.arange(n) for n in batch.shape[:2]]
    ends = [batch[np.ix_(*every, *at)] for at in (left, right)]
    planes = standardised(np.concatenate(ends, axis=2))
    return apart(planes, (len(left[0]), *(0 for _ in space[1:])))


def half(space: Sequence[int]) -> tuple[int, ...]:
    """The distance of opposite parts: half of each axis, rounded up.

    >>> half((100, 7, 1))
    (50, 4, 0)
    """
    return tuple(-(-n // 2) if n > 1 else 0 for n in space)


def by_shuffling(
    planes: Sequence[Planes], lags: dict[int, int], shuffles: int, rng: np.random.Generator
) -> list[Interval]:
    """Shuffle the values again and again: between which quantiles the correlations lie."""
    drawn = []
    for _ in range(shuffles):
        pools = measured([each.shuffled(rng) for each in planes], lags)
        drawn.append([pool.values for pool in pools])
    return [quantiles(np.stack(each)) for each in zip(*drawn, strict=True)]


def quantiles(drawn: Floats) -> Interval:
    """Between which values 95 % of those lie that are defined; NaN where none is."""
    low, high = np.full((2, drawn.shape[1]), np.nan)
    known = np.isfinite(drawn).any(axis=0)
    tails = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    if known.any():
        low[known], high[known] = np.nanquantile(drawn[:, known], tails, axis=0)
    return low, high


def derived(pool: Pooled) -> Interval:
    """Where shuffling would put a correlation, from its mean and variance (`Sums.pooled`).

    Sums over so many pairs are all but normal.
    """
    known = pool.scale > 0
    scale = np.where(known, pool.scale, 1.0)
    mean, deviation = pool.expected / scale, np.sqrt(pool.spread) / scale
    low, high = (np.clip(mean + sign * _Z * deviation, -1.0, 1.0) for sign in (-1, 1))
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def pooled(pools: Iterable[Pooled]) -> Pooled:
    """Add up pools of the same distances."""
    first, *others = pools
    return sum(others, first)
