"""One axis against brute force: every pair of output and tap, straight from the formula."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from faltung.geometry import AxisWindow, Interval

AXES = st.builds(
    AxisWindow,
    size=st.integers(0, 12),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
    pad_lo=st.integers(-3, 5),
    pad_hi=st.integers(-3, 5),
    ceil=st.booleans(),
)


def position(axis: AxisWindow, o: int, k: int) -> int:
    return o * axis.stride - axis.pad_lo + k * axis.dilation


def is_input(axis: AxisWindow, i: int) -> bool:
    """Inside, and not cropped."""
    return max(0, -axis.pad_lo) <= i < min(axis.size, axis.size + axis.pad_hi)


def count_windows(axis: AxisWindow) -> int:
    """Walk along the padded input for as long as a window fits, or may hang over."""
    end, real_end = axis.size + axis.pad_hi, axis.size + min(axis.pad_hi, 0)
    o = 0
    while position(axis, o, axis.kernel - 1) < end:
        o += 1
    # In ceil mode one more, if it is not aligned with the last and starts before the end.
    last_fits = position(axis, o - 1, axis.kernel - 1) == end - 1
    if axis.ceil and not last_fits and position(axis, o, 0) < real_end:
        # A window further than a stride past the end was not dropped by the floor.
        o += position(axis, o, axis.kernel - 1) - (end - 1) < axis.stride
    return o


@given(AXES)
@example(AxisWindow(2, 3, 2, ceil=True))
@example(AxisWindow(0, 1, 2, ceil=True))
def test_out_size_counts_windows(axis: AxisWindow) -> None:
    assert axis.out_size == count_windows(axis)


@given(AXES)
@example(AxisWindow(6, 2, 2, pad_hi=-1, ceil=True))
def test_taps_follow_the_formula(axis: AxisWindow) -> None:
    for o in range(axis.out_size):
        pairs = [(k, position(axis, o, k)) for k in range(axis.kernel)]
        inside = [(k, i) for k, i in pairs if is_input(axis, i)]
        assert list(axis.taps(o)) == [i for _, i in pairs]
        assert list(axis.kernel_taps_inside(o)) == [k for k, _ in inside]
        assert list(axis.taps_inside(o)) == [i for _, i in inside]


@given(AXES)
@example(AxisWindow(6, 2, 2, pad_hi=-1, ceil=True))
def test_connections_equal_enumeration(axis: AxisWindow) -> None:
    taps = [i for o in range(axis.out_size) for i in axis.taps(o)]
    assert axis.connections(padding=True) == len(taps)
    assert axis.connections(padding=False) == sum(is_input(axis, i) for i in taps)


@given(AXES, st.integers(-5, 9), st.integers(0, 6))
def test_input_span_is_the_smallest_interval_that_holds_the_taps(
    axis: AxisWindow, start: int, length: int
) -> None:
    span = Interval(start, start + length)
    taps = [i for o in range(*span) for i in axis.taps(o)]
    found = axis.input_span(span)
    assert found == (Interval(min(taps), max(taps) + 1) if taps else Interval(0, 0))


@given(AXES)
def test_dropped_and_overhang_are_what_lies_past_the_last_window(axis: AxisWindow) -> None:
    end = axis.size + axis.pad_hi
    last = [i for o in range(axis.out_size) for i in axis.taps(o)]
    reached = max(last) + 1 if last else -axis.pad_lo
    assert axis.dropped == max(0, end - reached)
    assert axis.overhang == (max(0, reached - end) if last else 0)
    if not axis.ceil:
        assert axis.overhang == 0


@given(AXES)
def test_divisor_counts_padding_but_never_the_overhang(axis: AxisWindow) -> None:
    for o in range(axis.out_size):
        within = [i for i in axis.taps(o) if i < axis.size + axis.pad_hi]
        assert axis.divisor(o, include_pad=True) == len(within)
        assert axis.divisor(o, include_pad=False) == sum(is_input(axis, i) for i in within)


@given(AXES)
def test_negative_padding_crops_first(axis: AxisWindow) -> None:
    lo, hi = max(0, -axis.pad_lo), max(0, -axis.pad_hi)
    if lo + hi > axis.size:
        return
    rest = AxisWindow(
        axis.size - lo - hi,
        axis.kernel,
        axis.stride,
        axis.dilation,
        max(0, axis.pad_lo),
        max(0, axis.pad_hi),
        axis.ceil,
    )
    assert axis.out_size == rest.out_size
    for o in range(axis.out_size):
        assert list(axis.taps_inside(o)) == [i + lo for i in rest.taps_inside(o)]


@pytest.mark.parametrize(
    ("axis", "windows", "dropped"),
    [
        (AxisWindow(6, 3, 2, pad_lo=1, pad_hi=1), 3, 1),
        (AxisWindow(7, 3, 2, pad_lo=1, pad_hi=1), 4, 0),
        (AxisWindow(5, 5), 1, 0),
        (AxisWindow(4, 5), 0, 4),
        (AxisWindow(10, 2, 5), 2, 3),
        (AxisWindow(0, 1), 0, 0),
    ],
)
def test_the_floor_says_how_much_it_drops(axis: AxisWindow, windows: int, dropped: int) -> None:
    """Trap 9; the first is the one that CNN Explainer cannot show."""
    assert (axis.out_size, axis.dropped) == (windows, dropped)


@pytest.mark.parametrize(
    ("axis", "windows"),
    [
        (AxisWindow(10, 1, 2, ceil=True), 5),
        (AxisWindow(9, 4, 4, pad_lo=2, pad_hi=2, ceil=True), 3),
        (AxisWindow(7, 2, 2, ceil=True), 4),
        (AxisWindow(4, 3, 2, pad_lo=1, pad_hi=1, ceil=True), 3),
        (AxisWindow(2, 3, 2, ceil=True), 1),
        (AxisWindow(0, 3, 2, pad_lo=1, pad_hi=1, ceil=True), 1),
    ],
)
def test_ceil_mode_makes_no_window_past_the_input(axis: AxisWindow, windows: int) -> None:
    """Trap 11."""
    assert axis.out_size == windows


def test_average_divisors_of_a_padded_ceiled_pooling() -> None:
    """Trap 12: 1..16 on 4 x 4, kernel 3, stride 2, padding 1, ceil mode, padding counted."""
    axis = AxisWindow(4, 3, 2, pad_lo=1, pad_hi=1, ceil=True)
    means = [
        [
            Fraction(
                sum(4 * y + x + 1 for y in axis.taps_inside(oy) for x in axis.taps_inside(ox)),
                axis.divisor(oy, include_pad=True) * axis.divisor(ox, include_pad=True),
            )
            for ox in range(3)
        ]
        for oy in range(3)
    ]
    assert means == [
        [Fraction(14, 9), Fraction(10, 3), 2],
        [Fraction(19, 3), 11, 6],
        [Fraction(9, 2), Fraction(15, 2), 4],
    ]


def test_positions_past_32_bits_stay_exact() -> None:
    """Trap 26."""
    size = 2**40
    axis = AxisWindow(size, 3, 2, dilation=2**33, pad_lo=1, pad_hi=2**35)
    windows = (size + 1 + 2**35 - 2**34 - 1) // 2 + 1
    assert axis.out_size == windows
    last = 2 * (windows - 1) - 1
    assert list(axis.taps(windows - 1)) == [last, last + 2**33, last + 2**34]
    assert axis.connections(padding=True) == 3 * windows
    inside = [(size - 1 + 1 - k * 2**33) // 2 + 1 for k in range(3)]
    # Tap 0 of output 0 lies on padding.
    assert axis.connections(padding=False) == sum(min(n, windows) for n in inside) - 1
