"""The backward windows, run as convolutions, give the gradients of the definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faltung.errors import GeometryError
from faltung.geometry import AxisWindow, data_gradient, weight_gradient
from faltung.geometry.adjoint import data_gradient_phases

AXES = st.builds(
    AxisWindow,
    size=st.integers(0, 9),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
    pad_lo=st.integers(-2, 6),
    pad_hi=st.integers(-2, 6),
)


def correlate(axis: AxisWindow, x: list[int], w: list[int]) -> list[int]:
    pairs = [
        list(zip(axis.kernel_taps_inside(o), axis.taps_inside(o), strict=True))
        for o in range(axis.out_size)
    ]
    return [sum(w[k] * x[i] for k, i in taps) for taps in pairs]


def numbers(count: int, seed: int) -> list[int]:
    return [(seed * (n + 3) ** 2) % 17 - 8 for n in range(count)]


@given(AXES)
def test_data_gradient_gives_dx(axis: AxisWindow) -> None:
    w, dout = numbers(axis.kernel, 5), numbers(axis.out_size, 7)
    dx = [0] * axis.size
    for o in range(axis.out_size):
        for k, i in zip(axis.kernel_taps_inside(o), axis.taps_inside(o), strict=True):
            dx[i] += w[k] * dout[o]
    back = data_gradient(axis)
    stuffed = [0] * back.size
    stuffed[:: axis.stride] = dout
    assert correlate(back, stuffed, w[::-1]) == dx


@given(AXES.filter(lambda axis: axis.out_size))
def test_weight_gradient_gives_dw(axis: AxisWindow) -> None:
    x, dout = numbers(axis.size, 11), numbers(axis.out_size, 7)
    dw = [0] * axis.kernel
    for o in range(axis.out_size):
        for k, i in zip(axis.kernel_taps_inside(o), axis.taps_inside(o), strict=True):
            dw[k] += x[i] * dout[o]
    assert correlate(weight_gradient(axis), x, dout) == dw


def test_dropped_columns_get_no_gradient() -> None:
    """Six positions, kernel 3, stride 2: nothing reaches the last one."""
    assert correlate(data_gradient(AxisWindow(6, 3, 2)), [1, 0, 1], [1, 1, 1]) == [1, 1, 2, 1, 1, 0]


def test_no_weight_gradient_without_outputs() -> None:
    with pytest.raises(GeometryError, match=r"must have outputs.*dw is zero.*\[axis A3\]"):
        weight_gradient(AxisWindow(2, 3))


@given(AXES)
def test_data_gradient_phases_give_dx(axis: AxisWindow) -> None:
    """One correlation for each phase, each position of dx once."""
    w, dout = numbers(axis.kernel, 5), numbers(axis.out_size, 7)
    wanted = [0] * axis.size
    for o in range(axis.out_size):
        for k, i in zip(axis.kernel_taps_inside(o), axis.taps_inside(o), strict=True):
            wanted[i] += w[k] * dout[o]
    dx: list[int | None] = [None] * axis.size
    for first, taps, window in data_gradient_phases(axis):
        count = len(range(first, axis.size, axis.stride))
        values = correlate(window, dout, [w[k] for k in taps]) if taps else [0] * count
        dx[first :: axis.stride] = values
    assert dx == wanted
