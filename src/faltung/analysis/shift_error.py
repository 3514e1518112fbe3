"""How far a shifted input's maps are from shifted maps, away from every border.

Nothing is rescaled before it is compared, and where nothing can be compared there is no figure.

Which differences are rounding follows from computing in two precisions: from float32 to float64 an
error of rounding shrinks by ``2**29``, any other does not shrink at all. So what float32 changes in
a map is measured, and the bound lies in the middle between the two, at ``2**-14.5`` of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil, floor, prod
from typing import Final

import numpy as np

from faltung.analysis.tracks import Track, tracks
from faltung.geometry import Interval
from faltung.graph import Graph
from faltung.graph.evaluate import evaluate
from faltung.graph.shapes import Shapes
from faltung.ops.operator import Array

BETWEEN: Final = 2.0**-14.5
"""The middle between what rounds in float32 (1) and in float64 (2**-29)."""


@dataclass(frozen=True)
class Compared:
    """One map under one shift.

    Parameters
    ----------
    shift
        Positions of the input.
    moved
        By how many positions the map was moved to be compared: of the whole numbers beside
        ``shift / jump`` the one that fits better.
    error
        The largest absolute difference; None where no position could be compared.
    positions
        How many were: of space, in each channel.
    """

    shift: int
    moved: int
    error: float | None
    positions: int


@dataclass(frozen=True)
class Measured:
    """One map under all shifts along one axis.

    Parameters
    ----------
    track
        How it follows the axis.
    largest
        Its largest absolute value.
    rounding
        The largest difference that counts as rounding; 0 where none was found.
    under
        One comparison for each shift.
    varies
        Whether it has other values at other positions: where it has not, comparing says nothing.
    """

    track: Track
    largest: float
    rounding: float
    under: tuple[Compared, ...]
    varies: bool = True

    @property
    def period(self) -> int | None:
        """The least shift from which on all its multiples leave nothing but rounding.

        None where no shift that was tried does, or where nothing could be compared.
        """
        if not self.varies:
            return None
        known = {each.shift: each.error for each in self.under if each.error is not None}
        for shift in sorted(known):
            if all(known[d] <= self.rounding for d in known if d % shift == 0):
                return shift
        return None

    @property
    def worst(self) -> float | None:
        """The largest error under any shift, of the map's largest value; None for no figure."""
        found = [each.error for each in self.under if each.error is not None]
        return max(found) / self.largest if found and self.varies else None


