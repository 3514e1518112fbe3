"""Whether the statistics are the same everywhere: blocks, and drifts from end to end.

Two nulls. *Shuffled*: what chance alone would make of blocks. Blocks of anything whose near values
are alike differ by more than that, wherever they are cut; so many samples are also compared with
themselves *moved round*, each by a distance of its own: whatever holds between neighbours stays,
and what depends on the place goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.analysis.data.curves import finite

Floats = NDArray[np.float64]
Interval = tuple[Floats, Floats]

SAMPLES: Final = 8
"""So many samples at least can tell what depends on the place from what is there by chance."""


@dataclass(frozen=True)
class Moved:
    """How much blocks differ, beside the samples moved round by chance.

    Parameters
    ----------
    spread
        The standard deviation of the blocks' figures.
    high
        What 95 % of the samples moved round stay below.
    moves
        How often all were moved.
    """

    spread: float
    high: float
    moves: int

    @property
    def is_more(self) -> bool:
        """Whether blocks differ by more than in samples moved round."""
        return self.spread > self.high

    def to_dict(self) -> dict[str, Any]:
        """Return the figures."""
        return {"spread": self.spread, "moved_high": self.high, "moves": self.moves}


@dataclass(frozen=True)
class Drift:
    """By how much a straight line through all values rises from one end of an axis to the other.

    Parameters
    ----------
    axis
        What the axis is called.
    rise
        In standard deviations of the values.
    high
        95 % of the shufflings rise or fall by no more than this.
    """

    axis: str
    rise: float
    high: float

    @property
    def is_within(self) -> bool:
        """Whether shuffled values would rise as much."""
        return abs(self.rise) <= self.high

    def to_dict(self) -> dict[str, Any]:
        """Return the figures."""
        return {"axis": self.axis, "rise": self.rise, "shuffled_high": self.high}


@dataclass(frozen=True, eq=False)
class Places:
    """Blocks of equal parts of each axis, averaged over samples and channels.

    Parameters
    ----------
    means : array, one entry for each block
        Means of the values, those of a whole sample having mean 0 and standard deviation 1.
    variances : array of the same shape
        Variances within the block; the whole has 1.
    neighbours : array of the same shape
        Correlations of neighbours within the block; NaN where nothing varies.
    shuffled_means, shuffled_variances : pairs of such arrays
        Between what 95 % of the shufflings have all blocks.
    drifts
        One for each axis.
    moved_means, moved_variances
        Beside the samples moved round; None where there are fewer than `SAMPLES`.
    """

    means: Floats
    variances: Floats
    neighbours: Floats
    shuffled_means: Interval
    shuffled_variances: Interval
    drifts: tuple[Drift, ...]
    moved_means: Moved | None
    moved_variances: Moved | None

    def outside(self, what: str) -> int:
        """Return how many blocks' ``"means"`` or ``"variances"`` are not those of shuffling."""
        low, high = self.shuffled_means if what == "means" else self.shuffled_variances
        values = self.means if what == "means" else self.variances
        return int(((values < low) | (values > high)).sum())

    def to_dict(self) -> dict[str, Any]:
        """Return the figures of each block, nested lists with an axis for each axis."""
        moved = {"means": self.moved_means, "variances": self.moved_variances}
        return {
            "blocks": list(self.means.shape),
            "means": _listed(self.means),
            "variances": _listed(self.variances),
            "neighbours": _listed(self.neighbours),
            "shuffled_means": [_listed(bound) for bound in self.shuffled_means],
            "shuffled_variances": [_listed(bound) for bound in self.shuffled_variances],
            "means_outside": self.outside("means"),
            "variances_outside": self.outside("variances"),
            "drifts": [drift.to_dict() for drift in self.drifts],
            "moved": {name: each and each.to_dict() for name, each in moved.items()},
        }


def _listed(values: Floats) -> Any:
    """Nested lists, None for what is not defined."""
    if values.ndim:
        return [_listed(part) for part in values]
    return finite(float(values))
