"""How Winograd's work is cut into blocks, and where a block's numbers lie in working memory.

Nothing here changes a bit of the result. A block's tiles are transformed once; then all weights of
its output channels go by. Few tiles a block make the weights go by more often, many do not fit a
core's cache. Of all ways to cut, the one with the smallest estimate is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import ConvWindow
from faltung.kernels.cook_toom import cook_toom
from faltung.kernels.isa import Isa
from faltung.kernels.micro import panel, pixels_together

Array = NDArray[Any]

CACHE: Final = 900 * 1024
"""Bytes of a core's own cache that a block may take."""
SHARED: Final = 20 * 1024 * 1024
"""Bytes of the cache that cores share: weights that are larger come from memory each time."""
STRIP: Final = 80 * 1024
"""Bytes of a strip: a small part of what is near, so that rows need no parts that overlap."""
WIDEST: Final = 56
"""Tiles of a row that stay together: memory is read fastest along its rows."""
MOST: Final = 224
"""Tiles that a block takes at most."""


class Panels(NamedTuple):
    """How weights are packed: from the channels alone, so that any image can use them.

    Vectors of output channels and input channels that lie together, how many such blocks and panels
    there are, and numbers from one point to the next: one vector more than needed, so that points
    are not a power of two apart.
    """

    vectors: int
    length: int
    in_blocks: int
    panels: int
    size: int


