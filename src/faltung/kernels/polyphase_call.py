"""Convolution with stride 2 by phases as the registry calls it: sizes, weights, memory, threads."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import ConvWindow
from faltung.kernels import memory
from faltung.kernels.epilogue import PLAIN, Epilogue
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.micro import pixels_together
from faltung.kernels.pointwise_call import bias_of, residual_of
from faltung.kernels.polyphase import FIELDS, polyphase_block
from faltung.kernels.polyphase_cost import AT_ONCE, phases_at, taps_of
from faltung.kernels.polyphase_weights import FIELDS as WEIGHT_FIELDS
from faltung.kernels.polyphase_weights import transform_phases
from faltung.kernels.threads import num_threads

Array = NDArray[Any]

CACHE: Final = 700 * 1024
"""What a block's transformed input and its sums should take at most."""
FEW: Final = 28
"""Tiles that a block should have, where there are that many: two register blocks."""
HALF: Final = 256 * 1024
"""Bytes of such weights that wait to be used: what is summed takes place in the cache, too."""
NEAR: Final = 1 << 20
"""Bytes of weights that stay in a core's cache; more are fetched ahead of their use."""


class Panels(NamedTuple):
    """How weights lie, from channels alone.

    ``packed[group, panel]`` has for each point, for each block of input channels that it sums over,
    ``length`` rows of ``vectors`` vectors of output channels; `counts` says how many blocks a point
    has for each of the ``channel_groups`` runs of channels, `places` where its first one lies.
    """

    is_wide: bool
    channel_groups: int
    lane_blocks: int
    length: int
    vectors: int
    panels: int
    steps: dict[str, int]
    places: tuple[int, ...]
    counts: tuple[int, ...]
    size: int


class Cut(NamedTuple):
    """Images and rows of tiles of a block, parts of output channels, panels summed together.

    Where one block uses a panel's weights, it may transform them: of `chunk` runs of channels at a
    time, which lie as `near` says; None where they were packed before.
    """

    images: int
    strip_rows: int
    parts: int
    together: int
    chunk: int = 0
    near: Panels | None = None


class Layout(NamedTuple):
    """How the work of one geometry is cut, and what `FIELDS` hold but for the addresses."""

    constants: dict[str, Any]
    blocks: int
    tables: dict[str, Array]
    fields: dict[str, int]


