"""Large kernels on images as others call them: sizes to fields, memory, threads."""

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
    filter_images,
    frame_fields,
    packed_kernel,
    register_block,
    run,
    shape_of,
    tables,
)
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.toom2d import FIELDS, toom_block
from faltung.kernels.toom_form import FOUR, SIZE, at_points

Array = NDArray[Any]

TILE: Final = (64, 1024)
"""Rows and columns of outputs of a block, at most: what it keeps then stays in a core's own cache
for all but the largest kernels."""


def toom_images(
    x: Array,
    w: Array,
    pads: Pads,
    border: str = "zeros",
    *,
    share: int = 1,
    dtype: np.dtype[Any] | None = None,
) -> Array:
    """Filter images as `filter_images` does, with 49 products for 256.

    Where a block of 4 by 4 outputs is not finite, its outputs are summed directly.
    """
    isa = required_isa("toom2d")
    to = np.dtype(dtype or w.dtype)
    shape = shape_of(x, w, pads, border, share=share)
    y = memory.empty(shape.out, to)
    if not y.size:
        return y
    layout, u = _layout(shape, w.dtype, isa), transformed(w)
    flags = memory.empty((layout.blocks * isa.lanes(w.itemsize),), w.dtype)
    arrays = {"x": x, "w": u, "y": y, "flags": flags, **tables(shape, layout.fields)}
    groups = -(-w.shape[-2] // FOUR)
    run(toom_block, isa, FIELDS, layout, arrays, tail=groups % RUN)
    if np.isnan(flags).any():
        direct = filter_images(x, w, pads, border, share=share, dtype=dtype)
        np.copyto(y, direct, where=~np.isfinite(y))
    return y


def transformed(w: Array) -> Array:
    """Return the kernels of all points, each packed; sums are taken in float64, rounded once."""
    axis = w.ndim - 1
    u = at_points(at_points(w, axis), axis)  # (py, px, ..., groups, groups)
    return packed_kernel(np.moveaxis(u, (1, 0), (-4, -3)).astype(w.dtype))


@lru_cache(256)
def _layout(shape: Shape, dtype: np.dtype[Any], isa: Isa) -> Layout:
    lanes = isa.lanes(dtype.itemsize)
    rows, vectors = register_block(isa)
    images, out_height, out_width = shape.out
    groups, columns = (-(-k // FOUR) for k in shape.kernel)
    strip_rows, strips = _cut(out_height, TILE[0], FOUR * rows)
    tile_columns, tiles = _cut(out_width, TILE[1], FOUR * vectors * lanes)
    point_rows, lines = strip_rows // FOUR + groups - 1, strip_rows // FOUR
    width = tile_columns // FOUR
    pitch = -(-(width + columns - 1) // lanes) * lanes
    frame_rows = FOUR * point_rows + SIZE - FOUR
    sizes = {
        "spare": FOUR * (pitch + 2) + FOUR * lanes + tile_columns * (8 // dtype.itemsize),
        "points_x": SIZE * frame_rows * pitch,
        "points_y": SIZE * point_rows * pitch + lanes,
        "products": SIZE * lines * width,
        "answers": SIZE * strip_rows * width,
    }
    places, place = {}, 0
    for name, size in sizes.items():
        places[name] = place
        # Not a multiple of a page: what lies in different places then is not at odds in the cache.
        place += -(-size // lanes) * lanes + lanes
    fields = {
        **frame_fields(shape),
        "runs": groups // RUN,
        "columns": columns,
        "kernel_size": groups * columns,
        "strips": strips,
        "strip_rows": strip_rows,
        "tiles": tiles,
        "tile_columns": tile_columns,
        "frame_rows": frame_rows,
        "pitch": pitch,
        "point_rows": point_rows,
        **places,
        "scratch_size": place,
    }
    return Layout(rows, vectors, images * strips * tiles, fields)


def _cut(size: int, most: int, step: int) -> tuple[int, int]:
    """Return the size of a piece, a multiple of a step, and how many there are."""
    pieces = -(-size // max(most, step))
    steps = -(-size // (pieces * step))
    return steps * step, -(-size // (steps * step))
