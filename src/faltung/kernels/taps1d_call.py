"""Filters of signals as others call them: sizes to fields, memory, threads."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.filter2d import RUN
from faltung.kernels.filter2d_call import (
    Layout,
    Shape,
    frame_fields,
    packed_kernel,
    register_block,
    run,
    shape_of,
)
from faltung.kernels.filter2d_call import tables as tables_of
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.taps1d import FIELDS, taps_block

Array = NDArray[Any]

STRETCH: Final = 8192
"""Outputs of a block, or four times the taps: then at most a quarter is framed twice."""


def filter_signals(
    x: Array,
    w: Array,
    pads: tuple[int, int],
    border: str = "zeros",
    *,
    share: int = 1,
    dtype: np.dtype[Any] | None = None,
) -> Array:
    """Filter signals with one kernel, which is not flipped: ``y[n, i] = Σ w[j] x[n, i + j - pad]``.

    Parameters
    ----------
    x : array (N, samples)
        Of a dtype that `filter2d_call.reads` names.
    w : array (taps,) or (K, taps), float32 or float64
        The kernel; its dtype is the one that sums are taken in.
    pads
        How much stands before and behind; at least 0.
    border, share, dtype
        As of `filter2d_call.filter_images`.

    Returns
    -------
    array (N * share, samples + pads - taps + 1)
    """
    isa = required_isa("taps1d")
    to = np.dtype(dtype or w.dtype)
    shape = shape_of(x[:, np.newaxis], w[..., np.newaxis, :], ((0, 0), pads), border, share=share)
    y = memory.empty((shape.out[0], shape.out[2]), to)
    if not y.size:
        return y
    layout, lanes = _layout(shape, w.dtype, isa), isa.lanes(w.itemsize)
    fields = {**layout.fields, "strips": 1, "strip_rows": 1, "frame_rows": 1}
    arrays = {"x": x, "w": packed_taps(w, lanes), "y": y, **tables_of(shape, fields)}
    run(taps_block, isa, FIELDS, layout, arrays, tail=w.shape[-1] // lanes % RUN)
    return y


def packed_taps(w: Array, lanes: int) -> Array:
    """Return taps (..., k) in the order in which they are read: `RUN` rows column by column."""
    taps = w.shape[-1]
    whole = taps // lanes
    rest = w[..., whole * lanes :]
    if not whole:
        return np.ascontiguousarray(rest)
    table = w[..., : whole * lanes].reshape(*w.shape[:-1], whole, lanes)
    return np.concatenate([packed_kernel(table), rest], axis=-1)


@lru_cache(256)
def _layout(shape: Shape, dtype: np.dtype[Any], isa: Isa) -> Layout:
    lanes, taps = isa.lanes(dtype.itemsize), shape.kernel[1]
    rows, vectors = register_block(isa)
    step = rows * vectors * lanes
    signals, _, width = shape.out
    tile = -(-max(STRETCH, 4 * taps) // step) * step
    tile = min(tile, -(-width // step) * step)
    tiles = -(-width // tile)
    frame = tile + taps - 1
    fields = {
        **frame_fields(shape),
        "kernel_size": taps,
        "runs": taps // lanes // RUN,
        "extra": taps % lanes,
        "tiles": tiles,
        "tile_columns": tile,
        "frame_columns": frame,
        "spare": frame + lanes,
        "scratch_size": frame + 2 * lanes + step * (8 // dtype.itemsize),
    }
    return Layout(rows, vectors, signals * tiles, fields)
