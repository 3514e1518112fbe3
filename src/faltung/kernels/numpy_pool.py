"""Max and average pooling in NumPy: one axis after the other, one kernel tap after the other.

A maximum or a sum over a box is one over rows, then over columns: k + k passes, not k·k, and
padding is never copied: a tap on padding is left out of its window.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import prod

import numpy as np

from faltung.geometry.axis import AxisWindow
from faltung.geometry.interval import Interval
from faltung.geometry.window import PoolWindow
from faltung.kernels.blocks import Array, image_blocks, last_axes, tap_slices


def max_pool(window: PoolWindow, x: Array) -> Array:
    """``y[n,c,o] = max x[n,c, o·stride + k·dilation - pad_lo]`` over the taps inside.

    NaN wins; a window of padding alone gives -inf.
    """
    y = np.empty(window.out_shape, x.dtype)
    for images in image_blocks(window.batch, _bytes_per_image(window, x)):
        y[images] = _max_over(window, x[images])
    return y


def max_pool_dx(window: PoolWindow, x: Array, dout: Array) -> Array:
    """Gradient of the input: all of it to the winner, the first in row-major order of a tie."""
    dx = np.zeros(window.x_shape, dout.dtype)
    for images in image_blocks(window.batch, _bytes_per_image(window, x)):
        _give_to_winners(window, x[images], dout[images], dx[images])
    return dx


def avg_pool(window: PoolWindow, x: Array, count_include_pad: bool = False) -> Array:
    """Mean over the taps inside; with `count_include_pad` over those on padding as well.

    What ceil mode hangs over the padded input never counts.
    """
    divisor = _divisor(window, count_include_pad).astype(x.dtype)
    y = np.empty(window.out_shape, x.dtype)
    for images in image_blocks(window.batch, _bytes_per_image(window, x)):
        part = x[images]
        for dim, axis in enumerate(window.axes, start=2):
            part = _sum_along(axis, part, dim)
        np.divide(part, divisor, out=y[images])
    return y


def avg_pool_dx(window: PoolWindow, dout: Array, count_include_pad: bool = False) -> Array:
    """Gradient of the input: each output's share ``dout / divisor`` to every tap inside."""
    divisor = _divisor(window, count_include_pad).astype(dout.dtype)
    dx = np.empty(window.x_shape, dout.dtype)
    for images in image_blocks(window.batch, _bytes_per_image(window, dout)):
        part = dout[images] / divisor
        for dim, axis in enumerate(window.axes, start=2):
            part = _spread_along(axis, part, dim)
        dx[images] = part
    return dx


def _bytes_per_image(window: PoolWindow, x: Array) -> int:
    return window.channels * prod(axis.size for axis in window.axes) * x.dtype.itemsize


def _places(axis: AxisWindow, rank: int, dim: int) -> list[tuple[tuple[slice, ...], ...]]:
    """For each kernel tap, the index of the outputs that have it inside and that of its inputs."""
    every = [slice(None)] * rank
    return [
        tuple((*every[:dim], place, *every[dim + 1 :]) for place in tap_slices(axis, tap, outs))
        for outs in [Interval(0, axis.out_size)]
        for tap in range(axis.kernel)
    ]


def _resized(x: Array, dim: int, size: int) -> tuple[int, ...]:
    return (*x.shape[:dim], size, *x.shape[dim + 1 :])


def _max_over(window: PoolWindow, x: Array) -> Array:
    for dim, axis in enumerate(window.axes, start=2):
        x = _max_along(axis, x, dim)
    return x


def _max_along(axis: AxisWindow, x: Array, dim: int) -> Array:
    y = np.full(_resized(x, dim, axis.out_size), -np.inf, x.dtype)
    for outs, ins in _places(axis, x.ndim, dim):
        np.maximum(y[outs], x[ins], out=y[outs])
    return y


def _sum_along(axis: AxisWindow, x: Array, dim: int) -> Array:
    y = np.zeros(_resized(x, dim, axis.out_size), x.dtype)
    for outs, ins in _places(axis, x.ndim, dim):
        y[outs] += x[ins]
    return y


def _spread_along(axis: AxisWindow, dout: Array, dim: int) -> Array:
    """The transpose of `_sum_along`."""
    dx = np.zeros(_resized(dout, dim, axis.size), dout.dtype)
    for outs, ins in _places(axis, dout.ndim, dim):
        dx[ins] += dout[outs]
    return dx


def _give_to_winners(window: PoolWindow, x: Array, dout: Array, dx: Array) -> None:
    y = _max_over(window, x)
    some_nan = bool(np.isnan(y).any())
    unclaimed = np.ones(y.shape, np.bool_)
    for taps in product(*(range(axis.kernel) for axis in window.axes)):
        places = [
            tap_slices(axis, tap, Interval(0, axis.out_size))
            for axis, tap in zip(window.axes, taps, strict=True)
        ]
        outs, ins = (last_axes(slices) for slices in zip(*places, strict=True))
        wins = x[ins] == y[outs]
        if some_nan:  # NaN equals nothing, not even itself, and wins wherever it is
            wins |= np.isnan(x[ins])
        wins &= unclaimed[outs]
        unclaimed[outs] ^= wins
        dx[ins] += _masked(dout[outs], wins)


def _masked(values: Array, keep: Array) -> Array:
    """`values` where `keep`, else 0, whatever the values: all their bits or none.

    A product would turn infinity times 0 into NaN; `np.where` takes ten times as long.
    """
    bits: Array = values.view(f"i{values.itemsize}")
    kept: Array = bits & -keep.astype(bits.dtype)
    return kept.view(values.dtype)


def _divisor(window: PoolWindow, count_include_pad: bool) -> Array:
    """How many taps each output's mean counts; at least 1, so that an empty sum is 0, not 0/0."""
    counts = np.ones((), np.int64)
    for axis in window.axes:
        counts = counts[..., np.newaxis] * _counts(axis, count_include_pad)
    return np.maximum(counts, 1)


def _counts(axis: AxisWindow, count_include_pad: bool) -> Array:
    outs = Interval(0, axis.out_size)
    if count_include_pad:  # padding becomes input; the ceil overhang stays outside
        axis = replace(axis, size=max(0, axis.padded), pad_lo=0, pad_hi=0)
    counts = np.zeros(outs.hi, np.int64)
    for tap in range(axis.kernel):
        counts[tap_slices(axis, tap, outs)[0]] += 1
    return counts
