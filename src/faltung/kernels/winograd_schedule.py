"""How Winograd's work is cut into blocks, and where a block's numbers lie in working memory.

Nothing here changes a bit of the result. A block's tiles are transformed once; then all weights of
its output channels go by. Few tiles a block make the weights go by more often, many do not fit a
core's cache; the sums of all panels at once take room, those of a few read all tiles again for the
next. Of all ways to cut, the one with the smallest estimate is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np

from faltung.geometry.axis import AxisWindow
from faltung.geometry.window import ConvWindow
from faltung.kernels.cook_toom import cook_toom
from faltung.kernels.isa import Isa
from faltung.kernels.micro import SUMS, panel, pixels_together
from faltung.kernels.winograd_cost import AT_ONCE, tiles_of

CACHE: Final = 900 * 1024
"""Bytes of a core's own cache that a block may take."""
SHARED: Final = 20 * 1024 * 1024
"""Bytes of the cache that cores share: weights that are larger come from memory each time."""
TAKEN: Final = 10 * 1024 * 1024
"""Bytes of it that the blocks of all threads may take: weights and images go through it, too."""
STRIP: Final = 80 * 1024
"""Bytes of a strip: a small part of what is near, so that rows need no parts that overlap."""
WIDEST: Final = 56
"""Tiles of a row that stay together: memory is read fastest along its rows."""
MOST: Final = 224
"""Tiles that a block takes at most."""
HALF: Final = 256 * 1024
"""Bytes of such weights that wait to be used: what is summed takes place in the cache, too."""


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


