"""The gradient of the weights in Winograd's form as the registry calls it: sizes, runs, memory."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import ConvWindow
from faltung.kernels import memory, numpy_conv
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.outer import together
from faltung.kernels.winograd_dw import FIELDS, winograd_gradient_block
from faltung.kernels.winograd_dw_cost import CHUNK, OUTPUTS

Array = NDArray[Any]

TILES: Final = (40, 100)
"""How many tiles are transformed before their products are added, at least and at most."""
POINTS_BYTES: Final = 512 * 1024
"""What the transforms of so many tiles take, if that are tiles enough."""
RUNS: Final = 16
"""How many sums there are over the batch, at most; they are added in float64."""
RUN_TILES: Final = 128
"""Tiles that a run should have: what is done once for each run is worth some tens of tiles."""


class Layout(NamedTuple):
    """How the work of one geometry is cut, and what `FIELDS` hold but for the addresses."""

    numbers: int
    blocks: int
    pairs: int
    fields: dict[str, int]


def conv_dw(window: ConvWindow, x: Array, dout: Array) -> Array:
    """Return the gradient of the weights: 3 by 3 from 4 times fewer products, 5 by 5 from 4.6.

    Tiles of dout are 4 by 4 or 3 by 3: with 6 by 6 or 7 by 7 products for each.

    Parameters
    ----------
    window : ConvWindow
        Of the forward convolution.
    x : array (N, C, H, W), float32 or float64
        Its input.
    dout : array (N, O, *out_space), of the same dtype
        Gradient of its output.
    """
    isa = required_isa(f"conv_dw_winograd_f{OUTPUTS[window.kernel[0]]}_any_nchw")
    if not dout.size or not x.size:
        return numpy_conv.conv_dw(window, x, dout)
    layout = _layout(window, x.dtype, isa)
    dw = memory.empty(window.w_shape, x.dtype)
    arrays = {
        "x": np.ascontiguousarray(x),
        "dout": np.ascontiguousarray(dout),
        "dw": dw,
        "counts": memory.zeros((layout.pairs,), np.dtype(np.int64)),
        "nowhere": _nowhere(),
    }
    taps = window.kernel[0]
    form: dict[str, Any] = {"taps": taps, "outputs": OUTPUTS[taps], "numbers": layout.numbers}
    launch(winograd_gradient_block, isa, FIELDS, layout.fields, arrays, layout.blocks, **form)
    return dw


@lru_cache(1)
def _nowhere() -> Array:
    return memory.constant(np.zeros(1, np.int64))


@lru_cache(256)
def _layout(window: ConvWindow, dtype: np.dtype[Any], isa: Isa) -> Layout:
    width, taps = isa.lanes(dtype.itemsize), window.kernel[0]
    outputs = OUTPUTS[taps]
    points, more = (taps + outputs - 1) ** 2, taps - 1
    rows, columns = window.axes
    tile_rows, tile_columns = (-(-axis.out_size // outputs) for axis in (rows, columns))
    chunk_in, chunk_out = (
        min(CHUNK, -(-count // width) * width) for count in (window.group_in, window.group_out)
    )
    fitting = POINTS_BYTES // (points * (chunk_in + chunk_out) * dtype.itemsize)
    wanted = min(max(TILES[0], fitting), TILES[1])
    strips = max(1, round(tile_rows * tile_columns / wanted))
    strip_rows = -(-tile_rows // min(strips, tile_rows))
    strips = -(-tile_rows // strip_rows)
    steps = window.batch * strips
    images = max(1, wanted // (tile_rows * tile_columns)) if strips == 1 else 1
    tiles = images * strip_rows * tile_columns
    chunks_in, chunks_out = -(-window.group_in // chunk_in), -(-window.group_out // chunk_out)
    pairs = window.groups * chunks_in * chunks_out
    run_count = min(RUNS, steps, max(2, 2 * RUNS // pairs))
    run_count = max(1, min(run_count, window.batch * tile_rows * tile_columns // RUN_TILES))
    # A vector more between points: distances of whole pages would all fall into the same lines.
    in_distance, out_distance = (tiles * chunk + width for chunk in (chunk_in, chunk_out))
    sums = points * chunk_in * chunk_out
    # A row of tiles in between, or what is folded; all pixels that a strip of either reads.
    halves = (
        max((taps + outputs - 1) * (tile_columns * outputs + more), taps * taps + width) * width
    )
    wide = max(columns.size, columns.out_size)
    pixels = ((strip_rows * outputs + more) * wide + 2 * width) * width
    halves_offset = sums + points * (in_distance + out_distance)
    pixels_offset = halves_offset + halves
    fields = {
        "height": rows.size,
        "width": columns.size,
        "out_height": rows.out_size,
        "out_width": columns.out_size,
        "pad_y": rows.pad_lo,
        "pad_x": columns.pad_lo,
        "groups": window.groups,
        "group_in": window.group_in,
        "group_out": window.group_out,
        "tile_rows": tile_rows,
        "tile_columns": tile_columns,
        "strips": strips,
        "strip_rows": strip_rows,
        "steps": steps,
        "together": images,
        "tiles": tiles,
        "runs": run_count,
        "chunk_in": chunk_in,
        "chunk_out": chunk_out,
        "chunks_in": chunks_in,
        "chunks_out": chunks_out,
        "in_distance": in_distance,
        "out_distance": out_distance,
        "in_offset": sums,
        "out_offset": sums + points * in_distance,
        "halves_offset": halves_offset,
        "pixels_offset": pixels_offset,
        "nothing_offset": pixels_offset + pixels,
        "scratch_size": pixels_offset + pixels + wide * width,
        "shared_size": pairs * run_count * chunk_in * chunk_out * taps * taps,
    }
    return Layout(together(isa, 2), pairs * run_count, pairs, fields)
