"""How one axis is seen through others: interval to interval, the same again after each period.

Windows, crops and what works value by value map the interval of outputs ``[p, q)`` to
``[low(p), high(q - 1))``, and ``low(o + period) = low(o) + step``. Such maps compose, so that what
a value sees follows from what its sources see, without walking back through the whole graph.

`operator_maps` finds those of operators.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import gcd, lcm
from typing import TypeAlias

from faltung.geometry import Interval
from faltung.ops.operator import EVERYTHING, Everything

LONGEST = 4096
"""The longest period that is followed: networks have short ones."""


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

    def after(self, inner: AxisMap) -> AxisMap | None:
        """Return what an output sees through this map of what `inner` shows.

        None where the two repeat together only after very many outputs.

        >>> pool, up = AxisMap(2, (0,), (2,), 2), AxisMap(2, (0, 0), (1, 1), 1)
        >>> up.after(pool)
        AxisMap(axis=2, lows=(0, 0), highs=(2, 2), step=2)
        >>> pool.after(up)
        AxisMap(axis=2, lows=(0,), highs=(1,), step=1)
        """
        times = inner.period // gcd(inner.period, self.step)
        if self.period * times > LONGEST:
            return None
        outputs = range(self.period * times)
        lows = tuple(inner.low(self.low(o)) for o in outputs)
        highs = tuple(inner.high(self.high(o) - 1) for o in outputs)
        step = self.step * times // inner.period * inner.step
        return _shortest(self.axis, lows, highs, step)

    def united(self, other: AxisMap) -> AxisMap | None:
        """Return what both see together; None where they do not move alike."""
        together = lcm(self.period, other.period)
        alike = self.axis == other.axis and self.step * other.period == other.step * self.period
        if not alike or together > LONGEST:
            return None
        outputs = range(together)
        lows = tuple(min(self.low(o), other.low(o)) for o in outputs)
        highs = tuple(max(self.high(o), other.high(o)) for o in outputs)
        return _shortest(self.axis, lows, highs, self.step * len(outputs) // self.period)


def _shortest(axis: int | None, lows: Sequence[int], highs: Sequence[int], step: int) -> AxisMap:
    """Return the map with the shortest period that it has."""
    n = len(lows)
    for p in range(1, n):
        part = step * p // n
        if n % p or step * p % n:
            continue
        if all(a[o + p] - a[o] == part for a in (lows, highs) for o in range(n - p)):
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
