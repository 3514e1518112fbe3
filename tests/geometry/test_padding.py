"""What a caller may write for padding."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faltung.geometry import AxisTransposed, AxisWindow, explicit_padding, per_axis
from faltung.geometry import transposed_padding as transposed

SIZES = st.integers(0, 30)
KERNELS = st.integers(1, 7)
SMALL = st.integers(1, 4)


class Whole(NamedTuple):
    """An integer that is not Python's own, as NumPy's are not."""

    value: int

    def __index__(self) -> int:
        return self.value


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pads"),
    [
        (224, 7, 2, (2, 3)),
        (6, 3, 2, (0, 1)),
        (7, 3, 2, (1, 1)),
        (8, 2, 4, (0, 0)),
        (5, 1, 3, (0, 0)),
    ],
)
def test_same_depends_on_the_size(
    size: int, kernel: int, stride: int, pads: tuple[int, int]
) -> None:
    """Trap 10; where the stride passes the kernel it is clamped at 0."""
    assert explicit_padding("same", [size], [kernel], [stride], [1]) == (pads,)
    assert explicit_padding("same_lower", [size], [kernel], [stride], [1]) == (pads[::-1],)


@given(SIZES, KERNELS, SMALL, SMALL)
def test_same_gives_the_ceiling_with_as_little_as_possible(
    size: int, kernel: int, stride: int, dilation: int
) -> None:
    for word in ("same", "same_lower"):
        ((lo, hi),) = explicit_padding(word, [size], [kernel], [stride], [dilation])
        assert AxisWindow(size, kernel, stride, dilation, lo, hi).out_size == ceil(size / stride)
        assert 0 <= (hi - lo if word == "same" else lo - hi) <= 1
        if lo + hi > 0 and size:
            fewer = AxisWindow(size, kernel, stride, dilation, lo, hi - 1)
            assert fewer.out_size < ceil(size / stride)


@given(st.integers(1, 30), KERNELS, SMALL)
def test_full_gives_every_overlap(size: int, kernel: int, dilation: int) -> None:
    ((lo, hi),) = explicit_padding("full", [size], [kernel], [1], [dilation])
    axis = AxisWindow(size, kernel, 1, dilation, lo, hi)
    assert axis.out_size == size + axis.extent - 1
    assert 0 in axis.taps(0)
    assert size - 1 in axis.taps(axis.out_size - 1)
    assert explicit_padding("valid", [size], [kernel], [1], [dilation]) == ((0, 0),)


@pytest.mark.parametrize(
    ("padding", "pads"),
    [
        (2, ((2, 2), (2, 2))),
        (-1, ((-1, -1), (-1, -1))),
        (Whole(3), ((3, 3), (3, 3))),
        ((1, 2), ((1, 1), (2, 2))),
        ([1, Whole(-2)], ((1, 1), (-2, -2))),
        (((0, 1), (2, 3)), ((0, 1), (2, 3))),
        ([[0, 1], [-2, 3]], ((0, 1), (-2, 3))),
    ],
)
def test_numbers_are_taken_as_written(padding: object, pads: object) -> None:
    found = explicit_padding(padding, [5, 5], [3, 3], [1, 1], [1, 1])  # type: ignore[arg-type]
    assert found == pads
    assert all(type(p) is int for pair in found for p in pair)
    assert transposed(padding, [3, 3], [1, 1], [1, 1], [0, 0]) == pads  # type: ignore[arg-type]


def test_words_look_at_each_axis_by_itself() -> None:
    pads = explicit_padding("same", [6, 7, 9], [3, 3, 2], [2, 2, 1], [1, 1, 3])
    assert pads == ((0, 1), (1, 1), (1, 2))


@given(st.integers(1, 9), KERNELS, SMALL, SMALL, st.data())
def test_transposed_same_leaves_size_times_stride(
    size: int, kernel: int, stride: int, dilation: int, data: st.DataObject
) -> None:
    more = data.draw(st.integers(0, max(stride, dilation) - 1))
    for word in ("same", "same_lower"):
        ((lo, hi),) = transposed(word, [kernel], [stride], [dilation], [more])
        axis = AxisTransposed(size, kernel, stride, dilation, lo, hi, more)
        assert axis.out_size == size * stride
        assert lo >= 0


@given(st.integers(1, 12), KERNELS, SMALL, st.sampled_from(["valid", "full"]))
def test_transposed_words_undo_those_of_the_convolution(
    size: int, kernel: int, dilation: int, word: str
) -> None:
    ((lo, hi),) = explicit_padding(word, [size], [kernel], [1], [dilation])
    conv = AxisWindow(size, kernel, 1, dilation, lo, hi)
    ((lo, hi),) = transposed(word, [kernel], [1], [dilation], [0])
    if conv.out_size:
        assert AxisTransposed(conv.out_size, kernel, 1, dilation, lo, hi).adjoint == conv


def test_transposed_same_puts_the_odd_one_where_the_word_says() -> None:
    assert transposed("same", [3], [2], [1], [0]) == ((0, 1),)
    assert transposed("same_lower", [3], [2], [1], [0]) == ((1, 0),)
    assert transposed("same_lower", [1], [3], [1], [0]) == ((0, -2),)


def test_per_axis_gives_pythons_ints() -> None:
    assert per_axis(2, 3, "stride") == (2, 2, 2)
    assert per_axis([1, Whole(2)], 2, "stride") == (1, 2)
    assert all(
        type(v) is int for v in per_axis(Whole(2), 3, "stride") + per_axis(True, 1, "stride")
    )