class Shifts:
    """A graph, an input, and what one axis of it gives when it is shifted.

    Parameters
    ----------
    graph
        In float64, its input shapes those of the feeds.
    feeds
        The inputs by name.
    axes
        Which axis of which input is shifted, all together.
    on_ring
        Whether the axis goes on at its other end, as with circular padding.
    """

    def __init__(
        self, graph: Graph, feeds: Mapping[str, Array], axes: Mapping[str, int], *, on_ring: bool
    ) -> None:
        self.graph, self.feeds, self.axes, self.on_ring = graph, feeds, axes, on_ring
        self.shapes: Shapes = graph.shapes()
        self.values = evaluate(graph, feeds, keep_all=True).values
        self.size = min((feeds[name].shape[axis] for name, axis in axes.items()), default=0)
        self.tracks = self._tracks(0)

    def _tracks(self, first: int) -> dict[str, Track]:
        clean = Interval(first, self.size)
        return tracks(self.graph, self.shapes, {n: (axis, clean) for n, axis in self.axes.items()})

    def measure(self, shifts: Collection[int], names: Collection[str]) -> dict[str, Measured]:
        """Return what was measured of each of the named maps that has a track."""
        names = [name for name in names if name in self.tracks]
        under: dict[str, list[Compared]] = {name: [] for name in names}
        for shift in sorted(shifts):
            moved = self._moved(shift)
            after = self.tracks if self.on_ring else self._tracks(shift)
            for name in names:
                under[name].append(self._compare(name, moved[name], after[name], shift))
        noise = {name: self._noise(name, under[name]) for name in names}
        return {
            name: Measured(
                self.tracks[name],
                float(np.abs(self._float(self.values[name])).max(initial=0)),
                noise[name],
                tuple(under[name]),
                self._varies(name, noise[name]),
            )
            for name in names
        }

    def _moved(self, shift: int) -> Mapping[str, Array]:
        feeds = dict(self.feeds)
        for name, axis in self.axes.items():
            feeds[name] = np.roll(feeds[name], shift, axis)
        return evaluate(self.graph, feeds, keep_all=True).values

    @cached_property
    def _narrow(self) -> Mapping[str, Array]:
        return evaluate(self.graph.astype("float32"), self.feeds, keep_all=True).values

    def rounding(self, name: str) -> float:
        """Return how much of a difference between values of a map is rounding.

        Parameters
        ----------
        name
            Of the map.
        """
        difference = np.abs(self._float(self._narrow[name]) - self.values[name])
        return BETWEEN * float(difference.max(initial=0))

    def _noise(self, name: str, under: list[Compared]) -> float:
        """Where no difference was found there is none to judge, and the second run is saved."""
        return self.rounding(name) if any(each.error for each in under) else 0.0

    def _varies(self, name: str, noise: float) -> bool:
        values, axis = self._float(self.values[name]), self.tracks[name].axis
        if values.shape[axis] < 2:
            return bool(values.any())  # that nothing was compared is said of it already
        return bool((np.ptp(values, axis=axis) > noise).any())

    def _float(self, values: Array) -> Array:
        return values.astype(np.float64, copy=False)

    def _compare(self, name: str, moved: Array, after: Track, shift: int) -> Compared:
        target = Fraction(shift) / after.jump
        found = [self._at(name, moved, after, shift, by) for by in {floor(target), ceil(target)}]
        with_figure = [each for each in found if each.error is not None]
        return min(with_figure, key=lambda each: each.error or 0.0, default=found[0])

    def _at(self, name: str, moved: Array, after: Track, shift: int, by: int) -> Compared:
        before, still = self.tracks[name], self._float(self.values[name])
        axis, moved = before.axis, self._float(moved)
        if self.on_ring and before.is_whole and before.size * before.jump == self.size:
            return _compared(np.roll(still, by, axis), moved, shift, by, axis)
        lo = max(before.clean.lo, after.clean.lo - by)
        hi = max(min(before.clean.hi, after.clean.hi - by), lo)
        if before.clean.lo >= before.clean.hi or after.clean.lo >= after.clean.hi:
            hi = lo
        return _compared(
            _cut(still, axis, lo, hi), _cut(moved, axis, lo + by, hi + by), shift, by, axis
        )


def _cut(values: Array, axis: int, lo: int, hi: int) -> Array:
    return values[(slice(None),) * axis + (slice(lo, hi),)]


def _compared(still: Array, moved: Array, shift: int, by: int, axis: int) -> Compared:
    if not still.size:
        return Compared(shift, by, None, 0)
    space = [n for i, n in enumerate(still.shape) if i > 1 or i == axis]
    with np.errstate(invalid="ignore"):
        error = float(np.abs(moved - still).max())
    return Compared(shift, by, error, prod(space))


def border_of(shifts: Shifts, cropped: int) -> dict[str, tuple[int, int]]:
    """Return how many positions at either end of each map the border has changed, as measured.

    The input is cropped by as much at both ends; a map of it is that of the whole input but where
    something else stands beyond the border now.

    Parameters
    ----------
    shifts
        A graph whose border is one.
    cropped
        Positions, a multiple of the maps' periods.
    """
    feeds = dict(shifts.feeds)
    for name, axis in shifts.axes.items():
        feeds[name] = _cut(feeds[name], axis, cropped, feeds[name].shape[axis] - cropped)
    graph = shifts.graph.with_input_shape({name: x.shape for name, x in feeds.items()})
    values = evaluate(graph, feeds, keep_all=True).values
    found = {}
    for name, track in shifts.tracks.items():
        by = Fraction(cropped) / track.jump
        part, whole = values[name], shifts.values[name]
        if by.denominator != 1 or part.shape[track.axis] + int(by) > track.size:
            continue
        whole = _cut(whole, track.axis, int(by), int(by) + part.shape[track.axis])
        others = tuple(i for i in range(part.ndim) if i != track.axis)
        difference = np.abs(part - whole)
        noise = shifts.rounding(name) if difference.any() else 0.0
        differs = (difference > noise).any(axis=others)
        found[name] = _ends(differs)
    return found


def _ends(differs: Array) -> tuple[int, int]:
    """Return how many lie before the first stretch that agrees, and how many after the last."""
    agree = np.flatnonzero(~differs)
    if not agree.size:
        return differs.size, differs.size
    return int(agree[0]), int(differs.size - 1 - agree[-1])
