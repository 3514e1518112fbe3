"""Pooling by tiles as the registry calls it."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import PoolWindow
from faltung.kernels import memory
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.pooling_tiles import FIELDS, MAX, MAX_DX, MEAN, MEAN_DX, Tile, tiles_block

Array = NDArray[Any]

BLOCK: Final = 30_000
"""Numbers of the input that one block of work reads, about."""


def max_pool(window: PoolWindow, x: Array) -> Array:
    """Return the largest value of each tile; NaN wins.

    Parameters
    ----------
    window : PoolWindow
        Its windows tile the input.
    x : array (N, C, *space), float32 or float64
        Input.
    """
    y = memory.empty(window.out_shape, x.dtype)
    return _launched(MAX, window, x, y, y)


def avg_pool(window: PoolWindow, x: Array, count_include_pad: bool = False) -> Array:
    """Return the mean of each tile; there is no padding to count."""
    y = memory.empty(window.out_shape, x.dtype)
    return _launched(MEAN, window, x, y, y)


def max_pool_dx(window: PoolWindow, x: Array, dout: Array) -> Array:
    """Return the gradient of `max_pool`: all to the first winner in row-major order."""
    return _launched(MAX_DX, window, x, dout, memory.empty(window.x_shape, dout.dtype))


def avg_pool_dx(window: PoolWindow, dout: Array, count_include_pad: bool = False) -> Array:
    """Return the gradient of `avg_pool`: an equal share to each number of the tile."""
    return _launched(MEAN_DX, window, dout, dout, memory.empty(window.x_shape, dout.dtype))


def _launched(what: str, window: PoolWindow, x: Array, y: Array, result: Array) -> Array:
    if not result.size:
        return result
    isa = required_isa(f"{what} of tiles")
    tile, blocks, fields = _layout(window, x.dtype, isa)
    arrays = {"x": np.ascontiguousarray(x), "y": np.ascontiguousarray(y), "dx": result}
    launch(tiles_block, isa, FIELDS, fields, arrays, blocks, what=what, tile=tuple(tile))
    return result


@lru_cache(256)
def _layout(window: PoolWindow, dtype: np.dtype[Any], isa: Isa) -> tuple[Tile, int, dict[str, int]]:
    lanes, columns = isa.lanes(dtype.itemsize), window.axes[-1]
    height = window.axes[-2].kernel if len(window.axes) > 1 else 1
    out_width = columns.out_size
    tile = Tile(height, columns.kernel)
    if out_width <= lanes:
        tile = Tile(height, columns.kernel, lanes // out_width, out_width)
    rows = prod(window.out_shape[:-1])
    together = max(1, BLOCK // (height * columns.size))
    # Whole vectors of rows in all blocks but the last.
    together = -(-together // max(tile.rows, 1)) * max(tile.rows, 1)
    fields = {"out_width": out_width, "rows": rows, "together": together, "scratch_size": 0}
    return tile, -(-rows // together), fields
