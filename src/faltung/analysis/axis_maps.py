"""How one axis is seen through others: interval to interval, the same again after each period.

Windows, crops and what works value by value map the interval of outputs ``[p, q)`` to
``[low(p), high(q - 1))``, and ``low(o + period) = low(o) + step``. Such maps compose, so that what a
value sees follows from what its sources see, without walking back through the whole graph.

They are found by asking an operator for the spans of a few outputs, near the origin and far off on
both sides. Whatever does not answer like this (it is bounded, reversed, or leaves outputs that see
nothing) has no such map, and is walked back through instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import gcd, lcm
from typing import TypeAlias

from faltung.geometry import Interval
from faltung.ops.operator import EVERYTHING, AbstractOperator, Everything, Shape, Spans

LONGEST = 32
"""The longest period that is looked for in one operator."""

FAR = 27_720 * 40
"""Far outside every axis that clips, and a multiple of the common periods."""

ORIGIN = Interval(0, 1)


@dataclass(frozen=True, slots=True)
class AxisMap:
    """Which interval of a source axis an interval of an output axis sees.

    Parameters
    ----------
    axis
        Which axis of the output decides; None where every output sees the same.
    lows, highs
        Of the outputs 0, 1, ... of one period, where what each sees begins and ends.
    step
        By how much that moves from one period to the next.
    """

    axis: int | None
    lows: tuple[int, ...]
    highs: tuple[int, ...]
    step: int

    @property
    def period(self) -> int:
        """After how many outputs the map repeats."""
        return len(self.lows)

    def low(self, o: int) -> int:
        """Where begins what output `o` sees."""
        periods, phase = divmod(o, len(self.lows))
        return self.lows[phase] + periods * self.step

    def high(self, o: int) -> int:
        """Where ends what output `o` sees."""
        periods, phase = divmod(o, len(self.lows))
        return self.highs[phase] + periods * self.step

    def seen(self, span: Interval) -> Interval:
        """Return what the outputs of an interval see together; it must not be empty."""
        return Interval(self.low(span.lo), self.high(span.hi - 1))

    def after(self, inner: AxisMap) -> AxisMap:
        """Return what an output sees through this map of what `inner` shows.

        >>> pool, up = AxisMap(2, (0,), (2,), 2), AxisMap(2, (0, 0), (1, 1), 1)
        >>> up.after(pool)
        AxisMap(axis=2, lows=(0, 0), highs=(2, 2), step=2)
        >>> pool.after(up)
        AxisMap(axis=2, lows=(0,), highs=(1,), step=1)
        """
        times = inner.period // gcd(inner.period, self.step)
        outputs = range(self.period * times)
        lows = tuple(inner.low(self.low(o)) for o in outputs)
        highs = tuple(inner.high(self.high(o) - 1) for o in outputs)
        step = self.step * times // inner.period * inner.step
        return _shortest(self.axis, lows, highs, step)

    def united(self, other: AxisMap) -> AxisMap | None:
        """Return what both see together; None where they do not move alike."""
        if self.axis != other.axis or self.step * other.period != other.step * self.period:
            return None
        outputs = range(lcm(self.period, other.period))
        lows = tuple(min(self.low(o), other.low(o)) for o in outputs)
        highs = tuple(max(self.high(o), other.high(o)) for o in outputs)
        return _shortest(self.axis, lows, highs, self.step * len(outputs) // self.period)


def _shortest(
    axis: int | None, lows: Sequence[int], highs: Sequence[int], step: int
) -> AxisMap:
    """Return the map with the shortest period that it has."""
    n = len(lows)
    for p in range(1, n):
        part = step * p // n
        if n % p or step * p % n:
            continue
        pairs = [(o, o + p) for o in range(n - p)]
        if all(a[j] - a[i] == part for a in (lows, highs) for i, j in pairs):
            return AxisMap(axis, tuple(lows[:p]), tuple(highs[:p]), part)
    return AxisMap(axis, tuple(lows), tuple(highs), step)


Seen: TypeAlias = AxisMap | Everything | frozenset[int]
"""What is known of one source axis: a map, that it is seen whole, or no map; then, which axes make
it seen whole when they are."""


def opens(seen: Seen) -> frozenset[int]:
    """Return the axes through which a source axis is seen whole, when they are taken whole."""
    if isinstance(seen, AxisMap):
        return frozenset(() if seen.axis is None else (seen.axis,))
    return frozenset() if isinstance(seen, Everything) else seen


def united(found: Iterable[Seen]) -> Seen:
    """Return what several ways to one source axis see together."""
    ways = set(found)
    if EVERYTHING in ways:
        return EVERYTHING
    whole: Seen = ways.pop()
    for way in ways:
        both = isinstance(whole, AxisMap) and isinstance(way, AxisMap)
        joined = whole.united(way) if both else None  # type: ignore[union-attr, arg-type]
        whole = joined or opens(whole) | opens(way)
    return whole


@dataclass(frozen=True)
class OperatorMaps:
    """How the axes of one output of an operator map to those of its inputs."""

    operator: AbstractOperator
    in_shapes: tuple[Shape, ...]
    rank: int
    output: int = 0

    def through(self, position: int, before: Seen) -> Seen:
        """Return what the output sees of a source axis, by what one of the inputs sees of it."""
        if isinstance(before, Everything):
            return before
        ways = [self.axis(position, axis) for axis in sorted(opens(before))]
        if EVERYTHING in ways:
            return EVERYTHING
        if isinstance(before, AxisMap) and not ways:
            return before
        if isinstance(before, AxisMap) and isinstance(ways[0], AxisMap):
            return ways[0].after(before)
        return frozenset().union(*(opens(way) for way in ways))

    def axis(self, position: int, axis: int) -> Seen:
        """Return what the output sees of one axis of one of the operator's inputs."""
        if (position, axis) not in self._known:
            self._known[position, axis] = self._find(position, axis)
        return self._known[position, axis]

    @cached_property
    def _known(self) -> dict[tuple[int, int], Seen]:
        return {}

    def _ask(self, axis: int, span: Interval | Everything) -> tuple[Spans, ...]:
        """Return the spans of an output that takes one position of every other axis."""
        box = (*(ORIGIN,) * axis, span, *(ORIGIN,) * (self.rank - axis - 1))
        return self.operator.input_span(self.in_shapes, box, self.output)

    @cached_property
    def _first(self) -> tuple[Spans, ...]:
        return self.operator.input_span(self.in_shapes, (ORIGIN,) * self.rank, self.output)

    @cached_property
    def _coarse(self) -> list[tuple[tuple[Spans, ...], ...]]:
        """For each axis: other positions than the first, no position, and all."""
        spans = (Interval(1, 2), Interval(2, 6), Interval(FAR, FAR + 1), Interval(0, 0), EVERYTHING)
        return [tuple(self._ask(axis, span) for span in spans) for axis in range(self.rank)]

    def _find(self, position: int, axis: int) -> Seen:
        first = self._first[position][axis]
        answers = [[spans[position][axis] for spans in each] for each in self._coarse]
        if isinstance(first, Everything):
            return EVERYTHING if all(a == first for each in answers for a in each) else frozenset()
        deciding = [k for k, each in enumerate(answers) if any(a != first for a in each)]
        whole = frozenset(k for k in deciding if answers[k][-1] is EVERYTHING)
        if not deciding:
            return frozenset() if first.empty else AxisMap(None, (first.lo,), (first.hi,), 0)
        nothing = answers[deciding[0]][-2]
        if len(deciding) > 1 or not whole or not isinstance(nothing, Interval):
            return whole
        return (self._map(position, axis, deciding[0]) if nothing.empty else None) or whole

    def _map(self, position: int, axis: int, k: int) -> AxisMap | None:
        """Return how an axis follows axis `k` of the output, if it does so periodically."""

        def asked(lo: int, hi: int) -> Interval | None:
            span = self._ask(k, Interval(lo, hi))[position][axis]
            return None if isinstance(span, Everything) or span.empty else span

        for longest in (1, LONGEST):
            near = [asked(o, o + 1) for o in range(2 * longest + 2)]
            known = [span for span in near if span is not None]
            if len(known) < len(near):
                return None
            found = _periodic(k, known, longest)
            if found is not None:
                return found if _holds(found, asked) else None
        return None


