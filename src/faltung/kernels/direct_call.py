"""Direct convolution as the registry calls it: sizes to fields, memory, threads."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.axis import AxisWindow
from faltung.geometry.window import ConvWindow
from faltung.kernels import memory
from faltung.kernels.direct import convolve_block, packed_weights
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.strips import FIELDS

Array = NDArray[Any]

STRIP_BYTES = 512 * 1024
"""What a strip should take at most: half of a core's second-level cache of most machines."""


class Layout(NamedTuple):
    """How the work of one geometry is cut, and what `FIELDS` hold but for the addresses."""

    channels: int
    vectors: int
    split: int
    blocks: int
    fields: dict[str, int]
    offsets: Array
    phases: Array


def conv(window: ConvWindow, x: Array, w: Array, b: Array | None = None) -> Array:
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

    Raises
    ------
    KernelError
        Nothing can be compiled for this CPU.
    """
    isa = required_isa("conv_direct_any_nchw")
    y = memory.empty(window.out_shape, x.dtype)
    if not y.size:
        return y
    layout = _layout(window, x.dtype, isa)
    arrays = {
        "x": np.ascontiguousarray(x),
        "w": packed_weights(w, window.groups, layout.channels),
        "bias": bias_of(window, b, layout.channels, x.dtype),
        "y": y,
        "offsets": layout.offsets,
        "phases": layout.phases,
    }
    constants = {"channels": layout.channels, "vectors": layout.vectors, "split": layout.split}
    launch(convolve_block, isa, FIELDS, layout.fields, arrays, layout.blocks, **constants)
    return y


def bias_of(window: ConvWindow, b: Array | None, channels: int, dtype: np.dtype[Any]) -> Array:
    """Return the biases in the order of the packed weights' channels."""
    panels = -(-window.group_out // channels)
    filled = np.zeros((window.groups, panels * channels), dtype)
    if b is not None:
        filled[:, : window.group_out] = b.reshape(window.groups, window.group_out)
    return filled


WIDE: Final = ((24, 1), (14, 2), (8, 3), (6, 4), (4, 6), (2, 8), (1, 8))
NARROW: Final = ((12, 1), (6, 2), (4, 3), (2, 5), (1, 6))
"""Output channels and vectors of pixels whose sums fit 32 and 16 registers, beside the pixels."""


def register_block(isa: Isa, out_channels: int, length: int, lanes: int) -> tuple[int, int]:
    """Return how many output channels and vectors of pixels are summed together.

    The one with the fewest cycles: a CPU multiplies two vectors a cycle and loads two, and for each
    tap a block loads its pixels and as many weights as it has channels. What a block computes past
    the end of the pixels or of the channels counts like all else.

    Parameters
    ----------
    isa
        The instruction set.
    out_channels
        Of one group.
    length
        Pixels of a strip.
    lanes
        Numbers in a vector.

    Examples
    --------
    >>> from faltung.kernels.isa import AVX512
    >>> register_block(AVX512, 64, 3000, 16), register_block(AVX512, 64, 61, 16)
    ((8, 3), (6, 4))
    """

    def cycles(block: tuple[int, int]) -> float:
        channels, vectors = block
        blocks = -(-out_channels // channels) * -(-length // (vectors * lanes))
        return blocks * max(channels * vectors, channels + vectors)

    fitting = WIDE if isa.registers >= 32 else NARROW
    return min(fitting, key=lambda block: (cycles(block), -min(block), -block[0]))


class Strip(NamedTuple):
    """How the strip of a geometry lies: its fields, and the distance of each tap."""

    split: int
    size: int
    length: int
    fields: dict[str, int]
    offsets: Array
    phases: Array


def strip_layout(window: ConvWindow, dtype: np.dtype[Any], lanes: int) -> Strip:
    """Return how the strips of a geometry lie: so many rows that they stay in a core's own cache.

    Parameters
    ----------
    window
        The geometry.
    dtype
        Of its numbers.
    lanes
        How many of them a vector holds.
    """
    depth, rows, columns = _three(window.axes)
    split = columns.stride if columns.stride in (1, 2, 4) else 0
    ys, xs = _phases(rows), list(range(split)) if split else _phases(columns)
    phases = [(py, px) for py in ys for px in xs]
    pitch = columns.out_size + (columns.extent - 1) // columns.stride
    more_rows = (rows.extent - 1) // rows.stride
    per_row = window.group_in * depth.kernel * len(phases) * pitch * dtype.itemsize
    fitting = max(1, STRIP_BYTES // per_row - more_rows)
    strips = -(-rows.out_size // min(fitting, rows.out_size))
    strip_rows = -(-rows.out_size // strips)
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
    arrays = (np.array(offsets, np.int64), np.array(phases, np.int64))
    return Strip(split, size, length, fields, *arrays)


@lru_cache(256)
def _layout(window: ConvWindow, dtype: np.dtype[Any], isa: Isa) -> Layout:
    lanes = isa.lanes(dtype.itemsize)
    strip = strip_layout(window, dtype, lanes)
    channels, vectors = register_block(isa, window.group_out, strip.length, lanes)
    slack = vectors * lanes
    out_pitch = strip.fields["strip_rows"] * strip.fields["pitch"] + slack
    fields = strip.fields | {
        "scratch_size": strip.size + channels * out_pitch + 2 * slack,
        "out_offset": strip.size + slack,
        "out_pitch": out_pitch,
    }
    blocks = window.batch * window.groups * fields["out_depth"] * fields["strips"]
    return Layout(channels, vectors, strip.split, blocks, fields, strip.offsets, strip.phases)


def _three(axes: tuple[AxisWindow, ...]) -> tuple[AxisWindow, ...]:
    """Return axes with those of one position before them that make three."""
    return (AxisWindow(1, 1),) * (3 - len(axes)) + axes


def _phases(axis: AxisWindow) -> list[int]:
    """Return the remainders modulo the stride that taps have."""
    return sorted({k * axis.dilation % axis.stride for k in range(axis.kernel)})


def _taps(axis: AxisWindow) -> list[tuple[int, int]]:
    """Return the phase of each tap, and its distance within that phase."""
    places = [k * axis.dilation for k in range(axis.kernel)]
    return [(place % axis.stride, place // axis.stride) for place in places]
