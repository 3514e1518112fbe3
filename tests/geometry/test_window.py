"""Windows over several axes: shapes, and counts against brute force."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import product
from math import prod
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faltung.errors import GeometryError
from faltung.geometry import AxisWindow, ConvWindow, PoolWindow, TransposedWindow

Case = tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]


@st.composite
def shapes(draw: st.DrawFn) -> Case:
    """Shapes of x and w, and the attributes, of small layers on 1 to 3 axes."""
    axes, groups = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    space = draw(st.tuples(*[st.integers(0, 6 - axes)] * axes))
    kernel = draw(st.tuples(*[st.integers(1, 3)] * axes))
    x_shape = (draw(st.integers(0, 2)), groups * draw(st.integers(1, 2)), *space)
    w_shape = (groups * draw(st.integers(1, 2)), x_shape[1] // groups, *kernel)
    attributes: dict[str, Any] = {
        "stride": draw(st.tuples(*[st.integers(1, 3)] * axes)),
        "dilation": draw(st.tuples(*[st.integers(1, 2)] * axes)),
        "padding": draw(st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * axes)),
        "groups": groups,
    }
    return x_shape, w_shape, attributes


def conv_macs(window: ConvWindow) -> tuple[int, int]:
    """Walk through the definition: all products, and those on inputs alone."""
    every = inside = 0
    outputs = product(*map(range, window.out_shape[1:]))
    for co, *position in outputs:
        group = co // window.group_out
        for ci, *taps in product(
            range(window.group_in),
            *(axis.taps(o) for axis, o in zip(window.axes, position, strict=True)),
        ):
            assert 0 <= group * window.group_in + ci < window.in_channels
            every += 1
            inside += all(0 <= i < size for i, size in zip(taps, window.space, strict=True))
    return every, inside


@given(shapes())
def test_conv_counts_equal_enumeration(case: Case) -> None:
    """Trap 20."""
    x_shape, w_shape, attributes = case
    window = ConvWindow.of(x_shape, w_shape, **attributes)
    every, inside = conv_macs(window)
    assert window.connections(padding=True) == every
    assert window.connections(padding=False) == inside
    assert window.macs == x_shape[0] * every
    assert window.reduction * prod(window.out_shape[1:]) == every
    assert (window.x_shape, window.w_shape) == (x_shape, w_shape)


@given(shapes())
def test_pool_counts_equal_those_of_a_depthwise_convolution(case: Case) -> None:
    x_shape, w_shape, attributes = case
    attributes["padding"] = 0
    channels = attributes["groups"] = x_shape[1]
    depthwise = ConvWindow.of(x_shape, (channels, 1, *w_shape[2:]), **attributes)
    pool = PoolWindow.of(x_shape, w_shape[2:], stride=depthwise.stride, dilation=depthwise.dilation)
    assert pool.out_shape == depthwise.out_shape
    assert pool.connections(padding=True) == depthwise.connections(padding=True)
    assert pool.connections(padding=False) == depthwise.connections(padding=False)


@given(shapes())
def test_transposed_window_undoes_the_shape_of_its_adjoint(case: Case) -> None:
    """Trap 17: the work grows with the input positions, and w is (in, out / groups, *kernel)."""
    x_shape, w_shape, attributes = case
    attributes["padding"] = 0
    group_in, groups = w_shape[0], x_shape[1]
    w_shape = (x_shape[1], group_in, *w_shape[2:])
    attributes["groups"] = groups
    window = TransposedWindow.of(x_shape, w_shape, **attributes)
    assert (window.x_shape, window.w_shape) == (x_shape, w_shape)
    assert window.out_shape[:2] == (x_shape[0], group_in * groups)
    adjoint = window.adjoint
    assert adjoint.x_shape == window.out_shape
    assert adjoint.out_shape == window.x_shape
    assert adjoint.w_shape == window.w_shape
    assert window.macs == prod(x_shape) * group_in * prod(window.kernel)
    assert x_shape[0] * window.connections() == window.macs
    assert window.connections() == adjoint.connections(padding=False)


def test_macs_of_a_transposed_window_do_not_shrink_with_the_crop() -> None:
    window = TransposedWindow.of((2, 3, 4, 4), (3, 5, 3, 3), stride=2, padding=1)
    assert window.macs == 2 * 3 * 16 * 5 * 9
    assert window.connections() == 3 * 5 * (12 - 2) ** 2


def test_a_window_reads_back_what_it_was_made_of() -> None:
    window = ConvWindow.of(
        (2, 6, 9, 8), (4, 3, 3, 2), stride=(2, 1), padding=((1, 0), (-1, 2)), dilation=2, groups=2
    )
    assert window.space == (9, 8)
    assert window.kernel == (3, 2)
    assert window.stride == (2, 1)
    assert window.dilation == (2, 2)
    assert window.pads == ((1, 0), (-1, 2))
    assert window.out_space == (3, 7)
    assert (window.group_in, window.group_out, window.reduction) == (3, 2, 18)
    transposed = TransposedWindow.of(
        window.out_shape, window.w_shape, stride=(2, 1), padding=window.pads, dilation=2, groups=2,
        output_padding=(1, 0),
    )  # fmt: skip
    assert (transposed.group_in, transposed.group_out) == (2, 3)
    assert transposed.out_shape == window.x_shape
    assert transposed.adjoint == window


def test_pooling_strides_by_its_kernel_unless_told() -> None:
    assert PoolWindow.of((1, 1, 6, 6), (2, 3)).stride == (2, 3)
    assert PoolWindow.of((1, 1, 6, 6), (2, 3), stride=1).out_shape == (1, 1, 5, 4)
    assert PoolWindow.of((1, 1, 7), 2, ceil=True).ceil
    assert not PoolWindow.of((1, 1, 7), 2).ceil


@pytest.mark.parametrize("ceil", [False, True])
@given(st.data())
def test_pooling_refuses_windows_of_padding_and_no_others(ceil: bool, data: st.DataObject) -> None:
    """Constraint P7 is exactly "some window has no tap inside"; P8 is about ceil mode alone."""
    size, kernel = data.draw(st.integers(0, 6)), data.draw(st.integers(1, 4))
    stride, dilation = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))
    # What is cropped has to be there, or P6 refuses it.
    pad_lo = data.draw(st.integers(-(size // 2), 5))
    pad_hi = data.draw(st.integers(-(size // 2), 5))
    axis = AxisWindow(size, kernel, stride, dilation, pad_lo, pad_hi, ceil)
    good = all(any(0 <= i < axis.end for i in axis.taps(o)) for o in range(axis.out_size))
    hangs = pad_hi < 0 < axis.overhang
    refused = r"\[pool P8\]$" if good else r"\[pool P7\]$"
    good = good and not hangs
    allowed = nullcontext() if good else pytest.raises(GeometryError, match=refused)
    with allowed:
        PoolWindow.of(
            (1, 1, size),
            kernel,
            stride=stride,
            padding=((pad_lo, pad_hi),),
            dilation=dilation,
            ceil=ceil,
        )
