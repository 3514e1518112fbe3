"""The weights' gradient with channels in the lanes as the registry calls it: sizes and runs."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.axis import AxisWindow
from faltung.geometry.window import ConvWindow
from faltung.kernels import memory, numpy_conv
from faltung.kernels.blocked_dw import FIELDS, blocked_gradient_block
from faltung.kernels.blocked_dw_cost import chunk_of, reads_around, register_block
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.reaches import is_pointwise, three_axes

Array = NDArray[Any]

PIXELS: Final = 200
"""Outputs that a strip has, about, at most."""
STRIP_BYTES: Final = 256 * 1024
"""What the channels of x and of dout take for a strip's outputs, at most."""
COLUMNS: Final = 256
"""Outputs of a row that a strip has at most."""
RUNS: Final = 16
"""How many sums there are over the batch, at most; they are added in float64."""
RUN_PIXELS: Final = 512
"""Outputs that a run should have: what is done once for each run is worth some tens of them."""


class Layout(NamedTuple):
    """How the work of one geometry is cut, and what `FIELDS` hold but for the addresses."""

    constants: dict[str, Any]
    blocks: int
    pairs: int
    offsets: Array
    fields: dict[str, int]


def conv_dw(window: ConvWindow, x: Array, dout: Array) -> Array:
    """Return the gradient of the weights: ``dw[co, ci, k] = Σ_n Σ_o dout[n, co, o] x[n, ci, ·]``.

    Parameters
    ----------
    window : ConvWindow
        Of the forward convolution.
    x : array (N, C, *space), float32 or float64
        Its input.
    dout : array (N, O, *out_space), of the same dtype
        Gradient of its output.
    """
    isa = required_isa("conv_dw_blocked_any_nchw")
    if not dout.size or not x.size:
        return numpy_conv.conv_dw(window, x, dout)
    layout = _layout(window, x.dtype, isa)
    dw = memory.empty(window.w_shape, x.dtype)
    arrays = {
        "x": np.ascontiguousarray(x),
        "dout": np.ascontiguousarray(dout),
        "dw": dw,
        "counts": memory.zeros((layout.pairs,), np.dtype(np.int64)),
        "offsets": layout.offsets,
    }
    sizes, constants = layout.fields, layout.constants
    launch(blocked_gradient_block, isa, FIELDS, sizes, arrays, layout.blocks, **constants)
    return dw


def _axes(window: ConvWindow) -> tuple[AxisWindow, AxisWindow, AxisWindow]:
    """Return three axes; where each pixel is by itself, they are one long row."""
    depth, rows, columns = three_axes(window.axes)
    if is_pointwise(window.axes):
        rows, columns = AxisWindow(1, 1), AxisWindow(rows.size * columns.size, 1)
    return depth, rows, columns


@lru_cache(256)
def _layout(window: ConvWindow, dtype: np.dtype[Any], isa: Isa) -> Layout:
    width, taps = isa.lanes(dtype.itemsize), prod(window.kernel)
    axes = depth, rows, columns = _axes(window)
    most = chunk_of(window)
    column_strips = -(-columns.out_size // COLUMNS)
    strip_columns = -(-columns.out_size // column_strips)
    channels = min(most, window.group_in) + min(most, window.group_out)
    pixels = min(PIXELS, STRIP_BYTES // (channels * dtype.itemsize))
    strips = -(-rows.out_size // max(1, pixels // strip_columns))
    strip_rows = -(-rows.out_size // strips)
    strips = -(-rows.out_size // strip_rows)
    steps = window.batch * depth.out_size * strips * column_strips
    chunk_in = min(most, window.group_in)
    chunk_out = min(most, -(-window.group_out // width) * width)
    chunks_in, chunks_out = -(-window.group_in // chunk_in), -(-window.group_out // chunk_out)
    pairs = window.groups * chunks_in * chunks_out
    run_count = min(RUNS, steps, max(2, 2 * RUNS // pairs))
    run_count = max(1, min(run_count, window.batch * prod(window.out_space) // RUN_PIXELS))
    wide = isa.registers >= 32
    bases, length, vectors = register_block(window, chunk_in, chunk_out // width, is_wide=wide)
    plane_rows = (strip_rows - 1) * rows.stride + rows.extent
    pitch = (strip_columns - 1) * columns.stride + columns.extent
    # Lines of a last, smaller chunk that are not there may be read in a copy alone.
    is_copied = any(reads_around(axis) for axis in axes) or window.group_in % chunk_in > 0
    slice_rows = plane_rows if is_copied else depth.dilation * rows.size
    # What is inside begins where a vector could: whole vectors are copied from there on.
    shift = -columns.pad_lo % width if is_copied else 0
    pitch = -(-(shift + pitch) // width) * width if is_copied else columns.size
    each = pitch * (depth.kernel * plane_rows if is_copied else depth.size * rows.size)
    offsets = [
        c * each
        + (kz * slice_rows + ky * rows.dilation) * pitch
        + (shift + part * length * columns.dilation)
        for c in range(chunk_in)
        for kz in range(depth.kernel)
        for ky in range(rows.kernel)
        for part in range(columns.kernel // length)
    ]
    lines = len(offsets) // chunk_in
    # Lines that are not there read the first one's numbers; their sums are left out.
    offsets += [0] * (-len(offsets) % bases)
    dout_pitch = strip_columns * width
    dout_plane = strip_rows * dout_pitch + (width + 1) * width
    strip_size = max(is_copied * (chunk_in * each + width), (taps + width) * width)
    fields = {
        "depth": depth.size,
        "height": rows.size,
        "width": columns.size,
        "out_depth": depth.out_size,
        "out_height": rows.out_size,
        "out_width": columns.out_size,
        "kernel_depth": depth.kernel,
        "stride_depth": depth.stride,
        "stride_y": rows.stride,
        "stride_x": columns.stride,
        "dilation_depth": depth.dilation,
        "pad_depth": depth.pad_lo,
        "pad_y": rows.pad_lo,
        "pad_x": columns.pad_lo,
        "groups": window.groups,
        "group_in": window.group_in,
        "group_out": window.group_out,
        "taps": taps,
        "lines": lines,
        "strip_rows": strip_rows,
        "strips": strips,
        "strip_columns": strip_columns,
        "column_strips": column_strips,
        "steps": steps,
        "runs": run_count,
        "chunk_in": chunk_in,
        "chunk_out": chunk_out,
        "chunks_in": chunks_in,
        "chunks_out": chunks_out,
        "run_size": len(offsets) * length * chunk_out,
        "plane_rows": plane_rows,
        "extent_y": rows.extent,
        "extent_x": columns.extent,
        "pitch": pitch,
        "dout_pitch": dout_pitch,
        "dout_plane": dout_plane,
        "dout_offset": -(-strip_size // width) * width,
        "is_copied": int(is_copied),
        "shift": shift,
        "scratch_size": (-(-strip_size // width) + 1) * width + chunk_out // width * dout_plane,
        "shared_size": pairs * run_count * len(offsets) * length * chunk_out,
    }
    inside = tuple(k * columns.dilation for k in range(length))
    constants = {"bases": bases, "inside": inside, "vectors": vectors, "step": columns.stride}
    return Layout(
        constants, pairs * run_count, pairs, memory.constant(np.array(offsets, np.int64)), fields
    )
