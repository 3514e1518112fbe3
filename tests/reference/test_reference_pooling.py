"""Pooling against convolution, PyTorch and differences, with the traps of its borders."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from faltung.errors import GeometryError
from faltung.reference import (
    avg_pool,
    avg_pool_dx,
    conv_strided,
    global_avg_pool,
    global_avg_pool_dx,
    global_max_pool,
    global_max_pool_dx,
    max_pool,
    max_pool_dx,
)
from faltung.reference.arrays import padded

# Every mean over at most 12 taps of multiples of this is a whole number: sums stay exact.
ALL_DIVISORS = math.lcm(*range(1, 13))


@dataclass(frozen=True)
class Case:
    x: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    out_space: tuple[int, ...] | None = None

    @property
    def steps(self) -> dict[str, Any]:
        return {
            name: getattr(self, name)
            for name in ("kernel", "stride", "pads", "dilation", "out_space")
        }

    def reaching(self) -> tuple[tuple[int, int], ...]:
        """The pads, longer at the end where windows of ceil mode reach past it."""
        if self.out_space is None:
            return self.pads
        axes = zip(
            self.x[2:],
            self.kernel,
            self.stride,
            self.pads,
            self.dilation,
            self.out_space,
            strict=True,
        )
        return tuple(
            (lo, max(hi, (o - 1) * s + d * (k - 1) + 1 - n - lo))
            for n, k, s, (lo, hi), d, o in axes
        )


CASES = {
    "pairs": Case((2, 3, 4, 6), (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)),
    "overlap": Case((1, 2, 5, 6), (3, 2), (1, 2), ((0, 0), (0, 0)), (1, 1)),
    "dropped": Case((1, 1, 5, 7), (2, 3), (2, 3), ((0, 0), (0, 0)), (1, 1)),
    "padded": Case((1, 2, 5, 5), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1)),
    "asymmetric": Case((2, 1, 4, 5), (3, 4), (1, 2), ((2, 0), (0, 3)), (1, 1)),
    "dilated": Case((1, 1, 7, 6), (3, 2), (1, 2), ((1, 0), (1, 1)), (2, 3)),
    "stride_over_kernel": Case((1, 1, 7, 7), (1, 2), (3, 4), ((0, 0), (0, 1)), (1, 1)),
    "cropped": Case((1, 1, 6, 5), (2, 2), (2, 1), ((-1, 0), (1, -2)), (1, 1)),
    "padding_alone": Case((1, 1, 2, 1), (2, 1), (1, 1), ((2, 2), (1, 0)), (1, 1)),
    "ceil": Case((1, 2, 4, 5), (3, 2), (2, 2), ((1, 1), (0, 0)), (1, 1), (3, 3)),
    "ceil_dilated": Case((1, 1, 6, 5), (2, 3), (3, 2), ((0, 0), (1, 0)), (2, 1), (3, 3)),
    "signal": Case((2, 2, 9), (4,), (3,), ((1, 0),), (1,), (3,)),
    "volume": Case((1, 2, 3, 4, 3), (2, 2, 3), (1, 2, 1), ((0, 1), (0, 0), (1, 1)), (1, 1, 1)),
    "nothing_fits": Case((1, 1, 2, 2), (3, 3), (1, 1), ((0, 0), (0, 0)), (1, 1)),
    "no_batch": Case((0, 1, 2, 2), (2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)),
    "no_width": Case((1, 1, 2, 0), (1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1)),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def pool(request: pytest.FixtureRequest) -> Case:
    chosen: Case = request.param
    return chosen


def depthwise_ones(x, case, pads):
    """The sum of each window, by a convolution."""
    ones = np.ones((x.shape[1], 1, *case.kernel))
    return conv_strided(
        x, ones, stride=case.stride, dilation=case.dilation, pads=pads, groups=x.shape[1]
    )


@pytest.mark.parametrize("count_include_pad", [False, True])
def test_a_mean_is_the_sum_of_a_window_over_its_count(pool, whole, count_include_pad):
    """Trap 12: padding counts or not; what ceil mode reaches past it never does."""
    x = whole(*pool.x) * ALL_DIVISORS
    total = depthwise_ones(x, pool, pool.reaching())
    counted = np.ones_like(x)
    beyond = pool.reaching()
    if count_include_pad:
        counted = np.ones_like(padded(x, pool.pads))
        beyond = [(0, more - hi) for (_, more), (_, hi) in zip(beyond, pool.pads, strict=True)]
    count = depthwise_ones(counted, pool, beyond)
    y = avg_pool(x, **pool.steps, count_include_pad=count_include_pad)
    np.testing.assert_array_equal(y, total / np.maximum(count, 1), strict=True)


def test_a_maximum_equals_pytorchs_where_padding_is_minus_infinity(pool, whole, torch):
    x = whole(*pool.x)
    y = max_pool(x, **pool.steps)
    if y.size == 0:
        return  # which PyTorch refuses; the shape is held to avg_pool's below
    flat = [pad for lo_hi in reversed(pool.reaching()) for pad in lo_hi]
    wider = torch.nn.functional.pad(torch.from_numpy(x), flat, value=-np.inf)
    pool_of = getattr(torch.nn.functional, f"max_pool{x.ndim - 2}d")
    expected = pool_of(wider, pool.kernel, pool.stride, dilation=pool.dilation)
    np.testing.assert_array_equal(y, expected.numpy(), strict=True)


def test_maximum_and_mean_have_one_shape(pool, whole):
    x = whole(*pool.x)
    assert max_pool(x, **pool.steps).shape == avg_pool(x, **pool.steps).shape


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pad", "out"), [(10, 1, 2, 0, 5), (9, 4, 4, 2, 3)]
)
def test_ceil_mode_has_no_window_that_starts_past_the_input(size, kernel, stride, pad, out, torch):
    """Trap 11: the last window must start inside the input or its left padding."""
    x = np.arange(float(size)).reshape(1, 1, size)
    expected = torch.nn.functional.max_pool1d(
        torch.from_numpy(x), kernel, stride, pad, ceil_mode=True
    ).numpy()
    y = max_pool(x, [kernel], stride=[stride], pads=[(pad, pad)], out_space=[out])
    np.testing.assert_array_equal(y, expected, strict=True)


@pytest.mark.parametrize("count_include_pad", [False, True])
def test_ceil_mode_equals_pytorch(count_include_pad, whole, torch):
    x = whole(1, 2, 4, 7) * ALL_DIVISORS
    expected = torch.nn.functional.avg_pool2d(
        torch.from_numpy(x), 3, 2, 1, ceil_mode=True, count_include_pad=count_include_pad
    ).numpy()
    steps = {"stride": (2, 2), "pads": ((1, 1), (1, 1)), "out_space": (3, 4)}
    y = avg_pool(x, (3, 3), **steps, count_include_pad=count_include_pad)
    np.testing.assert_array_equal(y, expected, strict=True)


def test_golden_mean_with_padding_counted_and_ceil_overhang_not():
    """Trap 12: 1..16 on 4×4, kernel 3, stride 2, padding 1, ceil."""
    x = np.arange(1, 17).reshape(1, 1, 4, 4)
    y = avg_pool(
        x, (3, 3), stride=(2, 2), pads=((1, 1), (1, 1)), out_space=(3, 3), count_include_pad=True
    )
    expected = [[14 / 9, 30 / 9, 2], [57 / 9, 11, 6], [4.5, 7.5, 4]]
    np.testing.assert_array_equal(y, [[expected]])
    np.testing.assert_array_equal(
        y.round(4), [[[[1.5556, 3.3333, 2], [6.3333, 11, 6], [4.5, 7.5, 4]]]]
    )


def test_padding_never_wins_a_maximum():
    """Trap 13: it is −∞, not 0."""
    y = max_pool([[[-5, -7]]], [2], stride=[1], pads=[(1, 1)])
    np.testing.assert_array_equal(y, [[[-5, -5, -7]]])


def test_a_window_of_padding_alone_is_minus_infinity_or_zero():
    steps = {"stride": [1], "pads": [(2, 0)]}
    np.testing.assert_array_equal(max_pool([[[3]]], [2], **steps), [[[-np.inf, 3]]])
    np.testing.assert_array_equal(avg_pool([[[3]]], [2], **steps), [[[0, 3]]])
    np.testing.assert_array_equal(max_pool_dx([[[3]]], [[[5, 7]]], [2], **steps), [[[7]]])
    np.testing.assert_array_equal(avg_pool_dx([[[5, 7]]], (1, 1, 1), [2], **steps), [[[7]]])


def test_of_equal_values_the_first_in_row_major_order_takes_all():
    """Trap 13: one winner, and which."""
    x = [[[[1, 4, 0], [4, 4, 4], [0, 0, 4]]]]
    dx = max_pool_dx(x, [[[[10, 20], [30, 40]]]], (2, 2), stride=(1, 1))
    np.testing.assert_array_equal(dx, [[[[0, 30, 0], [30, 40, 0], [0, 0, 0]]]])


def test_minus_infinity_in_the_input_wins_against_padding():
    dx = max_pool_dx([[[-np.inf, -np.inf]]], [[[5]]], [3], pads=[(1, 0)])
    np.testing.assert_array_equal(dx, [[[5, 0]]])


def test_nan_wins_a_maximum_and_takes_its_gradient():
    x = [[[1, np.nan, np.inf, 2]]]
    np.testing.assert_array_equal(max_pool(x, [2]), [[[np.nan, np.inf]]])
    np.testing.assert_array_equal(max_pool(x, [3], stride=[1]), [[[np.nan, np.nan]]])
    dx = max_pool_dx(x, [[[3, 5]]], [3], stride=[1])
    np.testing.assert_array_equal(dx, [[[0, 8, 0, 0]]])


def test_nan_and_infinity_spread_through_means_to_their_windows_alone():
    y = avg_pool([[[1, np.nan, np.inf, 2, 3, 5]]], [2])
    np.testing.assert_array_equal(y, [[[np.nan, np.inf, 4]]])


def test_max_pool_dx_equals_central_differences(pool, whole):
    """All values are 2 apart: half a step changes no winner, and the difference is exact."""
    rng = np.random.default_rng(7)
    x = 2.0 * rng.permutation(math.prod(pool.x)).reshape(pool.x)
    y = max_pool(x, **pool.steps)
    dout, v = whole(*y.shape), rng.integers(-1, 2, pool.x) / 2
    dx = max_pool_dx(x, dout, **pool.steps)
    ahead, behind = max_pool(x + v, **pool.steps), max_pool(x - v, **pool.steps)
    some = np.isfinite(y)  # windows of padding alone stay at −∞
    assert dx.shape == x.shape
    assert np.vdot(ahead[some] - behind[some], dout[some]) / 2 == np.vdot(dx, v)


@pytest.mark.parametrize("count_include_pad", [False, True])
def test_avg_pool_dx_is_the_adjoint(pool, whole, count_include_pad):
    """The mean is linear: ``<avg_pool(x), dout> = <x, avg_pool_dx(dout)>``."""
    steps = pool.steps | {"count_include_pad": count_include_pad}
    x = whole(*pool.x) * ALL_DIVISORS
    y = avg_pool(x, **steps)
    dout = whole(*y.shape) * ALL_DIVISORS
    dx = avg_pool_dx(dout, x.shape, **steps)
    assert dx.shape == x.shape
    assert np.vdot(y, dout) == np.vdot(x, dx)


def test_gradients_equal_pytorch(whole, torch):
    x = torch.from_numpy(whole(2, 3, 7, 6) * ALL_DIVISORS).requires_grad_()
    steps = {"stride": (2, 2), "pads": ((1, 1), (1, 1)), "out_space": (4, 4)}
    for of, theirs in [("max", {}), ("avg", {"count_include_pad": False})]:
        pool_of = getattr(torch.nn.functional, f"{of}_pool2d")
        y = pool_of(x, 3, 2, 1, ceil_mode=True, **theirs)
        dout = whole(*y.shape) * ALL_DIVISORS
        (expected,) = torch.autograd.grad(y, x, torch.from_numpy(dout))
        if of == "max":
            dx = max_pool_dx(x.detach().numpy(), dout, (3, 3), **steps)
        else:
            dx = avg_pool_dx(dout, x.shape, (3, 3), **steps)
        np.testing.assert_array_equal(dx, expected.numpy(), strict=True)


def test_windows_lie_side_by_side_where_no_stride_is_given():
    np.testing.assert_array_equal(max_pool([[[1, 2, 3, 4, 5]]], [2]), [[[2, 4]]])
    np.testing.assert_array_equal(avg_pool([[[1, 2, 3, 4, 5]]], [2]), [[[1.5, 3.5]]])


@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 3, 4, 2), (1, 2, 3, 2, 2)])
def test_global_pooling_is_one_window(shape, whole):
    x = whole(*shape) * ALL_DIVISORS * 20
    np.testing.assert_array_equal(global_max_pool(x), max_pool(x, shape[2:]), strict=True)
    np.testing.assert_array_equal(global_avg_pool(x), avg_pool(x, shape[2:]), strict=True)
    dout = whole(*global_max_pool(x).shape)
    dx = max_pool_dx(x, dout, shape[2:])
    np.testing.assert_array_equal(global_max_pool_dx(x, dout), dx, strict=True)
    dx = avg_pool_dx(dout, x.shape, shape[2:])
    np.testing.assert_array_equal(global_avg_pool_dx(dout, x.shape), dx, strict=True)


def test_global_pooling_of_no_positions():
    x = np.zeros((1, 1, 2, 0))
    np.testing.assert_array_equal(global_max_pool(x), [[[[-np.inf]]]])
    np.testing.assert_array_equal(global_avg_pool(x), [[[[0]]]])
    assert global_max_pool_dx(x, [[[[1]]]]).shape == x.shape
    assert global_avg_pool_dx([[[[1]]]], x.shape).shape == x.shape


def test_a_gradient_of_another_shape_is_refused():
    x = np.zeros((1, 2, 4))
    text = (
        r"pool: dout must have the output's shape, got dout.shape=\(1, 1, 2\), output=\(1, 2, 2\)"
    )
    with pytest.raises(GeometryError, match=text):
        max_pool_dx(x, np.zeros((1, 1, 2)), [2])
    with pytest.raises(GeometryError, match=text):
        avg_pool_dx(np.zeros((1, 1, 2)), x.shape, [2])
    with pytest.raises(GeometryError, match=r"output=\(1, 2, 3\)"):
        max_pool_dx(x, np.zeros((1, 2, 2)), [2], out_space=[3])
