"""The data gradient of depthwise convolution of small planes as the registry calls it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.axis import AxisWindow
from faltung.geometry.window import ConvWindow
from faltung.kernels import memory, numpy_conv
from faltung.kernels.depthwise_lanes_dx import FIELDS, depthwise_lanes_dx_block
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.reaches import three_axes

Array = NDArray[Any]

BLOCK_PIXELS: Final = 512
"""Positions of dx of a block of work, about: some microseconds."""

TOGETHER: Final = 4
"""Numbers of dout that are spread together."""


class Layout(NamedTuple):
    """How the work of one geometry is cut, and what `FIELDS` hold but for the addresses."""

    constants: dict[str, Any]
    blocks: int
    fields: dict[str, int]


def conv_dx(window: ConvWindow, dout: Array, w: Array) -> Array:
    """Return the gradient of the input: ``dx[i] = Σ dout[o] w[k]`` over all (o, k) that read i.

    Parameters
    ----------
    window : ConvWindow
        Of the forward convolution, with as many groups as input and output channels.
    dout : array (N, C, *out_space), float32 or float64
        Gradient of the output; one or two axes of space.
    w : array (C, 1, *kernel), of the same dtype
        Weights.
    """
    isa = required_isa("conv_dx_depthwise_lanes_any_nchw")
    if not dout.size or 0 in window.x_shape:
        return numpy_conv.conv_dx(window, dout, w)
    layout = _layout(window, dout.dtype, isa)
    dx = memory.empty(window.x_shape, dout.dtype)
    arrays = {"dout": np.ascontiguousarray(dout), "w": np.ascontiguousarray(w), "dx": dx}
    how = {"number": dout.dtype, **layout.constants}
    launch(depthwise_lanes_dx_block, isa, FIELDS, layout.fields, arrays, layout.blocks, **how)
    return dx


def _reach(axis: AxisWindow) -> tuple[int, int, int]:
    """Return how many positions have sums, and where dx and what outputs reach begin in them."""
    reached = (axis.out_size - 1) * axis.stride + axis.extent
    start, first = max(0, axis.pad_lo), max(0, -axis.pad_lo)
    return max(start + axis.size, first + reached), start, first


@lru_cache(256)
def _layout(window: ConvWindow, dtype: np.dtype[Any], isa: Isa) -> Layout:
    lanes = isa.lanes(dtype.itemsize)
    _, rows, columns = three_axes(window.axes)
    (height, top, first_row), (pitch, lead, first) = _reach(rows), _reach(columns)
    size = height * pitch * lanes
    plane, out_plane = rows.size * columns.size, rows.out_size * columns.out_size
    taps = rows.kernel * columns.kernel
    images = min(window.batch, max(1, BLOCK_PIXELS // plane))
    pixels = (max(plane, out_plane) + lanes) * lanes
    vectors = -(-window.in_channels // lanes)
    fields = {
        "height": rows.size,
        "width": columns.size,
        "out_height": rows.out_size,
        "out_width": columns.out_size,
        "channels": window.in_channels,
        "batch": window.batch,
        "images": images,
        "kernel_y": rows.kernel,
        "stride_y": rows.stride,
        "dilation_y": rows.dilation,
        "taps": taps,
        "pitch": pitch,
        "size": size,
        "first": (top * pitch + lead) * lanes,
        "begin": (first_row * pitch + first) * lanes,
        "dout_offset": size,
        "weights_offset": size + pixels,
        "scratch_size": size + pixels + (taps + lanes) * lanes,
    }
    constants = {
        "width": columns.kernel,
        "stride": columns.stride,
        "dilation": columns.dilation,
        "together": min(TOGETHER, columns.out_size),
    }
    return Layout(constants, vectors * -(-window.batch // images), fields)
