"""How work is cut, against the geometry's own lists of taps."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from faltung.geometry import AxisWindow, Interval
from faltung.kernels import blocks
from faltung.kernels.blocks import cut, image_blocks, output_boxes, run_of, tap_slices

SIZES = st.lists(st.integers(0, 6), min_size=1, max_size=3).map(tuple)


@given(out_space=SIZES, room=st.integers(1, 60))
def test_boxes_are_runs_that_cover_every_output_once(out_space: tuple[int, ...], room: int) -> None:
    positions = np.arange(np.prod(out_space, dtype=int)).reshape(out_space)
    seen = []
    for box in output_boxes(out_space, 8, block_bytes=8 * room):
        inside = positions[tuple(slice(*span) for span in box)].ravel()
        np.testing.assert_array_equal(inside, positions.ravel()[run_of(box, out_space)])
        assert 1 <= inside.size <= room
        seen.extend(inside)
    assert seen == list(range(positions.size))


def test_image_blocks_cover_every_image_once() -> None:
    assert list(image_blocks(5, blocks.BLOCK_BYTES // 2)) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert list(image_blocks(2, 10 * blocks.BLOCK_BYTES)) == [slice(0, 1), slice(1, 2)]
    assert list(image_blocks(0, 1)) == []
    assert list(image_blocks(3, 0)) == [slice(0, 3)]


@given(
    size=st.integers(0, 9),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 3),
    pads=st.tuples(st.integers(-3, 4), st.integers(-3, 4)),
    ceil=st.booleans(),
    outs=st.tuples(st.integers(0, 6), st.integers(0, 6)),
)
def test_tap_slices_are_the_taps_inside(
    size: int,
    kernel: int,
    stride: int,
    dilation: int,
    pads: tuple[int, int],
    ceil: bool,
    outs: tuple[int, int],
) -> None:
    axis = AxisWindow(size, kernel, stride, dilation, *pads, ceil)
    span = Interval(*sorted(outs)).clip(0, axis.out_size)
    for tap in range(kernel):
        at, ins = tap_slices(axis, tap, span)
        pairs = [
            (o - span.lo, axis.taps(o)[tap])
            for o in range(*span)
            if tap in axis.kernel_taps_inside(o)
        ]
        found = zip(range(span.size)[at], range(size)[ins], strict=True)
        assert list(found) == pairs


@given(
    lo=st.integers(-9, 9), length=st.integers(0, 9), size=st.integers(0, 6), lead=st.integers(1, 2)
)
def test_cut_is_the_input_with_zeros_outside(lo: int, length: int, size: int, lead: int) -> None:
    x = np.arange(1, 1 + lead * size).reshape(lead, size)
    part = cut(x, [Interval(lo, lo + length)])
    assert part.shape == (lead, length)
    for row in range(lead):
        for i in range(length):
            assert part[row, i] == (x[row, lo + i] if 0 <= lo + i < size else 0)


def test_cut_copies_only_where_it_must() -> None:
    x = np.ones((1, 4, 4))
    assert np.shares_memory(cut(x, [Interval(1, 3), Interval(0, 4)]), x)
    assert not np.shares_memory(cut(x, [Interval(1, 3), Interval(0, 5)]), x)
