"""One axis of a transposed convolution against brute force, and against the convolution."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faltung.geometry import AxisTransposed, Interval


@st.composite
def axes(draw: st.DrawFn) -> AxisTransposed:
    """Any axis that the constraints let pass."""
    size, kernel = draw(st.integers(0, 7)), draw(st.integers(1, 4))
    stride, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    covered = (size - 1) * stride + dilation * (kernel - 1) + 1
    more = draw(st.integers(0, max(stride, dilation) - 1))
    most = max(0, covered)
    pad_lo = draw(st.integers(-2, most))
    pad_hi = draw(st.integers(-2, min(most, most + more - pad_lo)))
    return AxisTransposed(size, kernel, stride, dilation, pad_lo, pad_hi, more)


def pairs_by_output(axis: AxisTransposed, inputs: range) -> dict[int, list[tuple[int, int]]]:
    """Lay every input's kernel down and note who reaches what."""
    found: dict[int, list[tuple[int, int]]] = {}
    for i in inputs:
        for k in range(axis.kernel):
            o = i * axis.stride + k * axis.dilation - axis.pad_lo
            found.setdefault(o, []).append((i, k))
    return found


@given(axes())
def test_taps_are_the_inputs_that_reach_an_output(axis: AxisTransposed) -> None:
    reached = pairs_by_output(axis, range(axis.size))
    for o in range(-4, axis.out_size + 4):
        assert list(zip(axis.taps(o), axis.kernel_taps(o), strict=True)) == reached.get(o, [])


@given(axes())
def test_out_size_is_what_kernels_cover_less_the_crop(axis: AxisTransposed) -> None:
    reached = pairs_by_output(axis, range(axis.size))
    if axis.size:
        last = max(reached) + axis.pad_lo + axis.output_padding
        assert axis.out_size == last + 1 - axis.pad_lo - axis.pad_hi
    else:
        assert axis.out_size == 0


@given(axes())
def test_connections_equal_enumeration(axis: AxisTransposed) -> None:
    reached = pairs_by_output(axis, range(axis.size))
    count = sum(len(pairs) for o, pairs in reached.items() if 0 <= o < axis.out_size)
    assert axis.connections(padding=True) == axis.connections(padding=False) == count


@given(axes())
def test_it_is_the_adjoint_of_its_convolution(axis: AxisTransposed) -> None:
    """Trap 16: the same triples (position, position, weight), not the same shapes alone."""
    conv = axis.adjoint
    assert (conv.size, conv.out_size) == (axis.out_size, axis.size)
    forward = {
        (i, o, k)
        for o in range(conv.out_size)
        for k, i in zip(conv.kernel_taps_inside(o), conv.taps_inside(o), strict=True)
    }
    backward = {
        (o, i, k)
        for o in range(axis.out_size)
        for k, i in zip(axis.kernel_taps(o), axis.taps(o), strict=True)
    }
    assert forward == backward


@given(axes(), st.integers(-4, 12), st.integers(0, 6), st.booleans())
def test_input_span_is_the_smallest_interval_that_holds_the_taps(
    axis: AxisTransposed, start: int, length: int, bounded: bool
) -> None:
    reached = pairs_by_output(axis, range(axis.size) if bounded else range(-40, 40))
    taps = [i for o in range(start, start + length) for i, _ in reached.get(o, [])]
    found = axis.input_span(Interval(start, start + length), bounded=bounded)
    assert found == (Interval(min(taps), max(taps) + 1) if taps else Interval(0, 0))


@pytest.mark.parametrize(("more", "last"), [(0, [2]), (1, [2])])
def test_output_padding_is_computed_not_zero(more: int, last: list[int]) -> None:
    """Trap 15: with padding to crop, the added output has a tap."""
    axis = AxisTransposed(3, 3, stride=2, pad_lo=1, pad_hi=1, output_padding=more)
    assert axis.out_size == 5 + more
    assert list(axis.taps(axis.out_size - 1)) == last


def test_outputs_between_the_kernels_have_no_taps() -> None:
    axis = AxisTransposed(3, 2, stride=4)
    assert [list(axis.taps(o)) for o in range(axis.out_size)] == [
        [0], [0], [], [], [1], [1], [], [], [2], [2],
    ]  # fmt: skip
    assert axis.input_span(Interval(2, 4)) == Interval(0, 0)


def test_output_padding_beyond_the_stride_is_cropped_by_the_adjoint() -> None:
    """The floor of a convolution drops less than a stride; dilation allows more here."""
    axis = AxisTransposed(2, 2, stride=1, dilation=3, output_padding=2)
    assert axis.adjoint.out_size == 2
    assert axis.adjoint.pad_hi == -2
