"""The gradient of the input with stride 2 by phases as the registry calls it: sizes, memory."""

from __future__ import annotations

from collections.abc import Iterator
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
from faltung.kernels.polyphase_dx import FIELDS, polyphase_dx_block
from faltung.kernels.polyphase_dx_cost import tiles_of
from faltung.kernels.polyphase_dx_weights import FIELDS as WEIGHT_FIELDS
from faltung.kernels.polyphase_dx_weights import transform_phases
from faltung.kernels.reaches import Reach, backward_reach
from faltung.kernels.threads import num_threads
from faltung.kernels.winograd_cost import adjoint
from faltung.kernels.winograd_schedule import Panels, panels_of

Array = NDArray[Any]

CACHE: Final = 640 * 1024
"""What a block's transformed rows and its sums should take at most."""


class Cut(NamedTuple):
    """Rows of tiles of a block, and into how many parts the panels are dealt out."""

    rows: int
    parts: int


class Layout(NamedTuple):
    """How the work of one geometry is cut, and what `FIELDS` hold but for the addresses."""

    constants: dict[str, int]
    blocks: int
    channels: int
    fields: dict[str, int]
    offsets: Array


def pack(window: ConvWindow, w: Array, *, outputs: int) -> Array:
    """Return the weights as `conv_dx` reads them."""
    isa = required_isa(f"conv_dx_polyphase_f{outputs}_any_nchw")
    lanes, kernel_size = isa.lanes(w.dtype.itemsize), window.kernel[0]
    own = _panels(window, lanes)
    square = (outputs + kernel_size // 2 - 1) ** 2
    packed = memory.aligned((window.groups, own.panels, 4 * square, own.size), w.dtype)
    fields = {
        "summed": window.group_out,
        "computed": window.group_in,
        "panels": own.panels,
        "in_blocks": own.in_blocks,
        "length": own.length,
        "width": own.vectors * lanes,
        "point_size": own.size,
        "panel_size": 2 * square * own.size,
        "scratch_size": (own.length * kernel_size**2 + lanes) * lanes,
    }
    taps_y, taps_x = (
        tuple(tuple(k for k, _ in phase) for phase in reach.phases) for reach in _reaches(window)
    )
    constants: dict[str, Any] = {"outputs": outputs, "kernel_size": kernel_size}
    arrays = {"x": np.ascontiguousarray(w), "packed": packed}
    blocks = window.groups * own.panels * own.in_blocks
    constants |= {"taps_y": taps_y, "taps_x": taps_x}
    launch(transform_phases, isa, WEIGHT_FIELDS, fields, arrays, blocks, **constants)
    return packed


def conv_dx(
    window: ConvWindow,
    dout: Array,
    w: Array,
    b: Array | None = None,
    *,
    out: Array | None = None,
    packed: Array | None = None,
    epilogue: Epilogue = PLAIN,
    outputs: int,
) -> Array:
    """Return the input's gradient by tiles of so many numbers a side of each phase.

    Parameters
    ----------
    window : ConvWindow
        Of the forward convolution, with stride 2.
    dout : array (N, O, H, W), float32 or float64
        Gradient of the output.
    w : array (O, C/groups, k, k), of the same dtype
        Weights.
    b : array (C,), optional
        Added to each channel, as a transposed convolution does.
    out : array in the input's shape, C-contiguous, optional
        Where the result goes.
    packed : array, optional
        What `pack` gave for these weights.
    epilogue : Epilogue, optional
        What is done to each number before it is stored.
    outputs : int
        Of a tile, on each side: 2 or 4.
    """
    isa = required_isa(f"conv_dx_polyphase_f{outputs}_any_nchw")
    dx = memory.empty(window.x_shape, dout.dtype) if out is None else out
    if not dx.size:
        return dx
    layout = _layout(window, dout.dtype, isa, outputs, num_threads())
    arrays = {
        "x": np.ascontiguousarray(dout),
        "w": pack(window, w, outputs=outputs) if packed is None else packed,
        "bias": bias_of(adjoint(window), b, layout.channels, dout.dtype),
        "y": dx,
        "residual": residual_of(epilogue, dx),
        "offsets": layout.offsets,
    }
    after: dict[str, Any] = {**epilogue.constants, "adds": epilogue.residual is not None}
    constants = {**layout.constants, **after}
    launch(polyphase_dx_block, isa, FIELDS, layout.fields, arrays, layout.blocks, **constants)
    return dx


def _panels(window: ConvWindow, lanes: int) -> Panels:
    return panels_of(window.group_out, window.group_in, lanes, 1)


def _reaches(window: ConvWindow) -> tuple[Reach, Reach]:
    rows, columns = (backward_reach(axis) for axis in window.axes)
    return rows, columns


@lru_cache(256)
def _layout(
    window: ConvWindow, dtype: np.dtype[Any], isa: Isa, outputs: int, threads: int
) -> Layout:
    lanes, taps = isa.lanes(dtype.itemsize), window.kernel[0] // 2
    own, (rows, columns) = _panels(window, lanes), _reaches(window)
    width, square = own.vectors * lanes, (outputs + taps - 1) ** 2
    tile_rows, tile_columns = tiles_of(window, outputs)
    later_y, later_x = (axis.phases[1][0][1] - axis.phases[0][0][1] for axis in (rows, columns))
    cut = _cut(window, dtype, isa, outputs, threads)
    count = cut.rows * tile_columns
    pixels = pixels_together(isa, count, own.vectors)
    tiles = -(-count // pixels) * pixels
    # A vector more between points: distances of whole pages would all fall into the same lines.
    distance, sum_distance = (own.in_blocks * tiles + 1) * lanes, tiles * width + lanes
    apart, sum_size = square * distance, square * sum_distance
    across = max(tile_columns * outputs + taps - 1 + later_x, 2 * tile_columns * outputs)
    # An odd number of vectors: rows that lie a power of two apart would push each other out.
    strip_pitch = (across | 1) * lanes
    lines = max(cut.rows * outputs + taps - 1, outputs)
    sums_offset = (1 + later_x) * apart
    strip_offset = sums_offset + 2 * sum_size
    strips = -(-tile_rows // cut.rows)
    fields = {
        "groups": window.groups,
        "summed": window.group_out,
        "computed": window.group_in,
        "height": rows.source,
        "width": columns.source,
        "out_height": rows.result,
        "out_width": columns.result,
        "lead_y": rows.lead,
        "lead_x": columns.lead,
        "later_y": later_y,
        "later_x": later_x,
        "tile_rows": tile_rows,
        "tile_columns": tile_columns,
        "strips": strips,
        "strip_rows": cut.rows,
        "tiles": tiles,
        "length": own.length,
        "in_blocks": own.in_blocks,
        "panels": own.panels,
        "parts": cut.parts,
        "part_panels": -(-own.panels // cut.parts),
        "point_size": own.size,
        "panel_size": 2 * square * own.size,
        "distance": distance,
        "apart": later_x * apart,
        "sum_distance": sum_distance,
        "sum_size": sum_size,
        "strip_pitch": strip_pitch,
        "sums_offset": sums_offset,
        "strip_offset": strip_offset,
        "scratch_size": strip_offset + lines * strip_pitch + lanes * lanes,
    }
    constants = {"outputs": outputs, "taps": taps, "pixels": pixels}
    constants |= {"vectors": own.vectors, "length": own.length}
    offsets = memory.constant(np.arange(own.in_blocks, dtype=np.int64) * (tiles * lanes))
    blocks = window.batch * window.groups * strips * cut.parts
    return Layout(constants, blocks, own.panels * width, fields, offsets)


def _cut(window: ConvWindow, dtype: np.dtype[Any], isa: Isa, outputs: int, threads: int) -> Cut:
    """Return the cut with which all threads are done first, by an estimate of cycles."""
    lanes = isa.lanes(dtype.itemsize)
    own, square = _panels(window, lanes), (outputs + window.kernel[0] // 2 - 1) ** 2
    tile_rows, across = tiles_of(window, outputs)
    ways_y, ways_x = (1 + axis.pad_lo % 2 for axis in window.axes)
    images = window.batch * window.groups

    def cycles(cut: Cut) -> float:
        tiles, here = cut.rows * across, -(-own.panels // cut.parts)
        pixels = pixels_together(isa, tiles, own.vectors)
        deep = own.in_blocks * own.length
        each = deep * (pixels * own.vectors / 2 + 0.5) + 30 + pixels * own.vectors
        products = 4 * here * square * -(-tiles // pixels) * each
        moved = tiles * square * (5.0 * own.in_blocks * ways_y * ways_x + 20.0 * here * own.vectors)
        weights = 4 * here * square * deep * own.vectors * isa.width / 24
        kept = tiles * square * (own.in_blocks * ways_x + 2 * own.vectors) * isa.width
        block = max(products, weights) + moved * max(1.0, kept / CACHE) + 2000
        turns = -(-images * -(-tile_rows // cut.rows) * cut.parts // threads)
        return turns * block

    return min(_cuts(tile_rows, own.panels, threads), key=cycles)


def _cuts(tile_rows: int, panels: int, threads: int) -> Iterator[Cut]:
    for strips in range(1, tile_rows + 1):
        for parts in {1, min(threads, panels)}:
            yield Cut(-(-tile_rows // strips), parts)
