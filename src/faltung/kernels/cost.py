"""What a kernel takes: an estimate from the geometry, in cycles, for the choice between rows.

Estimates are of one image, on one core of a CPU with AVX-512, at the clock it computes with. On a
narrower CPU everything takes longer, about alike, so the order of the rows stays. They never look
at the batch, at threads, or at a clock: an image must have the same bits in any batch.

A row's estimate is the sum of what it does, each part counted by one of the functions here:
products (`products`, `block_products`), weights put into another order (`packing`), numbers copied
or transformed (`moved`), the result's fresh memory (`results`), and the call itself (`CALL`,
`NUMPY_CALL`). The constants were measured on a Zen 5 core; what they are for is to be right within
a third, not to be exact.
"""

from __future__ import annotations

from math import prod
from typing import Any, Final

import numpy as np

from faltung.geometry.window import ConvWindow, PoolWindow
from faltung.kernels.reaches import reaches, three_axes

VECTOR: Final = 64
"""Bytes of a vector."""
CALL: Final = 12_000.0
"""Cycles of one call of a compiled kernel: arguments, memory, threads."""
NUMPY_CALL: Final = 150_000.0
"""Cycles of one call of a NumPy row: views, blocks, a handful of NumPy functions."""
OWN: Final = 1 << 20
"""Bytes of a core's own cache."""
BATCH: Final = 32
"""Images that share what the weights' gradient does once for a batch, whatever batch comes."""

WIDE: Final = ((24, 1), (14, 2), (8, 3), (6, 4), (4, 6), (2, 8), (1, 8))
"""Register blocks: broadcast numbers by vectors."""


def macs(window: ConvWindow) -> int:
    """Multiplications and additions of the direct algorithm for one image.

    >>> macs(ConvWindow.of((8, 1, 5, 5), (1, 1, 3, 3)))
    81
    """
    return window.reduction * window.out_channels * prod(window.out_space)


def lanes(dtype: np.dtype[Any]) -> int:
    """Numbers in a vector."""
    return VECTOR // dtype.itemsize


def products(count: float, dtype: np.dtype[Any], share: float = 0.85) -> float:
    """Cycles of so many multiplications and additions, at a share of the two vectors a cycle.

    >>> products(3200, np.dtype(np.float32), share=1.0)
    100.0
    """
    return count / (2 * lanes(dtype) * share)


