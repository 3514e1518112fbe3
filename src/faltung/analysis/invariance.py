"""Whether predictions survive a shift: a figure of its own, on images that are given.

A prediction that stays the same says nothing about maps, and does not make a network invariant
(*equivariance* of maps is what `faltung.equivariance` measures): it is what users of a classifier
notice. Images are really moved: what leaves the frame is lost, and a constant comes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.errors import GraphError, message
from faltung.graph import Graph
from faltung.graph.evaluate import evaluate
from faltung.ops.operator import Array
from faltung.report import AbstractReport, Table

Z: Final = 1.959963984540054
"""The normal quantile of 97.5 %."""
WAYS: Final = {1: ("left", "right"), 2: ("up", "down", "left", "right")}
"""Names of the directions, axis by axis, backward before forward."""
_BATCH: Final = 100


@dataclass(frozen=True)
class Invariance(AbstractReport):
    """How many predictions stayed the same, by shift and direction.

    Parameters
    ----------
    images
        How many there were.
    shifts
        In positions.
    directions
        Their names.
    unchanged
        Counts of images: for each shift, one for each direction.
    fill
        What came in at the border.
    """

    images: int
    shifts: tuple[int, ...]
    directions: tuple[str, ...]
    unchanged: tuple[tuple[int, ...], ...]
    fill: float

    @property
    def shares(self) -> tuple[float, ...]:
        """For each shift, the share of predictions that stayed, over all directions."""
        n = self.images * len(self.directions)
        return tuple(sum(counts) / n for counts in self.unchanged)

    @property
    def intervals(self) -> tuple[tuple[float, float], ...]:
        """For each shift, the 95 % interval of that share.

        Wilson's, with as many trials as there are images: the directions of one image are not
        independent, and so do not count.
        """
        return tuple(wilson(share, self.images) for share in self.shares)

    def blocks(self) -> list[Table | str]:
        """Return the table and what it means."""
        rows = []
        for shift, share, (lo, hi), counts in zip(
            self.shifts, self.shares, self.intervals, self.unchanged, strict=True
        ):
            ways = (f"{100 * count / self.images:.1f} %" for count in counts)
            between = f"{100 * lo:.1f} to {100 * hi:.1f} %"
            rows.append((str(shift), f"{100 * share:.1f} %", between, *ways))
        header = ("shift", "unchanged", "95 % interval", *self.directions)
        return [
            Table(header, rows, left=()),
            f"{self.images:,} images, each moved in {len(self.directions)} directions, "
            f"{self.fill:g} coming in at the border. Unchanged: the greatest score is that of the "
            "same class as without a shift, right or wrong. The interval counts images, not "
            "directions. A prediction that stays is no invariant network.",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, fit for JSON."""
        return {
            "images": self.images,
            "fill": self.fill,
            "directions": list(self.directions),
            "shifts": [
                {"shift": shift, "share": share, "interval": list(interval), "unchanged": list(n)}
                for shift, share, interval, n in zip(
                    self.shifts, self.shares, self.intervals, self.unchanged, strict=True
                )
            ],
        }


