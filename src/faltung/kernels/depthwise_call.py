"""Depthwise convolution and its data gradient as the registry calls them."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.adjoint import GradientPhase, data_gradient_phases
from faltung.geometry.axis import AxisWindow
from faltung.geometry.window import ConvWindow
from faltung.kernels import memory, numpy_conv
from faltung.kernels.depthwise import FIELDS, depthwise_block
from faltung.kernels.depthwise_rows import CHUNK, Block, Group
from faltung.kernels.epilogue import PLAIN, Epilogue
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.pointwise_call import no_bias
from faltung.kernels.reaches import three_axes

Array = NDArray[Any]

UNROLLED: Final = 100
"""Products that are written out at most for one vector of each output row; more are looped over."""
BLOCK_MACS: Final = 150_000
"""Products of one block of work, at least: some microseconds."""
STRIP_MACS: Final = 1_500_000
"""Products of one strip of a plane, at most: large planes are shared between threads."""


class Layout(NamedTuple):
    """How the work of one geometry is cut, and what `FIELDS` hold but for the addresses."""

    block: Block
    blocks: int
    fields: dict[str, int]


def conv(
    window: ConvWindow,
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    out: Array | None = None,
    packed: Array | None = None,
    epilogue: Epilogue = PLAIN,
) -> Array:
    """Convolve each channel by itself: ``y[n, co] = b[co] + Σ w[co, 0, k] x[n, co // m, ·]``.

    Parameters
    ----------
    window : ConvWindow
        The geometry, with as many groups as input channels.
    x : array (N, C, *space), float32 or float64
        Input.
    w : array (C * m, 1, *kernel), of the same dtype
        Weights.
    b : array (C * m,), optional
        Bias.
    out : array (N, C * m, *out_space), optional
        C-contiguous, of the same dtype: where the result goes.
    packed : array, optional
        Not used: weights are read as they lie.
    epilogue : Epilogue
        What follows the sum.
    """
    isa = required_isa("conv_depthwise_any_nchw")
    y = memory.empty(window.out_shape, x.dtype) if out is None else out
    if not y.size:
        return y
    layout = _forward(window, x.dtype, isa)
    _launched(layout, isa, x, w, b, y, epilogue)
    return y


def conv_dx(window: ConvWindow, dout: Array, w: Array) -> Array:
    """Return the gradient of the input: ``dx[i] = Σ dout[o] w[k]`` over all (o, k) that read i.

    Rows and planes whose position has the same remainder modulo the stride make one pass, as in
    `direct_dx`; columns of all remainders are made together, and woven into rows.

    Parameters
    ----------
    window : ConvWindow
        Of the forward convolution.
    dout : array (N, C * m, *out_space), float32 or float64
        Gradient of the output.
    w : array (C * m, 1, *kernel), of the same dtype
        Weights.
    """
    isa = required_isa("conv_dx_depthwise_any_nchw")
    if not dout.size or not np.isfinite(w).all():
        # Zeros around dout must not meet infinite weights: those are added tap by tap.
        return numpy_conv.conv_dx(window, dout, w)
    dx = memory.empty(window.x_shape, dout.dtype)
    if not dx.size:
        return dx
    dout = np.ascontiguousarray(dout)
    z_axis, y_axis, x_axis = three_axes(window.axes)
    grouped = w.reshape(window.out_channels, *(axis.kernel for axis in (z_axis, y_axis, x_axis)))
    columns = data_gradient_phases(x_axis)
    for z, y in product(data_gradient_phases(z_axis), data_gradient_phases(y_axis)):
        if not z.taps or not y.taps:
            rows = (slice(z.first, None, z_axis.stride), slice(y.first, None, y_axis.stride))
            dx.reshape(*dx.shape[:2], z_axis.size, y_axis.size, x_axis.size)[:, :, *rows] = 0
            continue
        turned = grouped.take(z.taps, 1).take(y.taps, 2)
        if x_axis.stride == 1:
            turned = turned[..., ::-1]
        layout = _backward(window, dout.dtype, isa, z, y, tuple(columns))
        _launched(layout, isa, dout, turned, None, dx, PLAIN)
    return dx


def _launched(
    layout: Layout,
    isa: Isa,
    x: Array,
    w: Array,
    b: Array | None,
    y: Array,
    epilogue: Epilogue,
) -> None:
    residual = epilogue.residual
    arrays = {
        "x": np.ascontiguousarray(x),
        "w": np.ascontiguousarray(w),
        "bias": no_bias(y.shape[1], x.dtype) if b is None else np.ascontiguousarray(b),
        "y": y,
        "residual": y if residual is None else np.ascontiguousarray(residual),
    }
    constants: dict[str, Any] = {
        "shape": tuple(layout.block),
        "adds": residual is not None,
        **epilogue.constants,
    }
    launch(depthwise_block, isa, FIELDS, layout.fields, arrays, layout.blocks, **constants)


def groups_of(kernel: int, dilation: int, stride: int) -> tuple[Group, ...]:
    """Return the groups of a forward convolution: with a stride, neighbours share their loads.

    >>> [group.offset for group in groups_of(3, 1, 2)], groups_of(3, 1, 2)[0].taps
    ([0, 2], ((0, 0, 0), (1, 0, 1)))
    """
    together = stride if dilation == 1 else 1
    return tuple(
        Group(
            first * dilation,
            stride,
            tuple((kx - first, 0, kx) for kx in range(first, min(first + together, kernel))),
        )
        for first in range(0, kernel, together)
    )


def rows_together(isa: Isa, out_rows: int, height: int, phases: int, taps: int, parts: int) -> int:
    """Return how many output rows one register block has, so that few are computed twice.

    >>> from faltung.kernels.isa import AVX2, AVX512
    >>> rows_together(AVX512, 112, 3, 1, 1, 1), rows_together(AVX2, 56, 7, 1, 1, 1)
    (7, 7)
    """
    most = 14 if height > 4 else 7 if parts == 1 else 4
    if isa.registers < 32:
        most = max(4, 15 - min(height, CHUNK) * taps - parts)
    most = max(1, most // phases)
    return -(-out_rows // -(-out_rows // most))


def _shaped(
    isa: Isa,
    out_rows: int,
    axes: tuple[AxisWindow, AxisWindow],
    groups: tuple[Group, ...],
    phases: int,
) -> Block:
    """Return the register block; a kernel with many columns is looped over."""
    rows_axis, columns = axes
    height = min(rows_axis.kernel, CHUNK)
    taps = max((len(group.taps) for group in groups), default=1)
    parts = max((group.parts for group in groups), default=1)
    rows = rows_together(isa, out_rows, height, phases, taps, parts)
    sizes = (rows, rows_axis.kernel, columns.kernel, rows_axis.stride, rows_axis.dilation)
    block = Block(*sizes, columns.stride, phases, groups)
    if phases > 1 or rows * height * columns.kernel <= UNROLLED or len(groups) < 2:
        return block
    roll = len(groups[0].taps)
    rest = groups[columns.kernel // roll :]
    return block._replace(groups=(groups[0], *rest), roll=roll, roll_step=roll * columns.dilation)


def _fields(
    window: ConvWindow,
    isa: Isa,
    dtype: np.dtype[Any],
    block: Block,
    out_rows: int,
    planes: tuple[AxisWindow, AxisWindow],
) -> tuple[int, dict[str, int]]:
    """Return what forward and backward passes share: strips, the table's size, blocks."""
    z_axis, y_axis = planes
    macs = out_rows * window.axes[-1].out_size * window.group_in * z_axis.kernel
    macs *= y_axis.kernel * block.kernel_x
    strips = max(1, min(out_rows // block.rows, macs // STRIP_MACS))
    most = -(-out_rows // strips)
    span = (most - 1) * y_axis.stride + y_axis.extent
    table = window.group_in * z_axis.kernel * span * 8 // dtype.itemsize
    table = -(-table // 16) * 16
    units = window.batch * window.out_channels * z_axis.out_size * strips
    together = max(1, BLOCK_MACS // max(1, macs // strips))
    width = window.axes[-1].size
    fields = {
        "depth": z_axis.size,
        "height": y_axis.size,
        "width": width,
        "out_depth": z_axis.out_size,
        "out_rows": out_rows,
        "out_channels": window.out_channels,
        "group_in": window.group_in,
        "group_out": window.group_out,
        "kernel_depth": z_axis.kernel,
        "stride_depth": z_axis.stride,
        "stride_y": y_axis.stride,
        "dilation_depth": z_axis.dilation,
        "pad_depth": z_axis.pad_lo,
        "pad_y": y_axis.pad_lo,
        "span": span,
        "strips": strips,
        "units": units,
        "together": together,
        "zeros_offset": table,
        "scratch_size": -(-(table + width + isa.lanes(dtype.itemsize)) // 16) * 16,
    }
    return -(-units // together), fields


@lru_cache(256)
def _forward(window: ConvWindow, dtype: np.dtype[Any], isa: Isa) -> Layout:
    z_axis, y_axis, x_axis = three_axes(window.axes)
    groups = groups_of(x_axis.kernel, x_axis.dilation, x_axis.stride)
    if x_axis.stride == 2 and x_axis.dilation == 1 and x_axis.kernel == 3 >= y_axis.kernel:
        # The column in front of a pair is shifted out of it (`depthwise_rows`).
        groups = (Group(0, 2, ((0, 0, 0),)), Group(1, 2, ((0, 0, 1), (1, 0, 2))))
    block = _shaped(isa, y_axis.out_size, (y_axis, x_axis), groups, 1)
    blocks, fields = _fields(window, isa, dtype, block, y_axis.out_size, (z_axis, y_axis))
    plane = y_axis.out_size * x_axis.out_size
    place = {
        "out_width": x_axis.out_size,
        "out_channel": z_axis.out_size * plane,
        "out_plane": plane,
        "out_pitch": x_axis.out_size,
        "out_first": 0,
        "lead": x_axis.pad_lo,
    }
    return Layout(block, blocks, fields | place)


@lru_cache(256)
def _backward(
    window: ConvWindow,
    dtype: np.dtype[Any],
    isa: Isa,
    z: GradientPhase,
    y: GradientPhase,
    columns: tuple[GradientPhase, ...],
) -> Layout:
    """Return the pass over dx's rows ``y.first``, planes ``z.first`` and so on by the stride."""
    z_axis, y_axis, x_axis = three_axes(window.axes)
    lead = 0
    if x_axis.stride == 1:
        over = columns[0].window
        groups, lead = groups_of(over.kernel, over.dilation, 1), over.pad_lo
    else:
        over = AxisWindow(x_axis.out_size, x_axis.kernel)
        groups = _phase_groups(columns)
        lead = -min((group.offset for group in groups), default=0)
        groups = tuple(group._replace(offset=group.offset + lead) for group in groups)
    backward = ConvWindow(
        axes=(z.window, y.window, over),
        batch=window.batch,
        in_channels=window.out_channels,
        out_channels=window.in_channels,
        groups=window.groups,
    )
    phases = len(columns)
    block = _shaped(isa, y.window.out_size, (y.window, over), groups, phases)
    blocks, fields = _fields(backward, isa, dtype, block, y.window.out_size, (z.window, y.window))
    plane = y_axis.size * x_axis.size
    place = {
        "out_width": x_axis.size,
        "out_channel": z_axis.size * plane,
        "out_plane": z_axis.stride * plane,
        "out_pitch": y_axis.stride * x_axis.size,
        "out_first": z.first * plane + y.first * x_axis.size,
        "lead": lead,
    }
    return Layout(block, blocks, fields | place)


def _phase_groups(columns: tuple[GradientPhase, ...]) -> tuple[Group, ...]:
    """Return for each distance in dout the phases of dx that it adds to, and by which weight."""
    found: dict[int, list[tuple[int, int, int]]] = {}
    for phase, column in enumerate(columns):
        for t, kx in enumerate(column.taps):
            distance = t * column.window.dilation - column.window.pad_lo
            found.setdefault(distance, []).append((0, phase, kx))
    return tuple(Group(offset, 1, tuple(taps)) for offset, taps in sorted(found.items()))
