"""Kernels that are an outer product as others call them: sizes to fields, memory, threads."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.filter2d import RUN
from faltung.kernels.filter2d_call import (
    Layout,
    Pads,
    Shape,
    frame_fields,
    packed_kernel,
    register_block,
    run,
    shape_of,
    tables,
)
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.passes2d import FIELDS, passes_block

Array = NDArray[Any]

FRAME_BYTES: Final = 384 * 1024
"""What a frame should take at most, beside the rows between the passes."""


def passes_images(
    x: Array,
    down: Array,
    across: Array,
    pads: Pads,
    border: str = "zeros",
    *,
    channels: int = 1,
    dtype: np.dtype[Any] | None = None,
) -> Array:
    """Filter images with ``down[ky] · across[kx]``, as `filter_images` does with its kernel.

    Each output sums the columns first: its error is at most ``γ_n Σ|w·x|``, n the taps of both.
    """
    isa = required_isa("passes2d")
    to = np.dtype(dtype or down.dtype)
    shape = shape_of(x, np.empty((len(down), len(across)), down.dtype), pads, border, channels)
    y = memory.empty(shape.out, to)
    if not y.size:
        return y
    layout, w = _layout(shape, down.dtype, isa), packed_kernel(down[:, np.newaxis])
    lines = {"w": w, "across": np.ascontiguousarray(across)}
    arrays = {"x": x, **lines, "y": y, **tables(shape, layout.fields)}
    run(passes_block, isa, FIELDS, layout, arrays, tail=len(down) % RUN)
    return y


@lru_cache(256)
def _layout(shape: Shape, dtype: np.dtype[Any], isa: Isa) -> Layout:
    lanes = isa.lanes(dtype.itemsize)
    rows, vectors = register_block(isa)
    images, out_height, out_width = shape.out
    more_rows, more_columns = shape.kernel[0] - 1, (shape.kernel[1] - 1) * shape.step
    step = vectors * lanes
    room = FRAME_BYTES // dtype.itemsize
    widest = max(4 * step, room // (2 * more_rows + rows) - more_columns)
    tiles = -(-out_width // widest)
    tile_columns = -(-out_width // (tiles * step)) * step
    tiles = -(-out_width // tile_columns)
    pitch = -(-(tile_columns + more_columns) // step) * step
    # Rows that are a multiple of half a page apart would share a few places of the cache.
    pitch += step if pitch * dtype.itemsize % 2048 == 0 else 0
    fitting = max(rows, (room // pitch - more_rows) // rows * rows)
    strips = -(-out_height // fitting)
    strip_rows = -(-out_height // (strips * rows)) * rows
    strips = -(-out_height // strip_rows)
    frame_rows = strip_rows + more_rows
    middle = frame_rows * pitch + lanes
    spare = middle + rows * pitch + step
    fields = {
        **frame_fields(shape),
        "kernel_size": 0,
        "runs": shape.kernel[0] // RUN,
        "columns": shape.kernel[1],
        "step": shape.step,
        "strips": strips,
        "strip_rows": strip_rows,
        "tiles": tiles,
        "tile_columns": tile_columns,
        "frame_rows": frame_rows,
        "pitch": pitch,
        "middle": middle,
        "spare": spare,
        "scratch_size": spare + rows * step * (8 // dtype.itemsize),
    }
    return Layout(rows, vectors, images * strips * tiles, fields)
