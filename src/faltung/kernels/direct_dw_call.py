"""The weights' gradient with pixels in the lanes as the registry calls it: sizes, runs, memory."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import ConvWindow
from faltung.kernels import memory, numpy_conv
from faltung.kernels.direct_dw import FIELDS, gradient_block
from faltung.kernels.direct_dw_cost import register_block, strip_of
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.reaches import three_axes
from faltung.kernels.rectangle import STRIDE

Array = NDArray[Any]

SUMS_BYTES: Final = 512 * 1024
"""What the sums of a block take at most, if one register block's of a channel do."""
RUNS: Final = 16
"""How many sums there are over the batch, at most; they are added in float64."""
RUN_PIXELS: Final = 4096
"""Outputs that a run should have: adding up lanes takes as long as some hundred."""
BLOCKS: Final = 8
"""Blocks of work that there should be."""


class Layout(NamedTuple):
    """How the work of one geometry is cut, and what `FIELDS` hold but for the addresses."""

    constants: dict[str, Any]
    blocks: int
    pairs: int
    offsets: Array
    phases: Array
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
    isa = required_isa("conv_dw_direct_any_nchw")
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
        "phases": layout.phases,
    }
    launch(gradient_block, isa, FIELDS, layout.fields, arrays, layout.blocks, **layout.constants)
    return dw


@lru_cache(256)
def _layout(window: ConvWindow, dtype: np.dtype[Any], isa: Isa) -> Layout:
    lanes, kernel = isa.lanes(dtype.itemsize), prod(window.kernel)
    depth, rows, columns = three_axes(window.axes)
    strip = strip_of(window, dtype.itemsize)
    chunk_in, line = strip.channels, strip.line
    phases = sorted({k * rows.dilation % rows.stride for k in range(rows.kernel)})
    how = {"is_wide": isa.registers >= 32, "is_near": strip.is_near(lanes, dtype.itemsize)}
    channels, taps = register_block(chunk_in * kernel, window.group_out, **how)
    chunks_in, panels = -(-window.group_in // chunk_in), -(-window.group_out // channels)
    tap_panels, size = -(-chunk_in * kernel // taps), channels * taps
    units = -(-window.batch // strip.images) * depth.out_size
    strips, column_strips = (
        -(-axis.out_size // own) for axis, own in ((rows, strip.rows), (columns, strip.columns))
    )
    units *= strips * column_strips
    pixels = window.batch * prod(window.out_space)
    run_count = max(1, min(RUNS, units, pixels // RUN_PIXELS))
    most = max(1, SUMS_BYTES // (tap_panels * size * lanes * dtype.itemsize))
    wanted = -(-BLOCKS // (run_count * window.groups * chunks_in))
    part_panels = min(most, -(-panels // wanted))
    parts = -(-panels // part_panels)
    pairs = window.groups * chunks_in * parts
    # Taps that are not there read the first one's pixels; their sums are left out.
    offsets = np.zeros(tap_panels * taps, np.int64)
    offsets[: chunk_in * kernel] = [
        (((kz * len(phases) + phases.index(y % s)) * chunk_in + c) * columns.kernel + kx) * line
        + y // s * strip.columns
        for s in [rows.stride]
        for c in range(chunk_in)
        for kz in range(depth.kernel)
        for y in range(0, rows.kernel * rows.dilation, rows.dilation)
        for kx in range(columns.kernel)
    ]
    strip_image = chunk_in * strip.lines * line
    sums_offset = -(-(strip.images * strip_image + lanes) // 16) * 16
    fields = {
        "depth": depth.size,
        "height": rows.size,
        "width": columns.size,
        "out_depth": depth.out_size,
        "out_height": rows.out_size,
        "out_width": columns.out_size,
        "kernel_depth": depth.kernel,
        "kernel_x": columns.kernel,
        "stride_depth": depth.stride,
        "stride_y": rows.stride,
        "stride_x": columns.stride,
        "dilation_depth": depth.dilation,
        "dilation_x": columns.dilation,
        "pad_depth": depth.pad_lo,
        "pad_y": rows.pad_lo,
        "pad_x": columns.pad_lo,
        "groups": window.groups,
        "group_in": window.group_in,
        "group_out": window.group_out,
        "taps": kernel,
        "phase_count": len(phases),
        "strip_rows": strip.rows,
        "strips": strips,
        "strip_columns": strip.columns,
        "column_strips": column_strips,
        "batch": window.batch,
        "images": strip.images,
        "units": units,
        "runs": run_count,
        "chunk_in": chunk_in,
        "chunks_in": chunks_in,
        "part_panels": part_panels,
        "parts": parts,
        "plane_rows": line // strip.columns,
        "strip_image": strip_image,
        "sums_offset": sums_offset,
        "scratch_size": sums_offset + part_panels * tap_panels * size * lanes,
        "shared_size": pairs * run_count * part_panels * tap_panels * (-(-size // lanes) * lanes),
    }
    constants = {
        "channels": channels,
        "taps": taps,
        "stride": columns.stride if columns.stride <= STRIDE else 0,
    }
    distances = memory.constant(offsets)
    phase_array = memory.constant(np.array(phases, np.int64))
    return Layout(constants, pairs * run_count, pairs, distances, phase_array, fields)
