"""The weight gradient of depthwise convolution of small planes as the registry calls it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import ConvWindow
from faltung.kernels import memory, numpy_conv
from faltung.kernels.depthwise_lanes_dw import FIELDS, depthwise_lanes_block
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.reaches import three_axes

Array = NDArray[Any]

RUNS: Final = 16
"""How many sums there are over the batch, at most; they are added in float64."""
PIXELS: Final = 256
"""Outputs that a strip has, about: both arrays stay in the nearest cache."""
RUN_PIXELS: Final = 1024
"""Outputs that a run should have."""
SUMS: Final = {32: 25, 16: 12}
"""Sums that fit so many registers, beside what they are made from."""


class Layout(NamedTuple):
    """How the work of one geometry is cut, and what `FIELDS` hold but for the addresses."""

    constants: dict[str, Any]
    vectors: int
    fields: dict[str, int]


def conv_dw(window: ConvWindow, x: Array, dout: Array) -> Array:
    """Return the gradient of the weights: ``dw[c, 0, k] = Σ_n Σ_o dout[n, c, o] x[n, c, ·]``.

    Parameters
    ----------
    window : ConvWindow
        Of the forward convolution, with as many groups as input and output channels.
    x : array (N, C, *space), float32 or float64
        Its input; one or two axes of space.
    dout : array (N, C, *out_space), of the same dtype
        Gradient of its output.
    """
    isa = required_isa("conv_dw_depthwise_lanes_any_nchw")
    if not dout.size or not x.size:
        return numpy_conv.conv_dw(window, x, dout)
    layout = _layout(window, x.dtype, isa)
    dw = memory.empty(window.w_shape, x.dtype)
    arrays = {
        "x": np.ascontiguousarray(x),
        "dout": np.ascontiguousarray(dout),
        "dw": dw,
        "counts": memory.zeros((layout.vectors,), np.dtype(np.int64)),
    }
    blocks, constants = layout.vectors * layout.fields["runs"], layout.constants
    launch(depthwise_lanes_block, isa, FIELDS, layout.fields, arrays, blocks, **constants)
    return dw


def _largest(size: int, most: int) -> int:
    """Return the largest number of at most so many that divides a size."""
    return max(n for n in range(1, max(1, min(size, most)) + 1) if size % n == 0)


@lru_cache(256)
def _layout(window: ConvWindow, dtype: np.dtype[Any], isa: Isa) -> Layout:
    lanes = isa.lanes(dtype.itemsize)
    _, rows, columns = three_axes(window.axes)
    most = SUMS[32 if isa.registers >= 32 else 16]
    width = _largest(columns.kernel, most)
    height = _largest(rows.kernel, most // width) if width == columns.kernel else 1
    strips = -(-rows.out_size // max(1, PIXELS // columns.out_size))
    strip_rows = -(-rows.out_size // strips)
    strips = -(-rows.out_size // strip_rows)
    steps = window.batch * strips
    vectors = -(-window.in_channels // lanes)
    outputs = window.batch * rows.out_size * columns.out_size
    runs = max(1, min(RUNS, steps, -(-2 * RUNS // vectors), outputs // RUN_PIXELS))
    plane_rows = (strip_rows - 1) * rows.stride + rows.extent
    pitch = (columns.out_size - 1) * columns.stride + columns.extent
    taps = rows.kernel * columns.kernel
    # What is folded lies there at the end.
    strip = max(plane_rows * pitch, taps + lanes) * lanes
    pixels = (min(plane_rows, rows.size) * columns.size + lanes) * lanes
    fields = {
        "height": rows.size,
        "width": columns.size,
        "out_height": rows.out_size,
        "out_width": columns.out_size,
        "channels": window.in_channels,
        "kernel_y": rows.kernel,
        "kernel_x": columns.kernel,
        "stride_y": rows.stride,
        "dilation_y": rows.dilation,
        "dilation_x": columns.dilation,
        "pad_y": rows.pad_lo,
        "pad_x": columns.pad_lo,
        "strip_rows": strip_rows,
        "strips": strips,
        "steps": steps,
        "runs": runs,
        "pitch": pitch,
        "pixels_offset": strip,
        "dout_offset": strip + pixels,
        "scratch_size": strip + pixels + (strip_rows * columns.out_size + lanes) * lanes,
        "shared_size": vectors * runs * taps * lanes,
    }
    constants: dict[str, Any] = {
        "height": height,
        "width": width,
        "stride": columns.stride,
        "dilation": columns.dilation,
        "together": min(3, columns.out_size),
    }
    return Layout(constants, vectors, fields)