def block_products(
    broadcast: int, across: int, terms: float, block: tuple[int, int], dtype: np.dtype[Any]
) -> float:
    """Cycles of a register block's loop: filled to whole blocks, and no faster than it can load.

    A CPU multiplies two vectors a cycle, and broadcasts two numbers, but it loads one vector only
    where no vector begins.

    Parameters
    ----------
    broadcast, across
        Sizes of the result: along the numbers that are broadcast, and along the lanes.
    terms
        Products that one result sums.
    block
        Broadcast numbers, and vectors, whose sums are in registers together.
    dtype
        Of the numbers.

    Examples
    --------
    >>> block_products(14, 32, 100, (14, 2), np.dtype(np.float32))
    1400.0
    """
    rows, vectors = block
    blocks = -(-broadcast // rows) * -(-across // (vectors * lanes(dtype)))
    return blocks * terms * max(rows * vectors, rows + 2 * vectors) / 2


def moved(numbers: float, dtype: np.dtype[Any], cycles: float = 0.7) -> float:
    """Cycles to copy so many numbers within a core's cache, at so many a float32 number."""
    return numbers * cycles * dtype.itemsize / 4


def packing(
    window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool, cycles: float = 1.3
) -> float:
    """Cycles to bring all weights into the order of a kernel; none if that was done before.

    `cycles` is for one float32 weight; a transform that makes more of them takes more.
    """
    return 0.0 if is_prepared else moved(prod(window.w_shape), dtype, cycles)


def streamed(numbers: float, dtype: np.dtype[Any]) -> float:
    """Cycles to read numbers from the caches that cores share; none for what a core's own holds."""
    size = numbers * dtype.itemsize
    return size / 1.8 if size > OWN else 0.0


def results(shape: tuple[int, ...], dtype: np.dtype[Any]) -> float:
    """Cycles to write one image's result to memory; `shape` has the batch in front."""
    return moved(prod(shape[1:]), dtype, 0.2)


# The rows of `direct*` and `numpy_*` ----------------------------------------------------------


def conv_direct(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Pixels in the lanes: a strip for each column of the kernel, register blocks into y."""
    depth, high, last = three_axes(window.axes)
    rows = min(high.kernel, high.stride) * (high.out_size + high.extent // high.stride)
    rows *= depth.kernel * depth.out_size
    vectors = window.group_in * rows * last.kernel * -(-last.out_size // lanes(dtype))
    each = 4.0 if last.stride <= 4 else 4.0 * lanes(dtype)  # dealt in registers, or one by one
    pixels, planes = prod(window.out_space), window.group_in * prod(window.kernel)
    work = _direct(window.group_out, pixels, window.reduction, vectors, each, dtype) + 12.0 * planes
    weights = streamed(prod(window.w_shape), dtype)
    return CALL + window.groups * work + weights + results(window.out_shape, dtype)


def _direct(
    outputs: int, pixels: int, terms: int, vectors: int, each: float, dtype: np.dtype[Any]
) -> float:
    """Cycles of one group: register blocks, and vectors of the strip that take so many each."""
    blocks = min(block_products(outputs, pixels, terms, block, dtype) for block in WIDE)
    if vectors * VECTOR > OWN / 6:
        each += 1.5 * -(-outputs // 8)  # from the second-level cache for each few outputs
    return blocks / 0.88 + vectors * each


def conv_im2col(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Columns of all windows, and a matrix product."""
    return (
        NUMPY_CALL
        + _columns(window, dtype, 1.3)
        + _blas(window, dtype)
        + results(window.out_shape, dtype)
    )


def conv_dx_direct(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """The same for each phase of the stride: as many products as forward; phases are woven."""
    axes = depth, rows, columns = reaches(window, is_backward=True)
    across = -(-columns.grid // lanes(dtype))
    planes, lines = depth.grid * depth.span, rows.grid + rows.span - 1
    vectors = window.group_out * planes * lines * columns.span * across
    terms = window.group_out * prod(sum(map(len, axis.phases)) for axis in axes)
    pixels = prod(axis.grid for axis in axes)
    woven = across * len(columns.phases) * window.group_in * depth.result * rows.result
    work = _direct(window.group_in, pixels, terms, vectors, 4.0, dtype)
    is_dealt = len(columns.phases) > 1
    if is_dealt:  # sums are short, and each goes through working memory
        work = 1.12 * work + 8.0 * woven
    work += 30.0 * window.group_out * planes * columns.span
    return (
        CALL
        + packing(window, dtype, is_prepared, 8.0 if is_dealt else 1.5)
        + window.groups * work
        + results(window.x_shape, dtype)
    )


def conv_dx_adjoint(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """The convolution of `dout` with the weights turned round, by columns."""
    numbers = window.out_channels * prod(window.kernel) * prod(window.space)
    return (
        1.5 * NUMPY_CALL
        + packing(window, dtype, is_prepared, 3.0)
        + moved(numbers, dtype, 2.0)
        + _blas(window, dtype)
        + results(window.x_shape, dtype)
    )


def conv_dx_col2im(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """A matrix product, and its columns added back tap by tap: slow for many taps."""
    each = 2.4 * (1 + prod(window.kernel) / 50)
    return (
        1.3 * NUMPY_CALL
        + _columns(window, dtype, each)
        + _blas(window, dtype)
        + results(window.x_shape, dtype)
    )


def conv_dw_im2col(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Columns of all windows, and a matrix product with `dout`."""
    return (
        NUMPY_CALL
        + _columns(window, dtype, 1.5)
        + _blas(window, dtype)
        + prod(window.w_shape) * 4 / BATCH
    )


def pool_taps(window: PoolWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """NumPy, one pass over the outputs for each tap of the window."""
    outputs = window.channels * prod(axis.out_size for axis in window.axes)
    return NUMPY_CALL + moved(outputs * prod(axis.kernel for axis in window.axes), dtype, 1.5)


def pool_dx_taps(window: PoolWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """The same with two arrays, and an addition."""
    return 3 * pool_taps(window, dtype, is_prepared)


def _columns(window: ConvWindow, dtype: np.dtype[Any], cycles: float) -> float:
    numbers = window.groups * window.reduction * prod(window.out_space)
    return moved(numbers, dtype, cycles)


def _blas(window: ConvWindow, dtype: np.dtype[Any]) -> float:
    """A matrix product of NumPy's by blocks; with few columns, the time to read the weights."""
    reading = moved(prod(window.w_shape), dtype, 0.3)
    return max(products(macs(window), dtype, 0.43), reading)
