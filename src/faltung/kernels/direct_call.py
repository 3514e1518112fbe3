"""Direct convolution as the registry calls it: sizes to fields, memory, threads."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, prod
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.axis import AxisWindow
from faltung.geometry.window import ConvWindow
from faltung.kernels import memory
from faltung.kernels.direct import FIELDS, convolve_block
from faltung.kernels.epilogue import PLAIN, Epilogue
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.pointwise_call import no_bias, residual_of
from faltung.kernels.reaches import three_axes
from faltung.kernels.rectangle import STRIDE
from faltung.kernels.tile import block_constants, channels_together, vectors_together

Array = NDArray[Any]

ROW: Final = "conv_direct_any_nchw"
STRIP_BYTES = 512 * 1024
"""What a strip should take at most: half of a core's second-level cache of most machines."""
BLOCKS: Final = 8
"""Into how many blocks a call's work is cut at least, where there is enough of it."""
ENOUGH: Final = 1 << 19
"""Products of a block, at least: for less it is not worth waking a thread."""


TOGETHER: Final = 5
"""Columns of the kernel whose pixels are copied together, at most."""


class Layout(NamedTuple):
    """How the work of one geometry is cut, and what the fields hold but for the addresses."""

    form: dict[str, int]
    blocks: int
    fields: dict[str, int]
    offsets: Array
    phases: Array


def conv(
    window: ConvWindow,
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    out: Array | None = None,
    epilogue: Epilogue = PLAIN,
) -> Array:
    """Convolve; ``y[n, co] = b[co] + Σ w[co, ci, k] x[n, ci, o·stride + k·dilation - pad]``.

    Parameters
    ----------
    window : ConvWindow
        The geometry.
    x : array (N, C, *space), float32 or float64
        Input.
    w : array (O, C/groups, *kernel), of the same dtype
        Weights.
    b : array (O,), optional
        Bias.
    out : array (N, O, *out_space), C-contiguous, optional
        Where the result goes.
    epilogue : Epilogue, optional
        What is done to each output before it is stored.

    Raises
    ------
    KernelError
        Nothing can be compiled for this CPU.
    """
    isa = required_isa(ROW)
    y = memory.empty(window.out_shape, x.dtype) if out is None else out
    if not y.size:
        return y
    layout = _layout(window, x.dtype, isa)
    arrays = {
        "x": np.ascontiguousarray(x),
        "w": np.ascontiguousarray(w),
        "bias": no_bias(window.out_channels, x.dtype) if b is None else np.ascontiguousarray(b),
        "y": y,
        "residual": residual_of(epilogue, y),
        "offsets": layout.offsets,
        "phases": layout.phases,
    }
    constants = block_constants(epilogue=epilogue, **layout.form)
    launch(convolve_block, isa, FIELDS, layout.fields, arrays, layout.blocks, **constants)
    return y


