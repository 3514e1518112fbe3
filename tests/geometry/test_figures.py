"""Published and recomputed figures that are geometry alone: fields, connections, parameters."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import pytest

from faltung.geometry import AxisTransposed, AxisWindow, ConvWindow, Interval, explicit_padding

Layer = tuple[int, int, int]  # kernel, stride, padding on each side

CONV3, POOL2 = (3, 1, 1), (2, 2, 0)
VGG16 = [
    layer
    for count in (2, 2, 3, 3, 3)
    for layer in [CONV3] * count + [POOL2]
]  # fmt: skip
VGG16_STAGE_ENDS = [2, 5, 9, 13, 17, 18]
ALEXNET = [(11, 4, 0), (3, 2, 0), (5, 1, 2), (3, 2, 0), CONV3, CONV3, CONV3, (3, 2, 0)]


def chain(layers: list[Layer], size: int) -> list[AxisWindow]:
    axes = []
    for kernel, stride, pad in layers:
        axes.append(AxisWindow(size, kernel, stride, pad_lo=pad, pad_hi=pad))
        size = axes[-1].out_size
    return axes


def field(axes: list[AxisWindow], o: int = 0) -> Interval:
    span = Interval(o, o + 1)
    for axis in reversed(axes):
        span = axis.input_span(span)
    return span


def test_field_of_vgg16() -> None:
    """Mission R1, and traps 1 and 8: 212 / 32 / 90 after the last pooling."""
    axes = chain(VGG16, 224)
    sizes = [field(axes[:depth]).size for depth in VGG16_STAGE_ENDS]
    assert sizes == [5, 14, 40, 92, 196, 212]
    assert field(axes) == Interval(-90, -90 + 212)
    assert field(axes, 1) == field(axes).shift(32)


def test_field_of_alexnet() -> None:
    axes = chain(ALEXNET, 227)
    sizes = [field(axes[:depth]).size for depth in (1, 3, 5, 6, 7, 8)]
    assert sizes == [11, 51, 99, 131, 163, 195]
    assert field(axes) == Interval(-64, -64 + 195)
    assert field(axes, 1).lo - field(axes).lo == 32


@pytest.mark.parametrize(
    ("layers", "size"),
    [
        ([(3, 1, 0)] * 1, 3),
        ([(3, 1, 0)] * 2, 5),
        ([(3, 1, 0)] * 3, 7),
        ([(7, 1, 0)], 7),
        ([(7, 2, 0), (3, 2, 0)], 11),
        ([(3, 1, 1)] * 112, 225),
    ],
)
def test_a_layers_own_stride_changes_later_layers_only(layers: list[Layer], size: int) -> None:
    """Trap 1, mission R1, R6 and P9: (k - 1) times the product of the *earlier* strides."""
    assert field(chain(layers, 500)).size == size


def test_doubling_dilation_sees_255_in_seven_layers() -> None:
    axes = [AxisWindow(500, 3, dilation=2**n) for n in range(7)]
    assert field(axes).size == 255


def test_padding_moves_the_left_edge_and_dilation_the_centre() -> None:
    """Traps 2 and 3: by -pad_lo * jump, and (d (k - 1) / 2 - pad_lo) * jump; kept as integers."""
    jump = AxisWindow(64, 3, 2, pad_lo=1, pad_hi=1)
    layer = AxisWindow(jump.out_size, 4, dilation=3, pad_lo=2, pad_hi=0)
    before, after = field([jump]), field([jump, layer])
    assert after.lo - before.lo == -2 * 2
    # Twice the centre, for an even kernel puts it between two positions.
    assert (after.lo + after.hi) - (before.lo + before.hi) == (3 * (4 - 1) - 2 * 2) * 2


def test_pool_then_upsample_depends_on_the_phase() -> None:
    """Trap 4: conv3, pool2, conv3, up2, conv3 reaches (5, 4) or (4, 5)."""
    conv, pool = AxisWindow(64, 3, pad_lo=1, pad_hi=1), AxisWindow(64, 2, 2)
    inner, up = AxisWindow(32, 3, pad_lo=1, pad_hi=1), AxisTransposed(32, 2, 2)

    def reach(o: int) -> tuple[int, int]:
        span = conv.input_span(Interval(o, o + 1))
        span = inner.input_span(up.input_span(span))
        span = conv.input_span(pool.input_span(span))
        return o - span.lo, span.hi - 1 - o

    assert {reach(o) for o in range(20, 40, 2)} == {(5, 4)}
    assert {reach(o) for o in range(21, 41, 2)} == {(4, 5)}


def test_connections_of_one_kernel_on_224() -> None:
    """Mission P4."""
    window = ConvWindow.of((1, 1, 224, 224), (1, 1, 3, 3), padding="same")
    assert window.connections(padding=True) == 451_584
    assert window.connections(padding=False) == 448_900


def with_bias(w_shape: tuple[int, ...]) -> int:
    """Trap 19: (C / groups * kernel + 1) * O."""
    window = ConvWindow.of((1, w_shape[1], *w_shape[2:]), w_shape)
    assert window.out_space == (1,) * (len(w_shape) - 2)
    return (window.reduction + 1) * window.out_channels


def test_parameters_of_a_layer_against_a_dense_one() -> None:
    """Mission P3: a dense layer is a kernel as large as the image."""
    assert with_bias((512, 3, 64, 64)) == 6_291_968
    assert with_bias((64, 3, 5, 5)) == 4_864


def test_parameters_of_lenet_and_vgg16() -> None:
    """Mission P5."""
    lenet = [(6, 1, 5, 5), (16, 6, 5, 5), (120, 16, 5, 5), (84, 120, 1, 1), (10, 84, 1, 1)]
    assert sum(map(with_bias, lenet)) == 61_706
    widths = [3, 64, 64, 128, 128, 256, 256, 256] + [512] * 6
    convolutions = [(o, i, 3, 3) for i, o in pairwise(widths)]
    dense = [(4096, 512, 7, 7), (4096, 4096, 1, 1), (1000, 4096, 1, 1)]
    assert sum(map(with_bias, convolutions)) == 14_714_688
    assert sum(map(with_bias, dense)) == 123_642_856


@pytest.mark.parametrize(
    ("space", "around", "forward"),
    [((2, 2), 16, 9), ((2, 3), 28, 15), ((3, 3), 49, 25)],
)
def test_non_zeros_of_local_layers(space: tuple[int, int], around: int, forward: int) -> None:
    """Mission L5: offsets -1..1, and 0..1, that stay on the image."""
    both = ConvWindow.of((1, 1, *space), (1, 1, 3, 3), padding=1)
    ahead = ConvWindow.of((1, 1, *space), (1, 1, 2, 2), padding=((0, 1), (0, 1)))
    assert both.connections(padding=False) == around
    assert ahead.connections(padding=False) == forward


def test_distinct_offsets_between_positions() -> None:
    """Mission L2: as many weights as a full correlation of the image with itself has outputs."""
    pads = explicit_padding("full", (1000, 1000), (1000, 1000), (1, 1), (1, 1))
    window = ConvWindow.of((1, 1, 1000, 1000), (1, 1, 1000, 1000), padding=pads)
    assert prod(window.out_space) == 3_996_001


def test_non_zeros_of_convolution_matrices() -> None:
    """Mission L6: 6 x 6 valid is 16 x 36 with nine a row; 4 x 4 same has 100 of 256."""
    valid = ConvWindow.of((1, 1, 6, 6), (1, 1, 3, 3))
    assert (prod(valid.out_space), valid.connections(padding=False)) == (16, 16 * 9)
    same = ConvWindow.of((1, 1, 4, 4), (1, 1, 3, 3), padding="same")
    assert (prod(same.out_space), same.connections(padding=False)) == (16, 100)