@lru_cache(256)
def panels_of(group_in: int, group_out: int, kernel_size: int, outputs: int, lanes: int) -> Panels:
    """Return how weights lie for so many channels."""
    is_wide = group_in >= lanes
    vectors = min(2, -(-group_out // lanes))
    width = vectors * lanes
    size = outputs + -(-kernel_size // 2) - 1
    channel_groups = -(-group_in // lanes) if is_wide else 1
    lane_blocks = 4 if is_wide else -(-4 * group_in // lanes)
    length = lanes if lane_blocks > 1 else 4 * group_in
    # Of many channels, points lie a vector further apart than their phases take: distances of whole
    # pages would all fall into the same lines of the cache.
    steps = {
        "point_step": lanes if is_wide else lane_blocks * length * width,
        "phase_step": channel_groups * lanes * width if is_wide else 0,
        "block_step": (lanes if is_wide else group_in) * width,
    }
    counts, places, at = [], [], 0
    for p in range(size**2):
        there = len(phases_at(p, size, kernel_size, is_wide=is_wide))
        counts.append(there if is_wide else lane_blocks)
        places.append(at)
        at += steps["point_step"] + there * steps["phase_step"]
    return Panels(
        *(is_wide, channel_groups, lane_blocks, length, vectors, -(-group_out // width)),
        *(steps, tuple(places), tuple(counts), at),
    )


def pack(window: ConvWindow, w: Array, *, outputs: int) -> Array:
    """Return the weights as `conv` reads them."""
    isa = required_isa(f"conv_polyphase_f{outputs}_any_nchw")
    lanes, kernel_size = isa.lanes(w.dtype.itemsize), window.kernel[0]
    own = panels_of(window.group_in, window.group_out, kernel_size, outputs, lanes)
    packed = memory.aligned((window.groups, own.panels, own.size), w.dtype)
    fields = {
        "group_in": window.group_in,
        "group_out": window.group_out,
        "panels": own.panels,
        "width": own.vectors * lanes,
        "panel_size": own.size,
        "runs": own.channel_groups,
        **own.steps,
        "scratch_size": _lines(kernel_size, lanes),
    }
    constants: dict[str, Any] = {"outputs": outputs, "kernel_size": kernel_size}
    arrays = {"x": np.ascontiguousarray(w), "packed": packed}
    blocks = window.groups * own.panels * own.channel_groups
    wide = own.is_wide
    launch(transform_phases, isa, WEIGHT_FIELDS, fields, arrays, blocks, **constants, is_wide=wide)
    return packed


def _lines(kernel_size: int, lanes: int) -> int:
    """Return the numbers that a run of channels' weights take on their way."""
    return (lanes * kernel_size**2 + lanes) * lanes


def conv(
    window: ConvWindow,
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    out: Array | None = None,
    packed: Array | None = None,
    epilogue: Epilogue = PLAIN,
    outputs: int,
) -> Array:
    """Convolve with stride 2 by tiles of so many outputs a side.

    Parameters
    ----------
    window : ConvWindow
        The geometry.
    x : array (N, C, H, W), float32 or float64
        Input.
    w : array (O, C/groups, k, k), of the same dtype
        Weights.
    b : array (O,), optional
        Bias.
    out : array (N, O, *out_space), C-contiguous, optional
        Where the result goes.
    packed : array, optional
        What `pack` gave for these weights.
    epilogue : Epilogue, optional
        What is done to each output before it is stored.
    outputs : int
        Of a tile, on each side: 2 or 4.
    """
    isa = required_isa(f"conv_polyphase_f{outputs}_any_nchw")
    y = memory.empty(window.out_shape, x.dtype) if out is None else out
    if not y.size:
        return y
    layout = _layout(window, x.dtype, isa, outputs, num_threads(), packed is not None)
    if packed is None and layout.constants["is_packed"]:
        packed = pack(window, w, outputs=outputs)
    width = layout.fields["panels"] * layout.fields["panel_width"]
    arrays = {
        "x": np.ascontiguousarray(x),
        "w": np.ascontiguousarray(w) if packed is None else packed,
        "bias": bias_of(window, b, width, x.dtype),
        "y": y,
        "residual": residual_of(epilogue, y),
        **layout.tables,
    }
    after: dict[str, Any] = {**epilogue.constants, "adds": epilogue.residual is not None}
    constants = {**layout.constants, **after}
    launch(polyphase_block, isa, FIELDS, layout.fields, arrays, layout.blocks, **constants)
    return y


@lru_cache(256)
def _layout(
    window: ConvWindow,
    dtype: np.dtype[Any],
    isa: Isa,
    outputs: int,
    threads: int,
    is_packed: bool,
) -> Layout:
    lanes, taps = isa.lanes(dtype.itemsize), taps_of(window)
    own = panels_of(window.group_in, window.group_out, window.kernel[0], outputs, lanes)
    size, width = outputs + taps - 1, own.vectors * lanes
    rows, columns = window.axes
    tile_rows, tile_columns = (-(-axis.out_size // outputs) for axis in (rows, columns))
    in_blocks = own.channel_groups * own.lane_blocks
    cut = None if is_packed else _cut_to_transform(window, dtype, own, outputs, lanes, threads)
    cut = cut or _cut(window, dtype, own, outputs, lanes, threads)
    strips = -(-tile_rows // cut.strip_rows)
    whole = -(-window.batch // cut.images) * window.groups * strips
    count = cut.images * cut.strip_rows * tile_columns
    pixels = pixels_together(isa, count, own.vectors)
    tiles = -(-count // pixels) * pixels
    # A vector more between points: distances of whole pages would all fall into the same lines.
    distance, sum_pitch = in_blocks * tiles * lanes + lanes, cut.together * width
    sum_distance = tiles * sum_pitch + lanes
    across = tile_columns * outputs + taps - 1
    split_pitch = -(-across // lanes) * lanes + lanes
    strip_pitch = (across * (2 if own.is_wide else 1) + lanes) * lanes
    strip_plane = (cut.strip_rows * outputs + taps - 1) * strip_pitch
    in_group = min(window.group_in, lanes)
    sums_offset = size**2 * distance
    split_offset = sums_offset + size**2 * sum_distance
    strip_offset = split_offset + (0 if own.is_wide else 4 * in_group * split_pitch)
    strip_offset = -(-strip_offset // lanes) * lanes
    lines = max(own.lane_blocks * strip_plane, outputs * strip_pitch)
    near_offset = strip_offset + lines + lanes * lanes
    near = cut.near or own
    near_size = cut.near.size + lanes if cut.near else 0
    fields = {
        "batch": window.batch,
        "groups": window.groups,
        "group_in": window.group_in,
        "group_out": window.group_out,
        "pad_y": rows.pad_lo,
        "pad_x": columns.pad_lo,
        "height": rows.size,
        "width": columns.size,
        "out_height": rows.out_size,
        "out_width": columns.out_size,
        "tile_rows": tile_rows,
        "tile_columns": tile_columns,
        "images": cut.images,
        "strips": strips,
        "strip_rows": cut.strip_rows,
        "tiles": tiles,
        "channel_groups": own.channel_groups,
        "channels_together": in_group,
        "lane_blocks": own.lane_blocks,
        "phase_pitch": own.channel_groups,
        "in_blocks": in_blocks,
        "panels": own.panels,
        "parts": cut.parts,
        "part_panels": -(-own.panels // cut.parts),
        "together": cut.together,
        "panel_width": width,
        "panel_size": own.size,
        "distance": distance,
        "sum_pitch": sum_pitch,
        "sum_distance": sum_distance,
        "split_pitch": split_pitch,
        "strip_pitch": strip_pitch,
        "strip_plane": strip_plane,
        "sums_offset": sums_offset,
        "split_offset": split_offset,
        "strip_offset": strip_offset,
        "near_offset": near_offset,
        "near_size": near_size,
        "chunk": cut.chunk,
        **near.steps,
        "scratch_size": near_offset
        + near_size
        + (_lines(window.kernel[0], lanes) if near_size else 0),
    }
    offsets = np.zeros((size**2, in_blocks), np.int64)
    for p in range(size**2):
        there = phases_at(p, size, window.kernel[0], is_wide=own.is_wide)
        blocks = [
            phase * own.channel_groups + g for g in range(own.channel_groups) for phase in there
        ]
        used = blocks if own.is_wide else range(in_blocks)
        offsets[p, : len(used)] = np.array(used) * tiles * lanes
    places = np.array((*near.places, cut.together * own.size))
    tables = {"offsets": offsets, "counts": np.array(own.counts), "places": places}
    for table in tables.values():
        table.flags.writeable = False
    streamed = own.size * own.panels * dtype.itemsize
    constants = {
        "outputs": outputs,
        "kernel_size": window.kernel[0],
        "pixels": pixels,
        "vectors": own.vectors,
        "length": own.length,
        "prefetches": not near_size and streamed > NEAR and count <= 2 * FEW,
        "is_wide": own.is_wide,
        "is_packed": not near_size,
    }
    return Layout(constants, whole * cut.parts, tables, fields)


def _cut(
    window: ConvWindow,
    dtype: np.dtype[Any],
    own: Panels,
    outputs: int,
    lanes: int,
    threads: int,
) -> Cut:
    """Return how work is cut so that what a block transforms stays near, and no thread is idle."""
    tile_rows, tile_columns = (-(-axis.out_size // outputs) for axis in window.axes)
    width, image_tiles = own.vectors * lanes, tile_rows * tile_columns
    together = min(own.panels, max(1, 64 // width))
    summed = own.channel_groups * own.lane_blocks * lanes + together * width
    per_tile = (outputs + taps_of(window) - 1) ** 2 * summed * dtype.itemsize
    most = max(FEW, CACHE // per_tile)
    wanted = -(-threads // (window.batch * window.groups))
    # Parts of the output channels each transform all that they read: many tiles are shared instead.
    if own.panels < wanted or image_tiles >= wanted * FEW // 2:
        most = min(most, -(-tile_rows // wanted) * tile_columns)
    strips = -(-tile_rows // max(1, most // tile_columns))
    strip_rows = -(-tile_rows // strips)
    strips = -(-tile_rows // strip_rows)
    images = min(window.batch, max(1, FEW // image_tiles)) if strips == 1 else 1
    whole = -(-window.batch // images) * window.groups * strips
    if whole >= threads:
        return Cut(images, strip_rows, 1, together)
    parts = min(own.panels, -(-threads // whole))
    return Cut(images, strip_rows, parts, min(together, -(-own.panels // parts)))


def _cut_to_transform(
    window: ConvWindow,
    dtype: np.dtype[Any],
    own: Panels,
    outputs: int,
    lanes: int,
    threads: int,
) -> Cut | None:
    """Return the cut in which one block has all tiles; None where they are too many."""
    tile_rows, tile_columns = (-(-axis.out_size // outputs) for axis in window.axes)
    if not own.is_wide or window.batch * tile_rows * tile_columns > AT_ONCE:
        return None
    kernel_size, width = window.kernel[0], own.vectors * lanes
    run = panels_of(lanes, width, kernel_size, outputs, lanes).size * dtype.itemsize
    chunks = -(-own.channel_groups // max(1, HALF // run))
    chunk = -(-own.channel_groups // chunks)
    near = panels_of(chunk * lanes, width, kernel_size, outputs, lanes)
    return Cut(window.batch, tile_rows, min(threads, own.panels), 1, chunk, near)
