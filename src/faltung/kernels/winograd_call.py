"""Winograd's convolution as the registry calls it: for which layers, sizes, weights, threads."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import ConvWindow
from faltung.kernels import memory
from faltung.kernels.cook_toom import cook_toom
from faltung.kernels.direct_call import bias_of, register_block
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.strips import FIELDS
from faltung.kernels.threads import num_threads
from faltung.kernels.winograd import MORE, winograd_block

Array = NDArray[Any]

INPUT_BYTES: Final = 640 * 1024
"""What a block's transformed input should take at most: it is read once for each few channels."""


class Layout(NamedTuple):
    """How the work of one geometry is cut, and what the fields hold but for the addresses."""

    channels: int
    vectors: int
    blocks: int
    fields: dict[str, int]
    offsets: Array
    phases: Array


def applies(window: ConvWindow, dtype: np.dtype[Any]) -> bool:
    """Whether Winograd's form is for this geometry: squares of 3 by 3, next to each other."""
    return (
        dtype in (np.float32, np.float64)
        and window.kernel == (3, 3)
        and window.stride == (1, 1)
        and window.dilation == (1, 1)
    )


def conv_f2(window: ConvWindow, x: Array, w: Array, b: Array | None = None) -> Array:
    """Convolve by tiles of 2 by 2: 2.25 times fewer products, hardly less exact than directly."""
    return _conv(window, x, w, b, outputs=2)


def conv_f4(window: ConvWindow, x: Array, w: Array, b: Array | None = None) -> Array:
    """Convolve by tiles of 4 by 4: 4 times fewer products, a few digits less exact."""
    return _conv(window, x, w, b, outputs=4)


def _conv(window: ConvWindow, x: Array, w: Array, b: Array | None, outputs: int) -> Array:
    isa = required_isa(f"conv_f{outputs}_any_nchw")
    y = memory.empty(window.out_shape, x.dtype)
    if not y.size:
        return y
    layout = _layout(window, x.dtype, isa, outputs, num_threads())
    arrays = {
        "x": np.ascontiguousarray(x),
        "w": transformed(w, window.groups, layout.channels, outputs),
        "bias": bias_of(window, b, layout.channels, x.dtype),
        "y": y,
        "offsets": layout.offsets,
        "phases": layout.phases,
        "zeros": np.zeros(layout.channels, x.dtype),
    }
    block = {"channels": layout.channels, "vectors": layout.vectors}
    form = {"outputs": outputs, "taps": 3}
    names = (*FIELDS, *MORE)
    launch(winograd_block, isa, names, layout.fields, arrays, layout.blocks, **block, **form)
    return y


def transformed(w: Array, groups: int, channels: int, outputs: int) -> Array:
    """Return ``G w Gᵀ`` for each pair of channels, as a block reads it.

    Parameters
    ----------
    w : array (out_channels, in_channels / groups, 3, 3)
        The weights; the sums are taken in float64 and rounded once.
    groups, channels
        As of `direct.packed_weights`.
    outputs
        Along a side of a tile.
    """
    form = cook_toom(outputs, 3)
    g = np.array([[float(v) for v in row] for row in form.from_weights])
    u = np.einsum("ik,ockl,jl->ijoc", g, w, g, optimize=True).reshape(form.size**2, *w.shape[:2])
    group_out, group_in = w.shape[0] // groups, w.shape[1]
    panels = -(-group_out // channels)
    filled = np.zeros((form.size**2, groups, panels * channels, group_in), w.dtype)
    filled[:, :, :group_out] = u.reshape(-1, groups, group_out, group_in)
    by_panel = filled.reshape(-1, groups * panels, channels, group_in)
    return np.ascontiguousarray(by_panel.transpose(1, 0, 3, 2))


@lru_cache(256)
def _layout(
    window: ConvWindow, dtype: np.dtype[Any], isa: Isa, outputs: int, threads: int
) -> Layout:
    size = cook_toom(outputs, 3).size
    lanes = isa.lanes(dtype.itemsize)
    rows, columns = window.axes
    tile_rows, tile_columns = (-(-axis.out_size // outputs) for axis in (rows, columns))
    more = (size - 1) // outputs
    pitch = tile_columns + more
    per_row = size * size * window.group_in * pitch * dtype.itemsize
    strip_rows = min(max(1, INPUT_BYTES // per_row), tile_rows)
    strips = -(-tile_rows // strip_rows)
    strip_rows = -(-tile_rows // strips)
    length = (strip_rows - 1) * pitch + tile_columns
    channels, vectors = register_block(isa, window.group_out, length, lanes)
    step = vectors * lanes
    # Transforms read a vector past the last tile, register blocks up to a step.
    distance = -(-length // step) * step
    plane_rows = strip_rows + more
    strip_size = outputs * outputs * plane_rows * pitch + lanes + more
    panels = -(-window.group_out // channels)
    blocks = window.batch * window.groups * strips
    parts = 1 if blocks >= threads else min(panels, -(-threads // blocks))
    inputs = size * size * window.group_in * distance
    products = size * size * channels * distance
    fields = {
        "depth": 1,
        "height": rows.size,
        "width": columns.size,
        "out_depth": 1,
        "out_height": rows.out_size,
        "out_width": columns.out_size,
        "kernel_depth": 1,
        "stride_depth": 1,
        "stride_y": outputs,
        "stride_x": outputs,
        "dilation_depth": 1,
        "pad_depth": 0,
        "pad_y": rows.pad_lo,
        "pad_x": columns.pad_lo,
        "groups": window.groups,
        "group_in": window.group_in,
        "group_out": window.group_out,
        "taps": window.group_in,
        "phase_count": outputs * outputs,
        "strips": strips,
        "strip_rows": strip_rows,
        "plane_rows": plane_rows,
        "pitch": pitch,
        "scratch_size": strip_size + inputs + products + lanes,
        "out_offset": 0,
        "out_pitch": 0,
        "tile_rows": tile_rows,
        "tile_columns": tile_columns,
        "in_plane": rows.size * columns.size,
        "out_plane": rows.out_size * columns.out_size,
        "distance": distance,
        "parts": parts,
        "part_panels": -(-panels // parts),
        "inputs_offset": strip_size,
        "products_offset": strip_size + inputs,
    }
    offsets = np.arange(window.group_in, dtype=np.int64) * distance
    phases = [(py, px) for py in range(outputs) for px in range(outputs)]
    return Layout(channels, vectors, blocks * parts, fields, offsets, np.array(phases, np.int64))