@lru_cache(256)
def _layout(window: ConvWindow, dtype: np.dtype[Any], isa: Isa) -> Layout:
    depth, rows, columns = three_axes(window.axes)
    lanes = isa.lanes(dtype.itemsize)
    channels = channels_together(isa, window.group_out)
    panels = -(-window.group_out // channels)
    planes = window.batch * window.groups * prod(window.out_space[:-2])
    wanted = min(BLOCKS, -(-window.macs // ENOUGH)) / planes
    phases = _phases(rows)
    planes_copied = depth.kernel * len(phases) * columns.kernel
    more_rows = (rows.extent - 1) // rows.stride
    fitting = STRIP_BYTES // (window.group_in * planes_copied * dtype.itemsize)
    cut = cut_of(rows.out_size, columns.out_size, fitting, more_rows, wanted, 4 * lanes)
    strips, segments = -(-rows.out_size // cut.rows), -(-columns.out_size // cut.columns)
    parts = max(1, min(panels, int(wanted / (strips * segments))))
    part_panels = -(-panels // parts)
    parts = -(-panels // part_panels)
    strip_rows = cut.rows + more_rows
    vectors = vectors_together(isa, channels, 1, cut.rows * cut.columns, lanes)
    # Up to a vector is written past the end of a plane, and a block of vectors read.
    plane_size = strip_rows * cut.columns + lanes
    end = window.group_in * planes_copied * plane_size + vectors * lanes
    offsets = [
        (((c * depth.kernel + kz) * len(phases) + phases.index(py)) * columns.kernel + kx)
        * plane_size
        + oy * cut.columns
        for c in range(window.group_in)
        for kz in range(depth.kernel)
        for py, oy in _taps(rows)
        for kx in range(columns.kernel)
    ]
    fields = {
        **dict(
            zip(("depth", "height", "width"), (depth.size, rows.size, columns.size), strict=True)
        ),
        "out_depth": depth.out_size,
        "out_height": rows.out_size,
        "out_width": columns.out_size,
        "stride_z": depth.stride,
        "stride_y": rows.stride,
        "stride_x": columns.stride,
        "dilation_z": depth.dilation,
        "dilation_x": columns.dilation,
        "pad_z": depth.pad_lo,
        "pad_y": rows.pad_lo,
        "pad_x": columns.pad_lo,
        "groups": window.groups,
        "group_in": window.group_in,
        "group_out": window.group_out,
        "taps": len(offsets),
        "kernel_depth": depth.kernel,
        "row_phases": len(phases),
        "columns": columns.kernel,
        "strips": strips,
        "strip_rows": cut.rows,
        "segments": segments,
        "parts": parts,
        "part_panels": part_panels,
        "rows": strip_rows,
        "pitch": cut.columns,
        "plane_size": plane_size,
        "channel_size": planes_copied * plane_size,
        "partial_offset": end,
        "scratch_size": end + channels * vectors * lanes,
    }
    together = -(-columns.kernel // -(-columns.kernel // TOGETHER))
    # Columns within a vector of one another need one load more together than each does alone.
    is_shared = columns.stride <= STRIDE and (together - 1) * columns.dilation < lanes
    form = {
        "channels": channels,
        "vectors": vectors,
        "stride": columns.stride if columns.stride <= STRIDE else 0,
        "together": together,
        "dilation": columns.dilation if is_shared else 0,
    }
    blocks = planes * strips * segments * parts
    tables = (memory.constant(np.array(table, np.int64)) for table in (offsets, phases))
    return Layout(form, blocks, fields, *tables)


class Cut(NamedTuple):
    """The outputs of a block: some whole rows, or a part of one."""

    rows: int
    columns: int


def cut_of(rows: int, columns: int, fitting: int, more_rows: int, wanted: float, least: int) -> Cut:
    """Return blocks whose strips stay in a core's cache, about as many of a plane as are wanted.

    Parameters
    ----------
    rows, columns
        Of a plane of outputs.
    fitting
        Numbers that each channel and column of the kernel may take.
    more_rows
        Rows that a strip has beside those of its outputs.
    wanted
        Blocks of a plane.
    least
        Pixels of a part of a row at least.
    """
    # No strip should have fewer rows than it reads twice.
    strips = max(1, min(ceil(wanted), rows // max(1, more_rows)))
    height = min(-(-rows // strips), max(1, fitting // max(1, columns) - more_rows))
    height = -(-rows // -(-rows // height)) if rows else 1
    if height > 1:
        return Cut(height, columns)
    segments = max(1, -(-columns * (1 + more_rows) // max(1, fitting)))
    if rows == 1:
        segments = max(segments, ceil(wanted))
    return Cut(1, max(min(least, columns), -(-columns // segments)))


def _phases(axis: AxisWindow) -> list[int]:
    """Return the remainders modulo the stride that taps have."""
    return sorted({k * axis.dilation % axis.stride for k in range(axis.kernel)})


def _taps(axis: AxisWindow) -> list[tuple[int, int]]:
    """Return the phase of each tap, and its distance within that phase."""
    places = [k * axis.dilation for k in range(axis.kernel)]
    return [(place % axis.stride, place // axis.stride) for place in places]
