"""Correlation against distance along each axis, beside that of the same values shuffled."""

from __future__ import annotations

from dataclasses import dataclass
from math import e, inf, isnan, nan
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NEAR: Final = 3
"""Values at most so far apart are near: the reach of a 7×7 kernel."""

POINTS: Final = 256
"""Distances that a report lists as data, at most."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Pearson's correlation of all pairs of values, by their distance along one axis.

    Parameters
    ----------
    axis
        What the axis is called.
    unit
        What distances are counted in.
    size
        Positions along the axis, of the smallest sample.
    values : array, (distances + 1,)
        The correlation at distance 0, 1, 2 and so on, up to half of the axis; NaN where it is not
        defined.
    low, high : arrays of the same shape
        Where it would lie, were the values shuffled: 95 % of the shufflings.
    pairs : array of the same shape
        How many pairs of values it is of.
    by_order
        What the correlations of near values stay below, up and down, in 95 % of random orders of
        whole slices across the axis; NaN where a slice is one value.
    """

    axis: str
    unit: str
    size: int
    values: Floats
    low: Floats
    high: Floats
    pairs: NDArray[np.int64]
    by_order: float = nan

    @property
    def distances(self) -> NDArray[np.int64]:
        """0, 1, 2 and so on."""
        return np.arange(len(self.values))

    @property
    def neighbours(self) -> float:
        """The correlation of values next to one another."""
        return float(self.values[1])

    @property
    def length(self) -> float:
        """The correlation length: the distance at which the correlation has fallen to 1/e.

        Read between the two distances on either side, along a straight line. Infinite where it
        has not fallen so far by half of the axis; NaN where that is not defined.
        """
        below = np.flatnonzero(~(self.values > 1 / e))
        if not len(below):
            return inf
        at = int(below[0])
        before, here = float(self.values[at - 1]), float(self.values[at])
        return here if isnan(here) else at - 1 + (before - 1 / e) / (before - here)

    @property
    def reach(self) -> int | None:
        """The smallest distance at which the values are no more alike than shuffled ones."""
        inside = np.flatnonzero(np.isfinite(self.values[1:]) & ~self.beyond()[1:])
        return int(inside[0]) + 1 if len(inside) else None

    def beyond(self) -> NDArray[np.bool_]:
        """Whether each correlation lies outside the interval of shuffled values."""
        return (self.values < self.low) | (self.values > self.high)

    @property
    def steps(self) -> NDArray[np.int64]:
        """All distances, or some that grow by a factor where there are more than `POINTS`."""
        far = len(self.values) - 1
        if far < POINTS:
            return self.distances
        grown = np.rint(np.geomspace(1, far, POINTS - 1)).astype(np.int64)
        return np.append(0, np.unique(grown))

    @property
    def shown(self) -> NDArray[np.int64]:
        """The distances that a picture shows: all, or of long curves those up to some lengths.

        Every one of them, because between distances left out a correlation may go up and down.
        """
        far = len(self.values) - 1
        length = self.length if np.isfinite(self.length) else 0
        return self.distances[: min(far, max(2 * POINTS, round(8 * length))) + 1]

    def to_dict(self) -> dict[str, Any]:
        """Return the curve as lists, at its steps."""
        steps = self.steps
        return {
            "axis": self.axis,
            "unit": self.unit,
            "size": self.size,
            "neighbours": finite(self.neighbours),
            "length": finite(self.length),
            "reach": self.reach,
            "by_order": finite(self.by_order),
            "distances": steps.tolist(),
            "values": [finite(v) for v in self.values[steps].tolist()],
            "low": [finite(v) for v in self.low[steps].tolist()],
            "high": [finite(v) for v in self.high[steps].tolist()],
            "pairs": self.pairs[steps].tolist(),
        }


@dataclass(frozen=True, eq=False)
class Far:
    """The correlation of opposite parts, position by position: half of every axis apart.

    In an image these are the quarter at the top left and the one at the bottom right; in a signal
    its two halves.

    Parameters
    ----------
    value
        Pearson's correlation; NaN where it is not defined.
    low, high
        Where it would lie, were the values shuffled.
    smooth
        How far from 0 it would lie by chance, 95 % of the time, between unrelated pieces that are
        as smooth as these: they vary together over whole patches.
    pairs
        How many pairs of values it is of.
    """

    value: float
    low: float
    high: float
    smooth: float
    pairs: int

    @property
    def is_within(self) -> bool:
        """Whether it lies inside the interval of shuffled values."""
        return self.low <= self.value <= self.high

    def to_dict(self) -> dict[str, Any]:
        """Return the figures."""
        names = ("value", "low", "high", "smooth")
        return {**{name: finite(getattr(self, name)) for name in names}, "pairs": self.pairs}


def finite(value: float) -> float | None:
    """Return a number for JSON, which has no NaN and no infinity."""
    return value if np.isfinite(value) else None