def _periodic(axis: int, spans: Sequence[Interval], longest: int) -> AxisMap | None:
    """Return the shortest period that the spans of the first outputs have, if there is one."""
    if any(a.lo > b.lo or a.hi > b.hi for a, b in zip(spans, spans[1:], strict=False)):
        return None
    for period in range(1, longest + 1):
        pairs = list(zip(spans, spans[period:], strict=False))
        steps = {b.lo - a.lo for a, b in pairs} | {b.hi - a.hi for a, b in pairs}
        if len(steps) == 1:
            one = spans[:period]
            return AxisMap(axis, tuple(s.lo for s in one), tuple(s.hi for s in one), steps.pop())
    return None


def _holds(found: AxisMap, asked: Callable[[int, int], Interval | None]) -> bool:
    """Whether a map also says what stands before the origin, far off, and under whole intervals."""
    places = (-1, -2, -7, 40, FAR, -FAR)
    boxes = [(o, o + 1) for o in places] + [(-5, 9), (3, 8), (-FAR, FAR)]
    return all(asked(*box) == found.seen(Interval(*box)) for box in boxes)


@lru_cache(maxsize=4096)
def _cached(
    operator: AbstractOperator, in_shapes: tuple[Shape, ...], rank: int, output: int
) -> OperatorMaps:
    return OperatorMaps(operator, in_shapes, rank, output)


def operator_maps(
    operator: AbstractOperator, in_shapes: Sequence[Shape], rank: int, output: int
) -> OperatorMaps:
    """Return the maps of one output of an operator, which has so many axes.

    Examples
    --------
    >>> from faltung import ops
    >>> conv = operator_maps(ops.Conv(stride=2, padding=1), [(1, 1, 9), (4, 1, 3)], 3, 0)
    >>> conv.axis(0, 2), conv.axis(0, 1)
    (AxisMap(axis=2, lows=(-1,), highs=(2,), step=2), frozenset({1}))
    """
    key = (operator, tuple(in_shapes), rank, output)
    try:
        return _cached(*key)
    except TypeError:  # An operator of somebody's own may hold what has no hash.
        return OperatorMaps(*key)
