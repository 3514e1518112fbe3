"""Intervals against sets of positions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from faltung.geometry import Interval

INTERVALS = st.builds(Interval, st.integers(-9, 9), st.integers(-9, 9))


def positions(interval: Interval) -> set[int]:
    return set(range(interval.lo, interval.hi))


@given(INTERVALS)
def test_size_counts_positions(interval: Interval) -> None:
    assert interval.size == len(positions(interval))
    assert interval.empty == (not positions(interval))


@given(INTERVALS, st.integers(-9, 9), st.integers(0, 9))
def test_clip_keeps_what_is_inside(interval: Interval, lo: int, length: int) -> None:
    clipped = interval.clip(lo, lo + length)
    assert positions(clipped) == positions(interval) & set(range(lo, lo + length))
    assert lo <= clipped.lo <= clipped.hi <= lo + length


@given(INTERVALS, INTERVALS)
def test_union_is_the_smallest_that_holds_both(one: Interval, other: Interval) -> None:
    both = positions(one) | positions(other)
    found = one.union(other)
    assert found.empty if not both else found == Interval(min(both), max(both) + 1)


@given(INTERVALS, st.integers(-9, 9))
def test_shift_moves_every_position(interval: Interval, by: int) -> None:
    assert positions(interval.shift(by)) == {i + by for i in positions(interval)}