def panels_of(group_in: int, group_out: int, lanes: int, depth: int = 1) -> Panels:
    """Return how many output channels are summed together, and how input channels are cut.

    Parameters
    ----------
    group_in, group_out
        Channels of one group.
    lanes
        Numbers in a vector.
    depth
        Taps of the kernel in depth: so many blocks of weights has each block of channels.

    Examples
    --------
    >>> panels_of(100, 64, 16)
    Panels(vectors=2, length=15, in_blocks=7, panels=2, size=3376)
    """
    vectors = 2 if group_out > lanes else 1
    in_blocks = -(-group_in // lanes)
    length = -(-group_in // in_blocks)
    size = (in_blocks * depth * length * vectors + 1) * lanes
    return Panels(vectors, length, in_blocks, -(-group_out // (vectors * lanes)), size)


class Schedule(NamedTuple):
    """How work is cut.

    Frames, rows and columns of tiles of a block; parts that its output channels are dealt out to;
    panels that are summed before they are transformed back; tiles of a register block.
    """

    frames: int
    rows: int
    columns: int
    parts: int
    together: int
    pixels: int


class Layout(NamedTuple):
    """How many blocks there are, and what the fields hold but for the arrays.

    ``is_packed`` says whether they take weights that were transformed before.
    """

    is_packed: bool
    blocks: int
    fields: dict[str, int]


@lru_cache(256)
def layout_of(
    window: ConvWindow,
    dtype: np.dtype[Any],
    isa: Isa,
    outputs: int,
    threads: int,
    is_packed: bool = True,
) -> Layout:
    """Return how the work of one geometry is cut, and how memory is used.

    With weights as they were given, where each is used by one block, that block transforms them.
    """
    taps, (volumes, deep) = window.kernel[-1], frames_of(window)
    points = cook_toom(outputs, taps).size ** 2
    lanes = isa.lanes(dtype.itemsize)
    tile_rows, tile_columns = tiles_of(window, outputs)
    panels = panels_of(window.group_in, window.group_out, lanes, deep.kernel)
    whole = None if is_packed else whole_of(window, isa, outputs, threads, panels)
    plan = whole or schedule_of(window, dtype, isa, outputs, threads)
    runs = -(-deep.out_size // plan.frames)
    strips, across = -(-tile_rows // plan.rows), -(-tile_columns // plan.columns)
    frame_tiles = plan.rows * plan.columns
    summed = -(-plan.frames * frame_tiles // plan.pixels) * plan.pixels
    tiles = summed + (deep.kernel - 1) * frame_tiles
    distance = (tiles * panels.in_blocks + 1) * lanes
    sum_pitch = plan.together * panels.vectors * lanes
    sum_distance = summed * sum_pitch + lanes
    phase_rows = tile_rows // window.dilation[-2]
    lines = min(plan.rows, phase_rows) * outputs + taps - 1
    chunk = _chunk(window, plan.columns, lines, outputs, isa.width, lanes)
    # An odd number of vectors: rows that lie a power of two apart would push each other out.
    strip_pitch = (-(-_pixels(window, chunk, outputs) // lanes) * lanes + lanes + 1 | 1) * lanes
    strip = lines * strip_pitch + lanes * lanes
    table = -(-panels.in_blocks * deep.kernel * 8 // isa.width) * lanes
    # With few channels there is too little to do meanwhile.
    is_far = window.group_in > lanes and prod(window.x_shape) * dtype.itemsize > 2 * CACHE
    cuts = volumes * runs * window.groups * strips * across
    strip_offset = points * (distance + sum_distance)
    fields = _sizes(window) | {
        "tile_rows": tile_rows,
        "phase_rows": phase_rows,
        "tile_columns": tile_columns,
        "runs": runs,
        "run_frames": plan.frames,
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
        "strip_offset": strip_offset,
        "table_offset": strip_offset + strip,
        **_near(window, panels, outputs, lanes, dtype.itemsize, strip_offset + strip + table),
    }
    if whole is None:
        fields["scratch_size"] = fields["near_offset"]
    weights = points * window.reduction // taps**2 * window.group_out * dtype.itemsize
    is_streamed = whole is None and (summed <= 4 * plan.pixels or weights > CACHE)
    turns = summed // plan.pixels
    fields |= _panel_addresses(turns, plan.pixels, panels, dtype, isa, is_streamed)
    return Layout(whole is None, cuts * plan.parts, fields)


def _panel_addresses(
    turns: int, pixels: int, panels: Panels, dtype: np.dtype[Any], isa: Isa, is_streamed: bool
) -> dict[str, int]:
    """Return the register block's code, and that which fetches the next weights meanwhile."""
    number = "f32" if dtype == np.float32 else "f64"
    lanes = isa.lanes(dtype.itemsize)
    sizes = {"pixels": pixels, "vectors": panels.vectors, "length": panels.length, "step": lanes}
    plain = panel.address(number, isa, **sizes)
    adding = panel.address(number, isa, **sizes, begin=SUMS)
    found = {"panel": plain, "adding_panel": adding, "fetching_panel": plain, "fetching_turns": 0}
    if is_streamed:
        # Each of the first turns fetches one vector for each channel, or the only turn both.
        share = 1 if turns >= panels.vectors else panels.vectors
        found["fetching_turns"] = panels.vectors // share
        found["fetching_panel"] = panel.address(
            number, isa, **sizes, prefetches=True, fetched=share
        )
    return found


def _near(
    window: ConvWindow, panels: Panels, outputs: int, lanes: int, itemsize: int, start: int
) -> dict[str, int]:
    """Return where a block transforms a panel's weights, those of a few blocks of channels at once.

    They take some `HALF` bytes from `start` on.
    """
    cube, taps = prod(window.kernel), window.kernel[-1]
    points, depth = cook_toom(outputs, taps).size ** 2, cube // taps**2
    rows, width = panels.length * depth, panels.vectors * lanes
    most = max(1, HALF // (points * rows * width * itemsize))
    blocks = -(-panels.in_blocks // -(-panels.in_blocks // most))
    distance = blocks * rows * width + lanes
    lines = start + points * distance
    return {
        "near_blocks": blocks,
        "near_distance": distance,
        "in_step": cube,
        "out_step": cube * window.group_in,
        "group_step": cube * window.group_in * window.group_out,
        "near_offset": start,
        "lines_offset": lines,
        "scratch_size": lines + (panels.length * cube + lanes) * lanes,
    }


def frames_of(window: ConvWindow) -> tuple[int, AxisWindow]:
    """Return how many volumes there are, and the axis of their frames.

    A batch of images is one volume, whose frames the kernel takes one by one.
    """
    if len(window.axes) == 2:
        return 1, AxisWindow(window.batch, 1)
    return window.batch, window.axes[0]


def _sizes(window: ConvWindow) -> dict[str, int]:
    *before, rows, columns = window.axes
    _, deep = frames_of(window)
    image, result = rows.size * columns.size, rows.out_size * columns.out_size
    return {
        "groups": window.groups,
        "group_in": window.group_in,
        "group_out": window.group_out,
        "pad_z": deep.pad_lo,
        "pad_y": rows.pad_lo,
        "pad_x": columns.pad_lo,
        "apart": rows.dilation,
        "in_frames": deep.size,
        # What no output reads may be anything, even where a tile reaches it.
        "height": min(rows.size, rows.out_size + rows.extent - 1 - rows.pad_lo),
        "width": min(columns.size, columns.out_size + columns.extent - 1 - columns.pad_lo),
        "row": columns.size,
        "in_plane": image * (deep.size if before else 1),
        "in_frame": image * (1 if before else window.in_channels),
        "out_frames": deep.out_size,
        "out_height": rows.out_size,
        "out_width": columns.out_size,
        "out_plane": result * (deep.out_size if before else 1),
        "out_frame": result * (1 if before else window.out_channels),
        "depth": deep.kernel,
    }


def _pixels(window: ConvWindow, tiles: int, outputs: int) -> int:
    """Return how many pixels of a row so many tiles beside each other read."""
    axis = window.axes[-1]
    return -(-tiles // axis.dilation) * axis.dilation * outputs + axis.extent - 1


def _chunk(
    window: ConvWindow, columns: int, lines: int, outputs: int, vector: int, lanes: int
) -> int:
    """Return how many tiles of a row are on their way at once: their strip stays close to a core.

    As many as fill whole vectors of pixels, if that is not too few; as many of each phase.
    """
    pixels, axis = STRIP // (lines * vector), window.axes[-1]
    if _pixels(window, columns, outputs) <= pixels:
        return columns
    wanted = max(2, pixels // lanes) * lanes - axis.extent + 1
    most, turns = max(1, wanted // (outputs * axis.dilation)), -(-columns // axis.dilation)
    return -(-turns // -(-turns // most)) * axis.dilation


def schedule_of(
    window: ConvWindow, dtype: np.dtype[Any], isa: Isa, outputs: int, threads: int
) -> Schedule:
    """Return the cheapest way to cut, by an estimate of cycles."""
    volumes, axis = frames_of(window)
    panels = panels_of(window.group_in, window.group_out, isa.lanes(dtype.itemsize), axis.kernel)
    tile_rows, tile_columns = tiles_of(window, outputs)
    vector, points = isa.width, cook_toom(outputs, window.kernel[-1]).size ** 2
    deep, overlap = panels.in_blocks * panels.length * axis.kernel, window.kernel[-1] - 1
    phase_rows = tile_rows // window.dilation[-2]
    all_weights = points * deep * panels.panels * panels.vectors * vector

    def cycles(plan: Schedule) -> float:
        each = plan.rows * plan.columns
        tiles, read = plan.frames * each, (plan.frames + axis.kernel - 1) * each
        here = -(-panels.panels // plan.parts)
        blocks = volumes * -(-axis.out_size // plan.frames) * window.groups * plan.parts
        blocks *= -(-tile_rows // plan.rows) * -(-tile_columns // plan.columns)
        weights = all_weights * here // panels.panels
        inputs = points * read * panels.in_blocks * vector
        sums = points * tiles * plan.together * panels.vectors * vector
        block = deep * (plan.pixels * panels.vectors / 2 + 0.5) + 30 + plan.pixels * panels.vectors
        products = points * here * -(-tiles // plan.pixels) * block
        # What a tile reads of its neighbours is transposed once more.
        twice = 1 + overlap / (min(plan.rows, phase_rows) * outputs)
        twice *= _pixels(window, plan.columns, outputs) / (plan.columns * outputs)
        moved = read * panels.in_blocks * (2.5 + 2.5 * twice)
        moved += tiles * here * panels.vectors * 4
        is_near = weights + inputs + sums < CACHE
        rate = 48 if is_near else 10 if all_weights < SHARED else 6
        taken = (inputs + sums) * min(threads, blocks)
        far = 24 if taken < TAKEN else 5 * TAKEN / taken
        again = inputs * -(-here // plan.together) / far if inputs + sums > CACHE else 0.0
        moved *= 1 + min(1.0, max(0.0, (inputs + sums) / CACHE - 1))
        rounds = -(-blocks // threads)
        return rounds * (max(products, weights / rate) + again + points * moved + 2000)

    return min(_candidates(window, isa, outputs, threads, panels), key=cycles)


def whole_of(
    window: ConvWindow, isa: Isa, outputs: int, threads: int, panels: Panels
) -> Schedule | None:
    """Return the cut in which one block has all tiles; None where they are too many for it."""
    tile_rows, tile_columns = tiles_of(window, outputs)
    volumes, deep = frames_of(window)
    tiles = deep.out_size * tile_rows * tile_columns
    if volumes > 1 or tiles > AT_ONCE:
        return None
    pixels = pixels_together(isa, tiles, panels.vectors)
    parts = min(threads, panels.panels)
    return Schedule(deep.out_size, tile_rows, tile_columns, parts, 1, pixels)


def _candidates(
    window: ConvWindow, isa: Isa, outputs: int, threads: int, panels: Panels
) -> Iterator[Schedule]:
    """Yield ways to cut: whole small frames together, or one frame's rows, wide ones in parts.

    Where frames share what they read, parts of several are taken together, too.
    """
    tile_rows, tile_columns = tiles_of(window, outputs)
    each, (_, deep) = tile_rows * tile_columns, frames_of(window)
    apart = window.dilation[-1]
    turns = (share * apart for share in _shares(-(-tile_columns // apart)))
    columns = min(next((wide for wide in turns if wide <= WIDEST), apart), tile_columns)
    several = [frames for frames in _shares(deep.out_size) if frames > 1]
    cuts = [(f, tile_rows, tile_columns) for f in several if f * each <= MOST]
    cuts += [(1, rows, columns) for rows in _shares(tile_rows) if rows * columns <= MOST]
    if deep.kernel > 1:
        cuts += [
            (frames, rows, columns)
            for frames in several
            for rows in _shares(tile_rows)
            if frames * rows * columns <= MOST
        ]
    for frames, rows, columns in cuts:
        pixels = pixels_together(isa, frames * rows * columns, panels.vectors)
        for parts in {1, min(threads, panels.panels)}:
            here = -(-panels.panels // parts)
            for together in {min(2, here), here}:
                yield Schedule(frames, rows, columns, parts, together, pixels)


def _shares(count: int) -> list[int]:
    """Return the sizes of equal shares, the largest first.

    >>> _shares(7)
    [7, 4, 3, 2, 1]
    """
    return sorted({-(-count // shares) for shares in range(1, count + 1)}, reverse=True)