def panels_of(group_in: int, group_out: int, lanes: int) -> Panels:
    """Return how many output channels are summed together, and how input channels are cut.

    Parameters
    ----------
    group_in, group_out
        Channels of one group.
    lanes
        Numbers in a vector.

    Examples
    --------
    >>> panels_of(100, 64, 16)
    Panels(vectors=2, length=15, in_blocks=7, panels=2, size=3376)
    """
    vectors = 2 if group_out > lanes else 1
    in_blocks = -(-group_in // lanes)
    length = -(-group_in // in_blocks)
    size = (in_blocks * length * vectors + 1) * lanes
    return Panels(vectors, length, in_blocks, -(-group_out // (vectors * lanes)), size)


class Schedule(NamedTuple):
    """How work is cut.

    Images, rows and columns of tiles of a block; parts that its output channels are dealt out to;
    panels that are summed before they are transformed back; tiles of a register block.
    """

    images: int
    rows: int
    columns: int
    parts: int
    together: int
    pixels: int


class Layout(NamedTuple):
    """How many blocks there are, what the fields hold but for the arrays, where channels lie."""

    blocks: int
    fields: dict[str, int]
    offsets: Array


@lru_cache(256)
def layout_of(
    window: ConvWindow, dtype: np.dtype[Any], isa: Isa, outputs: int, threads: int
) -> Layout:
    """Return how the work of one geometry is cut, and how memory is used."""
    taps = window.kernel[0]
    points = cook_toom(outputs, taps).size ** 2
    lanes = isa.lanes(dtype.itemsize)
    tile_rows, tile_columns = tiles_of(window, outputs)
    panels = panels_of(window.group_in, window.group_out, lanes)
    plan = schedule_of(window, dtype, isa, outputs, threads)
    strips, across = -(-tile_rows // plan.rows), -(-tile_columns // plan.columns)
    tiles = -(-plan.images * plan.rows * plan.columns // plan.pixels) * plan.pixels
    distance = (tiles * panels.in_blocks + 1) * lanes
    sum_pitch = plan.together * panels.vectors * lanes
    sum_distance = tiles * sum_pitch + lanes
    chunk = _chunk(plan, outputs, taps, isa.width, lanes)
    # An odd number of vectors: rows that lie a power of two apart would push each other out.
    strip_pitch = (-(-(chunk * outputs + taps - 1) // lanes) * lanes + lanes + 1 | 1) * lanes
    strip = (plan.rows * outputs + taps - 1) * strip_pitch + lanes * lanes
    # With few channels there is too little to do meanwhile.
    is_far = window.group_in > lanes and prod(window.x_shape) * dtype.itemsize > 2 * CACHE
    cuts = -(-window.batch // plan.images) * window.groups * strips * across
    fields = _sizes(window, taps) | {
        "tile_rows": tile_rows,
        "tile_columns": tile_columns,
        "images": plan.images,
        "strips": strips,
        "strip_rows": plan.rows,
        "across": across,
        "part_columns": plan.columns,
        "cuts": cuts,
        "ways": threads if plan.parts == 1 else 1,
        "chunk": chunk,
        "fetches": int(is_far),
        "length": panels.length,
        "panel_width": panels.vectors * lanes,
        "panel_size": panels.size,
        "in_blocks": panels.in_blocks,
        "panels": panels.panels,
        "pixels": plan.pixels,
        "parts": plan.parts,
        "part_panels": -(-panels.panels // plan.parts),
        "together": plan.together,
        "tiles": tiles,
        "distance": distance,
        "sum_pitch": sum_pitch,
        "sum_distance": sum_distance,
        "strip_pitch": strip_pitch,
        "sums_offset": points * distance,
        "strip_offset": points * (distance + sum_distance),
        "scratch_size": points * (distance + sum_distance) + strip,
    }
    offsets = np.arange(panels.in_blocks, dtype=np.int64) * (tiles * lanes)
    offsets.flags.writeable = False
    weights = points * window.group_in * window.group_out * dtype.itemsize
    is_streamed = tiles <= 4 * plan.pixels or weights > CACHE
    fields |= _panel_addresses(tiles // plan.pixels, plan.pixels, panels, dtype, isa, is_streamed)
    return Layout(cuts * plan.parts, fields, offsets)


def _panel_addresses(
    turns: int, pixels: int, panels: Panels, dtype: np.dtype[Any], isa: Isa, is_streamed: bool
) -> dict[str, int]:
    """Return the register block's code, and that which fetches the next weights meanwhile."""
    number = "f32" if dtype == np.float32 else "f64"
    lanes = isa.lanes(dtype.itemsize)
    sizes = {"pixels": pixels, "vectors": panels.vectors, "length": panels.length, "step": lanes}
    plain = panel.address(number, isa, **sizes)
    found = {"panel": plain, "fetching_panel": plain, "fetching_turns": 0}
    if is_streamed:
        # Each of the first turns fetches one vector for each channel, or the only turn both.
        share = 1 if turns >= panels.vectors else panels.vectors
        found["fetching_turns"] = panels.vectors // share
        found["fetching_panel"] = panel.address(
            number, isa, **sizes, prefetches=True, fetched=share
        )
    return found


def tiles_of(window: ConvWindow, outputs: int) -> tuple[int, int]:
    """Return how many rows and columns of tiles there are."""
    rows, columns = (-(-axis.out_size // outputs) for axis in window.axes)
    return rows, columns


def _sizes(window: ConvWindow, taps: int) -> dict[str, int]:
    rows, columns = window.axes
    return {
        "batch": window.batch,
        "groups": window.groups,
        "group_in": window.group_in,
        "group_out": window.group_out,
        "pad_y": rows.pad_lo,
        "pad_x": columns.pad_lo,
        # What no output reads may be anything, even where a tile reaches it.
        "height": min(rows.size, rows.out_size + taps - 1 - rows.pad_lo),
        "width": min(columns.size, columns.out_size + taps - 1 - columns.pad_lo),
        "row": columns.size,
        "in_plane": rows.size * columns.size,
        "out_height": rows.out_size,
        "out_width": columns.out_size,
        "out_plane": rows.out_size * columns.out_size,
    }


def _chunk(plan: Schedule, outputs: int, taps: int, vector: int, lanes: int) -> int:
    """Return how many tiles of a row are on their way at once: their strip stays close to a core.

    As many as fill whole vectors of pixels, if that is not too few.
    """
    pixels = STRIP // ((plan.rows * outputs + taps - 1) * vector)
    if plan.columns * outputs + taps - 1 <= pixels:
        return plan.columns
    most = max(1, (max(2, pixels // lanes) * lanes - taps + 1) // outputs)
    return -(-plan.columns // -(-plan.columns // most))


def schedule_of(
    window: ConvWindow, dtype: np.dtype[Any], isa: Isa, outputs: int, threads: int
) -> Schedule:
    """Return the cheapest way to cut, by an estimate of cycles."""
    panels = panels_of(window.group_in, window.group_out, isa.lanes(dtype.itemsize))
    tile_rows, tile_columns = tiles_of(window, outputs)
    vector, points = isa.width, cook_toom(outputs, window.kernel[0]).size ** 2
    deep, overlap = panels.in_blocks * panels.length, window.kernel[0] - 1
    all_weights = points * deep * panels.panels * panels.vectors * vector

    def cycles(plan: Schedule) -> float:
        tiles = plan.images * plan.rows * plan.columns
        here = -(-panels.panels // plan.parts)
        blocks = -(-window.batch // plan.images) * window.groups * plan.parts
        blocks *= -(-tile_rows // plan.rows) * -(-tile_columns // plan.columns)
        weights = all_weights * here // panels.panels
        inputs = points * tiles * panels.in_blocks * vector
        sums = points * tiles * plan.together * panels.vectors * vector
        each = deep * (plan.pixels * panels.vectors / 2 + 0.5) + 30 + plan.pixels * panels.vectors
        products = points * here * -(-tiles // plan.pixels) * each
        # What a tile reads of its neighbours is transposed once more.
        twice = 1 + overlap / (plan.rows * outputs), 1 + overlap / (plan.columns * outputs)
        moved = panels.in_blocks * (2.5 + 2.5 * twice[0] * twice[1]) + here * panels.vectors * 4
        is_near = weights + inputs + sums < CACHE
        rate = 48 if is_near else 10 if all_weights < SHARED else 6
        again = inputs * -(-here // plan.together) / 24 if inputs + sums > CACHE else 0.0
        moved *= 1 + min(1.0, max(0.0, (inputs + sums) / CACHE - 1))
        rounds = -(-blocks // threads)
        return rounds * (max(products, weights / rate) + again + tiles * points * moved + 2000)

    return min(_candidates(window, isa, outputs, threads, panels), key=cycles)


def _candidates(
    window: ConvWindow, isa: Isa, outputs: int, threads: int, panels: Panels
) -> Iterator[Schedule]:
    """Yield ways to cut: whole small images together, or one image's rows, wide ones in parts."""
    tile_rows, tile_columns = tiles_of(window, outputs)
    each = tile_rows * tile_columns
    cuts = [(i, tile_rows, tile_columns) for i in _shares(window.batch) if 1 < i <= MOST // each]
    columns = next(share for share in _shares(tile_columns) if share <= WIDEST)
    cuts += [(1, rows, columns) for rows in _shares(tile_rows) if rows * columns <= MOST]
    for images, rows, columns in cuts:
        pixels = pixels_together(isa, images * rows * columns, panels.vectors)
        for parts in {1, min(threads, panels.panels)}:
            together = min(2, -(-panels.panels // parts))
            yield Schedule(images, rows, columns, parts, together, pixels)


def _shares(count: int) -> list[int]:
    """Return the sizes of equal shares, the largest first.

    >>> _shares(7)
    [7, 4, 3, 2, 1]
    """
    return sorted({-(-count // shares) for shares in range(1, count + 1)}, reverse=True)