def wilson(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share. Source: Wilson, *JASA* 22 (1927), p. 209.

    Parameters
    ----------
    share
        Of trials.
    n
        How many trials there were, 1 or more.

    Examples
    --------
    >>> [round(end, 3) for end in wilson(1.0, 100)]
    [0.963, 1.0]
    """
    middle = share + Z * Z / (2 * n)
    half = Z * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    scale = 1 + Z * Z / n
    return max((middle - half) / scale, 0.0), min((middle + half) / scale, 1.0)


def invariance(
    graph: Graph, images: ArrayLike, *, shifts: Iterable[int] = range(9), fill: float = 0.0
) -> Invariance:
    """Measure how many predictions of a classifier stay the same when its images move.

    Parameters
    ----------
    graph
        A network of one input, whose first output is ``(N, classes)``.
    images : array_like (N, C, *space)
        As the network takes them.
    shifts
        In positions, 0 or more, each along every axis of space, forward and backward.
    fill
        What comes in at the border.

    Returns
    -------
    Invariance

    Raises
    ------
    GraphError
        invariance V1: no images, or without axes of space; V2: no shifts, or negative ones;
        V3: outputs that are no scores of classes.

    Examples
    --------
    >>> from faltung.graph.layers import Chain, Conv, Flatten, GlobalMaxPool, build
    >>> net = build(Chain(Conv(4, 3), GlobalMaxPool(), Flatten()), (1, 9, 9))
    >>> images = np.zeros((5, 1, 9, 9))
    >>> images[:, 0, 4, 4] = 1
    >>> invariance(net, images, shifts=[0, 1, 2]).shares
    (1.0, 1.0, 1.0)
    """
    given, steps = np.asarray(images), tuple(shifts)
    _check(given, steps)
    ways = _directions(given.ndim - 2)
    at_rest = _predictions(graph, given)
    counts = tuple(
        tuple(
            int((_predictions(graph, moved(given, axis, sign * step, fill)) == at_rest).sum())
            for _, axis, sign in ways
        )
        for step in steps
    )
    return Invariance(len(given), steps, tuple(name for name, _, _ in ways), counts, fill)


def _check(images: Array, shifts: Sequence[int]) -> None:
    if images.ndim < 3 or not len(images):
        rule, values = "images must be (N, C, *space), one or more", {"shape": images.shape}
        raise GraphError(message("invariance", rule, values, "", "invariance V1"))
    if not shifts or min(shifts) < 0:
        rule = "there must be shifts, none of them negative"
        raise GraphError(
            message("invariance", rule, {"shifts": tuple(shifts)}, "", "invariance V2")
        )


def _directions(axes: int) -> list[tuple[str, int, int]]:
    """Return names, axes of the images and signs."""
    places = [(axis, sign) for axis in range(axes) for sign in (-1, 1)]
    names = WAYS.get(axes, tuple(f"axis {axis} {'+' if s > 0 else '-'}" for axis, s in places))
    return [(name, axis + 2, sign) for name, (axis, sign) in zip(names, places, strict=True)]


def moved(images: Array, axis: int, by: int, fill: float = 0.0) -> Array:
    """Return images moved along an axis; what leaves is lost, and a constant comes in.

    Parameters
    ----------
    images : array
        Of any shape.
    axis
        Along which they move.
    by
        Positions, negative ones backward.
    fill
        The constant.

    Examples
    --------
    >>> moved(np.array([1, 2, 3]), 0, 1).tolist(), moved(np.array([1, 2, 3]), 0, -2, 9).tolist()
    ([0, 1, 2], [3, 9, 9])
    """
    made = np.full_like(images, fill)
    size = images.shape[axis]
    kept = max(size - abs(by), 0)
    before = (slice(None),) * axis
    to, source = (by, 0) if by >= 0 else (0, -by)
    made[(*before, slice(to, to + kept))] = images[(*before, slice(source, source + kept))]
    return made


def _predictions(graph: Graph, images: Array) -> NDArray[np.int64]:
    """Return the class with the greatest score, the first of equal ones."""
    if len(graph.inputs) != 1:
        names = [value.name for value in graph.inputs]
        rule = "the network must have one input"
        raise GraphError(message("invariance", rule, {"inputs": names}))
    (value,) = graph.inputs
    sized = graph.with_input_shape(("N", *images.shape[1:]))
    found = []
    for start in range(0, len(images), _BATCH):
        batch = images[start : start + _BATCH]
        scores = evaluate(sized, {value.name: batch}).values[graph.outputs[0]]
        if scores.ndim < 2 or scores.size != scores.shape[0] * scores.shape[1]:
            rule, values = "the first output must be (N, classes)", {"shape": scores.shape}
            raise GraphError(message("invariance", rule, values, "", "invariance V3"))
        found.append(scores.reshape(len(batch), -1).argmax(axis=1))
    return np.concatenate(found)
