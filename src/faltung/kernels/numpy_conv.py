"""Convolution and its two gradients as matrix products, in NumPy alone.

The inputs that each output reads are copied out into columns (im2col), a block at a time::

    y[n]    = w · cols[n]        (O, C·taps) · (C·taps, positions)
    dcols[n] = wᵀ · dout[n]      added back to where the columns came from (col2im)
    dw      = Σ_n dout[n] · cols[n]ᵀ

Each image is a product of its own, so forward and dx give an image the same bits in any batch.
A padded position is a zero like any other: an infinite weight times it is NaN.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from faltung.geometry.adjoint import data_gradient
from faltung.geometry.window import ConvWindow
from faltung.kernels.blocks import (
    Array,
    Box,
    cut,
    image_blocks,
    last_axes,
    output_boxes,
    run_of,
    scratch,
    tap_slices,
)
from faltung.kernels.threads import in_order


def conv(window: ConvWindow, x: Array, w: Array, b: Array | None = None) -> Array:
    """``y[n,co,o] = b[co] + Σ x[n,ci, o·stride + k·dilation - pad_lo] · w[co,ci,k]``."""
    groups, group_out = window.groups, window.group_out
    y = np.empty(window.out_shape, x.dtype)
    outs = y.reshape(window.batch, groups, group_out, prod(window.out_space))
    weights = w.reshape(groups, group_out, window.reduction)
    bias = None if b is None else b.reshape(groups, group_out, 1)

    def work(block: tuple[slice, Box]) -> None:
        images, box = block
        part = outs[images, ..., run_of(box, window.out_space)]
        np.matmul(weights, _columns(window, x[images], box), out=part)
        if bias is not None:
            part += bias

    for _ in in_order(work, _blocks(window, x.dtype)):
        pass
    return y


def conv_dx(window: ConvWindow, dout: Array, w: Array) -> Array:
    """Gradient of the input: ``wᵀ · dout``, each tap added to the input it was read from."""
    groups, group_out = window.groups, window.group_out
    dx = np.zeros(window.x_shape, dout.dtype)
    douts = dout.reshape(window.batch, groups, group_out, prod(window.out_space))
    weights = w.reshape(groups, group_out, window.reduction).swapaxes(1, 2)

    def work(images: slice, boxes: list[Box]) -> None:
        for box in boxes:
            part = douts[images, ..., run_of(box, window.out_space)]
            shape = (len(part), groups, window.reduction, part.shape[-1])
            dcols = np.matmul(weights, part, out=scratch("columns", shape, dout.dtype))
            _add_columns(window, dcols, dx[images], box)

    # Boxes of one image overlap in dx, so that one thread takes all of them, in their order.
    by_images: dict[tuple[int, int], list[Box]] = {}
    for images, box in _blocks(window, dout.dtype):
        by_images.setdefault((images.start, images.stop), []).append(box)
    for _ in in_order(lambda item: work(slice(*item[0]), item[1]), by_images.items()):
        pass
    return dx


def conv_dx_adjoint(window: ConvWindow, dout: Array, w: Array) -> Array:
    """Gradient of the input of a stride-1 convolution, as the adjoint convolution of `dout`.

    Channels change places and the kernel is turned round on every axis. The zeros that pad `dout`
    must not meet weights that are infinite or NaN: those go the other way.
    """
    if not np.isfinite(w).all():
        return conv_dx(window, dout, w)
    taps = tuple(range(3, 3 + len(window.kernel)))
    grouped = w.reshape(window.groups, window.group_out, window.group_in, *window.kernel)
    turned = np.flip(grouped, taps).swapaxes(1, 2)
    adjoint = ConvWindow(
        axes=tuple(data_gradient(axis) for axis in window.axes),
        batch=window.batch,
        in_channels=window.out_channels,
        out_channels=window.in_channels,
        groups=window.groups,
    )
    return conv(adjoint, dout, turned.reshape(adjoint.w_shape))


def conv_dw(window: ConvWindow, x: Array, dout: Array) -> Array:
    """Gradient of the weights, summed over the batch: ``Σ_n dout[n] · cols[n]ᵀ``.

    Blocks are added in their order, in float64.
    """
    groups, group_out = window.groups, window.group_out
    dw = np.zeros((groups, group_out, window.reduction), np.float64)
    douts = dout.reshape(window.batch, groups, group_out, prod(window.out_space))

    def work(block: tuple[slice, Box]) -> Array:
        images, box = block
        cols = _columns(window, x[images], box, batch_last=True)
        part = douts[images, ..., run_of(box, window.out_space)].transpose(1, 2, 0, 3)
        product: Array = part.reshape(groups, group_out, cols.shape[-1]) @ cols.swapaxes(1, 2)
        return product

    for part in in_order(work, _blocks(window, x.dtype)):
        dw += part
    return dw.astype(x.dtype).reshape(window.w_shape)


def _blocks(window: ConvWindow, dtype: np.dtype) -> Iterator[tuple[slice, Box]]:
    """Blocks of images, and inside each one boxes of outputs."""
    position = window.in_channels * prod(window.kernel) * dtype.itemsize
    for images in image_blocks(window.batch, position * prod(window.out_space)):
        for box in output_boxes(window.out_space, position):
            yield images, box


def _columns(window: ConvWindow, x: Array, box: Box, batch_last: bool = False) -> Array:
    """What the outputs of a box read: (images, groups, C/groups·taps, positions).

    With `batch_last` it is (groups, C/groups·taps, images·positions), which sums over the batch.
    """
    spans = [axis.input_span(span) for axis, span in zip(window.axes, box, strict=True)]
    view = _windows(window, cut(x, spans))
    rank, groups = len(window.axes), window.groups
    if batch_last:
        view = view.transpose(*range(1, 2 + rank), 0, *range(2 + rank, 2 + 2 * rank))
    cols = view
    if not view.flags.c_contiguous:  # a 1×1 convolution may read its input as it is
        cols = scratch("columns", view.shape, view.dtype)
        np.copyto(cols, view)
    positions = prod(span.size for span in box)
    if batch_last:
        return cols.reshape(groups, window.reduction, len(x) * positions)
    return cols.reshape(len(x), groups, window.reduction, positions)


def _windows(window: ConvWindow, part: Array) -> Array:
    """Every window over `part` as a view: (images, C, *kernel, *outputs)."""
    space = tuple(range(2, part.ndim))
    extents = tuple(axis.extent for axis in window.axes)
    view = sliding_window_view(part, extents, axis=space)
    steps = [axis.stride for axis in window.axes] + [axis.dilation for axis in window.axes]
    view = view[last_axes(slice(None, None, step) for step in steps)]
    rank = len(space)
    return view.transpose(0, 1, *range(2 + rank, 2 + 2 * rank), *space)


def _add_columns(window: ConvWindow, dcols: Array, dx: Array, box: Box) -> None:
    """Add each tap's row of columns to the inputs it was read from (col2im)."""
    sizes = (span.size for span in box)
    dcols = dcols.reshape(len(dx), window.in_channels, prod(window.kernel), *sizes)
    for row, taps in enumerate(product(*map(range, window.kernel))):
        places = [tap_slices(*at) for at in zip(window.axes, taps, box, strict=True)]
        outs, ins = (last_axes(slices) for slices in zip(*places, strict=True))
        dx[ins] += dcols[:, :, row][outs]
