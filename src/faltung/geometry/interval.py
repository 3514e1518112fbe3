"""Half-open intervals of positions on one axis."""

from __future__ import annotations

from typing import NamedTuple


class Interval(NamedTuple):
    """The positions ``lo, lo + 1, ..., hi - 1``; empty if ``hi <= lo``.

    Receptive fields and halos are kept as intervals, never as centre and size: even kernels and
    asymmetric padding put the centre between two positions.

    >>> Interval(-1, 2).size
    3
    >>> Interval(-1, 2).clip(0, 10)
    Interval(lo=0, hi=2)
    """

    lo: int
    hi: int

    @property
    def size(self) -> int:
        """How many positions the interval holds."""
        return max(0, self.hi - self.lo)

    @property
    def empty(self) -> bool:
        """Whether it holds none."""
        return self.hi <= self.lo

    def clip(self, lo: int, hi: int) -> Interval:
        """Return the part inside ``[lo, hi)``.

        >>> Interval(5, 9).clip(0, 3).empty
        True
        """
        start = min(max(self.lo, lo), hi)
        return Interval(start, max(start, min(self.hi, hi)))

    def union(self, other: Interval) -> Interval:
        """Return the smallest interval that holds both; an empty one adds nothing.

        >>> Interval(0, 2).union(Interval(5, 6))
        Interval(lo=0, hi=6)
        >>> Interval(9, 9).union(Interval(5, 6))
        Interval(lo=5, hi=6)
        """
        if self.empty:
            return other
        if other.empty:
            return self
        return Interval(min(self.lo, other.lo), max(self.hi, other.hi))

    def shift(self, by: int) -> Interval:
        """Return the interval moved by ``by`` positions.

        >>> Interval(0, 3).shift(-2)
        Interval(lo=-2, hi=1)
        """
        return Interval(self.lo + by, self.hi + by)
