"""Direct convolution as the registry calls it: sizes to fields, memory, threads."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.axis import AxisWindow
from faltung.geometry.window import ConvWindow
from faltung.kernels import memory
from faltung.kernels.direct import MORE, convolve_block
from faltung.kernels.epilogue import PLAIN, Epilogue
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.pointwise_call import no_bias, residual_of
from faltung.kernels.reaches import three_axes
from faltung.kernels.strips import FIELDS
from faltung.kernels.tile import block_constants, channels_together, cycles, vectors_together

Array = NDArray[Any]

ROW: Final = "conv_direct_any_nchw"
STRIP_BYTES = 512 * 1024
"""What a strip should take at most: half of a core's second-level cache of most machines."""
BLOCKS: Final = 8
"""Into how many blocks a call's work is cut at least, where there is enough of it."""
ENOUGH: Final = 1 << 19
"""Products of a block, at least: for less it is not worth waking a thread."""


class Layout(NamedTuple):
    """How the work of one geometry is cut, and what the fields hold but for the addresses."""

    channels: int
    vectors: int
    split: int
    is_flat: bool
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
    form = {"split": layout.split, "flat": layout.is_flat}
    constants = block_constants(layout.channels, layout.vectors, epilogue, **form)
    names = (*FIELDS, *MORE)
    launch(convolve_block, isa, names, layout.fields, arrays, layout.blocks, **constants)
    return y


class Strip(NamedTuple):
    """How the strip of a geometry lies: its fields, and the distance of each tap."""

    split: int
    size: int
    length: int
    fields: dict[str, int]
    offsets: Array
    phases: Array


def strip_layout(window: ConvWindow, dtype: np.dtype[Any], lanes: int, at_least: int = 1) -> Strip:
    """Return how the strips of a geometry lie: so many rows that they stay in a core's own cache.

    Parameters
    ----------
    window
        The geometry.
    dtype
        Of its numbers.
    lanes
        How many of them a vector holds.
    at_least
        Strips of a plane, if it has as many rows.
    """
    depth, rows, columns = three_axes(window.axes)
    split = columns.stride if columns.stride in (1, 2, 4) else 0
    ys, xs = _phases(rows), list(range(split)) if split else _phases(columns)
    phases = [(py, px) for py in ys for px in xs]
    pitch = columns.out_size + (columns.extent - 1) // columns.stride
    more_rows = (rows.extent - 1) // rows.stride
    per_row = window.group_in * depth.kernel * len(phases) * pitch * dtype.itemsize
    fitting = max(1, STRIP_BYTES // per_row - more_rows)
    strips = max(-(-rows.out_size // min(fitting, rows.out_size)), min(at_least, rows.out_size))
    strip_rows = -(-rows.out_size // strips)
    strips = -(-rows.out_size // strip_rows)
    plane = (strip_rows + more_rows) * pitch
    offsets = [
        ((c * depth.kernel + kz) * len(phases) + phases.index((ky, kx))) * plane + oy * pitch + ox
        for c in range(window.group_in)
        for kz in range(depth.kernel)
        for ky, oy in _taps(rows)
        for kx, ox in _taps(columns)
    ]
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
        "taps": len(offsets),
        "phase_count": len(phases),
        "strips": strips,
        "strip_rows": strip_rows,
        "plane_rows": strip_rows + more_rows,
        "pitch": pitch,
    }
    length = (strip_rows - 1) * pitch + columns.out_size
    size = window.group_in * depth.kernel * len(phases) * plane
    arrays = (memory.constant(np.array(places, np.int64)) for places in (offsets, phases))
    return Strip(split, size, length, fields, *arrays)


@lru_cache(256)
def _layout(window: ConvWindow, dtype: np.dtype[Any], isa: Isa) -> Layout:
    lanes = isa.lanes(dtype.itemsize)
    channels = channels_together(isa, window.group_out)
    panels = -(-window.group_out // channels)
    planes = window.batch * window.groups * prod(window.out_space[:-2])
    wanted = min(BLOCKS, -(-window.macs // ENOUGH)) / planes
    strip = strip_layout(window, dtype, lanes, _strips_wanted(window, wanted))
    parts = max(1, min(panels, int(wanted / strip.fields["strips"])))
    part_panels = -(-panels // parts)
    parts = -(-panels // part_panels)
    rows, width = strip.fields["strip_rows"], strip.fields["out_width"]
    by_rows = vectors_together(isa, channels, rows, width, lanes)
    flat = vectors_together(isa, channels, 1, strip.length, lanes)
    copied = 3 * channels * rows * -(-width // lanes) / strip.fields["taps"]
    is_flat = cycles(channels, flat, 1, strip.length, lanes) + copied < cycles(
        channels, by_rows, rows, width, lanes
    )
    vectors = flat if is_flat else by_rows
    slack = vectors * lanes
    out_pitch = rows * strip.fields["pitch"] + slack if is_flat else 0
    fields = strip.fields | {
        "out_offset": strip.size + slack,
        "out_pitch": out_pitch,
        "partial_offset": strip.size + slack + channels * out_pitch,
        "scratch_size": strip.size + slack + channels * (out_pitch + slack) + slack,
        "parts": parts,
        "part_panels": part_panels,
    }
    blocks = planes * fields["strips"] * parts
    arrays = (strip.offsets, strip.phases)
    return Layout(channels, vectors, strip.split, is_flat, blocks, fields, *arrays)


def _strips_wanted(window: ConvWindow, wanted: float) -> int:
    """Return into how many strips to cut a plane: none with fewer rows than it reads twice."""
    rows = three_axes(window.axes)[1]
    twice = max(1, (rows.extent - 1) // rows.stride)
    return max(1, min(int(np.ceil(wanted)), rows.out_size // twice))


def _phases(axis: AxisWindow) -> list[int]:
    """Return the remainders modulo the stride that taps have."""
    return sorted({k * axis.dilation % axis.stride for k in range(axis.kernel)})


def _taps(axis: AxisWindow) -> list[tuple[int, int]]:
    """Return the phase of each tap, and its distance within that phase."""
    places = [k * axis.dilation for k in range(axis.kernel)]
    return [(place % axis.stride, place // axis.stride) for place in places]
