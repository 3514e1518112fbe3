"""Sums of floors, and the pairs of a window, counted one by one and at once."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from faltung.geometry import AxisWindow
from faltung.geometry.floors import floor_sum

SMALL = st.integers(0, 15)


@given(SMALL, SMALL, st.integers(-60, 60), st.integers(1, 15))
def test_sums_of_floors(count: int, step: int, start: int, divisor: int) -> None:
    one_by_one = sum((start + step * i) // divisor for i in range(count))
    assert floor_sum(count, step, start, divisor) == one_by_one


@settings(max_examples=300)
@given(
    *(st.integers(0, 12), st.integers(1, 9), st.integers(1, 5), st.integers(1, 4)),
    *(st.integers(-4, 6), st.integers(-4, 6), st.booleans()),
)
def test_connections_are_the_taps_inside(
    size: int, kernel: int, stride: int, dilation: int, lo: int, hi: int, ceil: bool
) -> None:
    axis = AxisWindow(size, kernel, stride, dilation, lo, hi, ceil)
    inside = sum(len(axis.taps_inside(o)) for o in range(axis.out_size))
    assert axis.connections(padding=False) == inside


def test_windows_of_any_size_are_counted_at_once() -> None:
    started = time.perf_counter()
    axis = AxisWindow(2**40, kernel=2**39, stride=3, dilation=1, pad_lo=2**39, pad_hi=7)
    assert 0 < axis.connections(padding=False) < axis.connections()
    assert time.perf_counter() - started < 1
