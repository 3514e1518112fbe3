"""The weight gradient of depthwise convolution as the registry calls it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.axis import AxisWindow
from faltung.geometry.window import ConvWindow
from faltung.kernels import numpy_conv
from faltung.kernels.depthwise_call import groups_of
from faltung.kernels.depthwise_dw import FIELDS, depthwise_dw_block
from faltung.kernels.depthwise_rows import Group
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.reaches import three_axes

Array = NDArray[Any]

RUNS: Final = 16
"""How many sums there are over the batch, at most; they are added in float64."""
STRIP_PIXELS: Final = 16_384
"""Products that are added to one weight's lanes, about, before the lanes are added up."""


class Layout(NamedTuple):
    """How the work of one geometry is cut, and what `FIELDS` hold but for the addresses."""

    constants: dict[str, Any]
    sums: tuple[int, int, int]
    fields: dict[str, int]
    passes: Array
    places: Array


def conv_dw(window: ConvWindow, x: Array, dout: Array) -> Array:
    """Return the gradient of the weights: ``dw[co, 0, k] = Σ_n Σ_o dout[n, co, o] x[n, ci, ·]``.

    Parameters
    ----------
    window : ConvWindow
        Of the forward convolution, with as many groups as input channels.
    x : array (N, C, *space), float32 or float64
        Its input.
    dout : array (N, C * m, *out_space), of the same dtype
        Gradient of its output.
    """
    isa = required_isa("conv_dw_depthwise_any_nchw")
    if not dout.size or not x.size:
        return numpy_conv.conv_dw(window, x, dout)
    layout = _layout(window, x.dtype, isa)
    partial = np.zeros(layout.sums, x.dtype)
    arrays = {
        "x": np.ascontiguousarray(x),
        "dout": np.ascontiguousarray(dout),
        "partial": partial,
        "passes": layout.passes,
    }
    blocks = layout.fields["runs"] * window.out_channels
    launch(depthwise_dw_block, isa, FIELDS, layout.fields, arrays, blocks, **layout.constants)
    total = np.zeros(partial.shape[1:], np.float64)
    for run in partial:
        total += run
    # Indexing leaves channels last in memory.
    dw = np.ascontiguousarray(total[:, layout.places].reshape(window.w_shape), x.dtype)
    # A zero outside must not meet an infinite number: where there is one, all is done by columns.
    return dw if np.isfinite(dw).all() else numpy_conv.conv_dw(window, x, dout)


def _starts(size: int, together: int) -> list[int]:
    """Return where parts of so many begin; the last one may overlap the one before."""
    return [min(first, size - together) for first in range(0, size, together)]


def _block(isa: Isa, y_axis: AxisWindow, x_axis: AxisWindow) -> tuple[int, int, int]:
    """Return how many rows of dout, kernel rows and kernel columns are taken together."""
    most, rows = (16, 4) if isa.registers >= 32 else (6, 3)
    height = min(y_axis.kernel, most // 2)
    columns = max(1, min(x_axis.kernel, most // height))
    if x_axis.kernel % columns:  # as few columns twice as can be
        columns = -(-x_axis.kernel // -(-x_axis.kernel // columns))
    return min(rows, max(1, y_axis.out_size)), height, columns


@lru_cache(256)
def _layout(window: ConvWindow, dtype: np.dtype[Any], isa: Isa) -> Layout:
    lanes = isa.lanes(dtype.itemsize)
    z_axis, y_axis, x_axis = three_axes(window.axes)
    rows, height, columns = _block(isa, y_axis, x_axis)
    groups: tuple[Group, ...] = groups_of(columns, x_axis.dilation, x_axis.stride)
    starts = [
        (kz, ky, kx)
        for kz in range(z_axis.kernel)
        for ky in _starts(y_axis.kernel, height)
        for kx in _starts(x_axis.kernel, columns)
    ]
    sums_size = -(-height * columns // lanes) * lanes
    places = np.zeros((z_axis.kernel, y_axis.kernel, x_axis.kernel), np.int64)
    for p, (kz, ky, kx) in enumerate(starts):
        own = p * sums_size + np.arange(height * columns).reshape(height, columns)
        places[kz, ky : ky + height, kx : kx + columns] = own
    strips = -(-y_axis.out_size // max(rows, STRIP_PIXELS // x_axis.out_size))
    steps = window.batch * z_axis.out_size * strips
    runs = min(RUNS, steps)
    most = -(-y_axis.out_size // strips) + rows
    span = (most - 1) * y_axis.stride + y_axis.extent
    zeros_size = max(x_axis.size, x_axis.out_size)
    table = (span * z_axis.kernel + most) * 8 // dtype.itemsize
    table = -(-table // 16) * 16
    fields = {
        **dict(
            zip(
                ("depth", "height", "width"), (a.size for a in three_axes(window.axes)), strict=True
            )
        ),
        "out_depth": z_axis.out_size,
        "out_height": y_axis.out_size,
        "out_width": x_axis.out_size,
        "in_channels": window.in_channels,
        "out_channels": window.out_channels,
        "group_out": window.group_out,
        "kernel_depth": z_axis.kernel,
        "stride_depth": z_axis.stride,
        "dilation_depth": z_axis.dilation,
        "pad_depth": z_axis.pad_lo,
        "stride_y": y_axis.stride,
        "pad_y": y_axis.pad_lo,
        "lead": x_axis.pad_lo,
        "span": span,
        "strips": strips,
        "steps": steps,
        "runs": runs,
        "pass_count": len(starts),
        "sums_size": sums_size,
        "most_rows": most,
        "dout_table": span * z_axis.kernel,
        "zeros_offset": table,
        "zeros_size": zeros_size,
        "scratch_size": -(-(table + zeros_size + lanes) // 16) * 16,
    }
    constants = {
        "together": rows,
        "height": height,
        "step": y_axis.stride,
        "dilation": y_axis.dilation,
        "stride": x_axis.stride,
        "groups": tuple(tuple(group) for group in groups),
    }
    distances = [(kz, ky * y_axis.dilation, kx * x_axis.dilation) for kz, ky, kx in starts]
    passes = np.array(distances, np.int64)
    passes.flags.writeable = False
    sums = (runs, window.out_channels, len(starts) * sums_size)
    return Layout(constants, sums, fields, passes, places.ravel())
