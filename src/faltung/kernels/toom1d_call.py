"""Long filters of signals as others call them: sizes to fields, memory, threads."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.filter2d import RUN
from faltung.kernels.filter2d_call import Layout, Shape, frame_fields, register_block, run, shape_of
from faltung.kernels.filter2d_call import tables as tables_of
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.taps1d_call import filter_signals, packed_taps
from faltung.kernels.toom1d import FIELDS, toom_taps_block
from faltung.kernels.toom_form import FOUR, SIZE, at_points

Array = NDArray[Any]

STRETCH: Final = 1 << 14
"""Outputs of a block; or four times the taps, so that little is evaluated twice."""


def toom_signals(
    x: Array,
    w: Array,
    pads: tuple[int, int],
    border: str = "zeros",
    *,
    share: int = 1,
    dtype: np.dtype[Any] | None = None,
) -> Array:
    """Filter signals as `filter_signals` does, with 7 products for 16.

    Where a block of four outputs is not finite, they are summed directly.
    """
    isa = required_isa("toom1d")
    to, lanes = np.dtype(dtype or w.dtype), isa.lanes(w.itemsize)
    shape = shape_of(x[:, np.newaxis], w[..., np.newaxis, :], ((0, 0), pads), border, share=share)
    y = memory.empty((shape.out[0], shape.out[2]), to)
    if not y.size:
        return y
    layout = _layout(shape, w.dtype, isa)
    u = packed_taps(np.moveaxis(at_points(w, w.ndim - 1), 0, -2).astype(w.dtype), lanes)
    flags = memory.empty((layout.blocks * lanes,), w.dtype)
    tables = tables_of(shape, {**layout.fields, "frame_rows": 1})
    arrays = {"x": x, "w": u, "y": y, "flags": flags, **tables}
    run(toom_taps_block, isa, FIELDS, layout, arrays, tail=-(-w.shape[-1] // FOUR) // lanes % RUN)
    if np.isnan(flags).any():
        np.copyto(
            y, filter_signals(x, w, pads, border, share=share, dtype=dtype), where=~np.isfinite(y)
        )
    return y


@lru_cache(256)
def _layout(shape: Shape, dtype: np.dtype[Any], isa: Isa) -> Layout:
    lanes, groups = isa.lanes(dtype.itemsize), -(-shape.kernel[1] // FOUR)
    rows, vectors = register_block(isa)
    step = FOUR * rows * vectors * lanes
    signals, _, width = shape.out
    tile = -(-max(STRETCH, 4 * shape.kernel[1]) // step) * step
    tile = min(tile, -(-width // step) * step)
    tiles = -(-width // tile)
    distance = -(-(tile // FOUR + groups - 1) // lanes) * lanes
    points = FOUR * (distance + 2) + FOUR * lanes + tile * (8 // dtype.itemsize)
    answers = points + SIZE * distance + lanes
    fields = {
        **frame_fields(shape),
        "runs": groups // lanes // RUN,
        "extra": groups % lanes,
        "kernel_size": groups,
        "tiles": tiles,
        "tile_columns": tile,
        "distance": distance,
        "spare": 0,
        "points_x": points,
        "answers": answers,
        "scratch_size": answers + SIZE * (tile // FOUR) + lanes,
    }
    return Layout(rows, vectors, signals * tiles, fields)
