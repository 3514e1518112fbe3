"""Convolutions and pooling in float64, from the positions of their taps: quick on small shapes.

For every output ``o`` and tap ``k`` the position in the input is looked up in a table; one position
more holds what stands outside. Nothing of `faltung.kernels` is used, and no sliding window: for
tests these are as independent as the definitions in `faltung.reference`, against which they are
tested themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.axis import AxisWindow
from faltung.geometry.window import ConvWindow, PoolWindow

Array = NDArray[Any]
Axes = tuple[AxisWindow, ...]


@lru_cache(8)
def places(axes: Axes) -> NDArray[np.int64]:
    """Return (taps, outputs): where each tap of each output is; the size of space for outside."""
    total, sizes = np.zeros((1, 1), np.int64), [axis.size for axis in axes]
    is_inside = np.ones((1, 1), bool)
    for axis in axes:
        at = _along(axis)
        total = (total[:, None, :, None] * axis.size + at[None, :, None, :]).reshape(
            len(total) * len(at), -1
        )
        inner = (at >= 0) & (at < axis.size)
        is_inside = (is_inside[:, None, :, None] & inner[None, :, None, :]).reshape(total.shape)
    return np.where(is_inside, total, prod(sizes))


def _along(axis: AxisWindow) -> NDArray[np.int64]:
    """Return (taps, outputs) of one axis, unclipped."""
    taps = np.arange(axis.kernel)[:, None] * axis.dilation
    return taps + np.arange(axis.out_size)[None] * axis.stride - axis.pad_lo


def under_taps(axes: Axes, x: Array, outside: float = 0.0) -> Array:
    """Return (N, C, taps, outputs): the input under each tap."""
    size = prod(x.shape[2:])
    flat = np.full((*x.shape[:2], size + 1), outside)
    flat[..., :-1] = x.reshape(*x.shape[:2], size)
    return flat[..., places(axes)]


def added(axes: Axes, columns: Array) -> Array:
    """Add (N, C, taps, outputs) to where they come from; what is outside is dropped."""
    at, images = places(axes), prod(columns.shape[:2])
    space = tuple(axis.size for axis in axes)
    size = prod(space) + 1
    index = (np.arange(images)[:, None] * size + at.reshape(1, -1)).ravel()
    sums = np.bincount(index, columns.ravel(), images * size).reshape(*columns.shape[:2], size)
    return sums[..., :-1].reshape(*columns.shape[:2], *space)


def conv(window: ConvWindow, x: Array, w: Array) -> Array:
    """Cross-correlation without bias."""
    groups, n, outputs = window.groups, window.batch, prod(window.out_space)
    columns = under_taps(window.axes, x).reshape(n, groups, window.reduction, outputs)
    weights = w.astype(np.float64).reshape(groups, window.group_out, window.reduction)
    y: Array = np.matmul(weights, columns).reshape(window.out_shape)
    return y


def conv_dx(window: ConvWindow, dout: Array, w: Array) -> Array:
    """Gradient of `conv` with respect to x."""
    groups, n, outputs = window.groups, window.batch, prod(window.out_space)
    weights = w.astype(np.float64).reshape(groups, window.group_out, -1).transpose(0, 2, 1)
    columns = np.matmul(weights, dout.reshape(n, groups, window.group_out, outputs))
    shape = (n, window.in_channels, prod(window.kernel), outputs)
    return added(window.axes, columns.reshape(shape))


def conv_dw(window: ConvWindow, x: Array, dout: Array) -> Array:
    """Gradient of `conv` with respect to w."""
    groups, n, outputs = window.groups, window.batch, prod(window.out_space)
    columns = under_taps(window.axes, x).reshape(n, groups, window.reduction, outputs)
    sums = dout.astype(np.float64).reshape(n, groups, window.group_out, outputs)
    each: Array = np.matmul(sums, columns.transpose(0, 1, 3, 2))
    dw: Array = each.sum(0)
    return dw.reshape(window.w_shape)


def max_pool(window: PoolWindow, x: Array) -> Array:
    """Largest value under each window."""
    y: Array = under_taps(window.axes, x, -np.inf).max(2)
    return y.reshape(window.out_shape)


def max_pool_dx(window: PoolWindow, x: Array, dout: Array) -> Array:
    """All to the first of the largest, in row-major order."""
    columns = under_taps(window.axes, x, -np.inf)
    taken = np.zeros_like(columns)
    first = columns.argmax(2)[:, :, None]
    np.put_along_axis(taken, first, dout.reshape(*dout.shape[:2], 1, prod(window.out_space)), 2)
    return added(window.axes, taken)


def avg_pool(window: PoolWindow, x: Array, count_include_pad: bool) -> Array:
    """Mean under each window."""
    divisors = _divisors(window, count_include_pad)
    y: Array = under_taps(window.axes, x).sum(2) / divisors
    return y.reshape(window.out_shape)


def avg_pool_dx(window: PoolWindow, dout: Array, count_include_pad: bool) -> Array:
    """An equal share to every tap inside."""
    shares = dout.reshape(*dout.shape[:2], 1, prod(window.out_space)) / _divisors(
        window, count_include_pad
    )
    taps = prod(axis.kernel for axis in window.axes)
    return added(window.axes, np.repeat(shares, taps, 2))


def _divisors(window: PoolWindow, count_include_pad: bool) -> Array:
    counts = np.ones(1)
    for axis in window.axes:
        at = _along(axis)
        low, high = 0, axis.size
        if count_include_pad:
            low, high = -axis.pad_lo, axis.size + axis.pad_hi
        counts = np.outer(counts, ((at >= low) & (at < high)).sum(0)).ravel()
    return np.maximum(counts, 1)


def largest_read(axes: Axes, x: Array, block: int) -> Array:
    """Return, for each output, the largest number that its block of a forward pass may read.

    A block is so many outputs on each axis, counted from the first, of every phase of a dilation;
    its taps are rounded up to whole strides, as phases have equally many.

    Returns
    -------
    array (N, *out)
    """
    sizes: Array = np.abs(x).max(1, initial=0.0)
    for i, axis in enumerate(axes, 1):
        extent = -(-axis.extent // axis.stride) * axis.stride
        spans, size = [], _size(axis, block)
        for o in range(0, axis.out_size, size):
            low = o * axis.stride - axis.pad_lo
            high = low + (size - 1) * axis.stride + extent
            spans.append((low, high, min(size, axis.out_size - o)))
        sizes = _spread(sizes, i, spans)
    return sizes


def largest_read_by_dx(axes: Axes, x: Array, block: int) -> Array:
    """Return the same for ``dx``, of which x here is what it reads: the outputs' gradient."""
    sizes: Array = np.abs(x).max(1, initial=0.0)
    for i, axis in enumerate(axes, 1):
        extent = -(-axis.extent // axis.stride) * axis.stride
        spans, size = [], _size(axis, block)
        for o in range(0, axis.size, size):
            low = -(-(o + axis.pad_lo - extent + 1) // axis.stride)
            high = (o + size - 1 + axis.pad_lo) // axis.stride + 1
            spans.append((low, high, min(size, axis.size - o)))
        sizes = _spread(sizes, i, spans)
    return sizes


def _size(axis: AxisWindow, block: int) -> int:
    """Return how many outputs beside each other are in the blocks of all phases."""
    return block * axis.dilation if block > 1 else block


def _spread(sizes: Array, axis: int, spans: list[tuple[int, int, int]]) -> Array:
    """Return the largest of each half-open span along an axis, so many times."""
    moved, parts = np.moveaxis(sizes, axis, -1), []
    for low, high, times in spans:
        largest = moved[..., max(0, low) : max(0, high)].max(-1, initial=0.0)
        parts.append(np.repeat(largest[..., None], times, -1))
    joined = np.concatenate(parts, -1) if parts else moved[..., :0]
    return np.moveaxis(joined, -1, axis)


def block_sums(
    operation: str, block: int, window: ConvWindow, numbers: Mapping[str, Array]
) -> Array:
    """Return ``max|x| over the block * Σ|w|`` for each output: what rounding in blocks grows with.

    Parameters
    ----------
    operation
        ``"conv"``, ``"conv_dx"`` or ``"conv_dw"``.
    block
        Outputs on each axis that share their rounding.
    window
        Of the convolution.
    numbers
        What it reads, by name: ``x`` or ``dout`` and ``w``; ``x`` and ``dout`` for ``conv_dw``.
    """
    groups, axes = window.groups, window.axes
    spread = (1,) * len(axes)
    if operation == "conv_dw":
        space = (0, *range(2, 2 + len(axes)))
        largest = np.abs(numbers["x"]).max(space, initial=0.0).reshape(groups, 1, -1)
        sums = np.abs(numbers["dout"]).sum(space, dtype=np.float64)
        each = sums.reshape(groups, -1, 1) * largest
        full: Array = np.broadcast_to(each.reshape(*window.w_shape[:2], *spread), window.w_shape)
        return full
    weights = np.abs(numbers["w"]).reshape(groups, window.group_out, window.group_in, -1)
    is_forward = operation == "conv"
    sums = weights.sum((2, 3) if is_forward else (1, 3), dtype=np.float64)
    read = numbers["x" if is_forward else "dout"]
    find = largest_read if is_forward else largest_read_by_dx
    parts = [
        find(axes, part, block)[:, None] * sums[g].reshape(1, -1, *spread)
        for g, part in enumerate(np.split(read, groups, 1))
    ]
    return np.concatenate(parts, 1)
