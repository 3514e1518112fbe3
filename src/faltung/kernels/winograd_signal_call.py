"""Winograd's convolution of signals as the registry calls it: sizes, memory, threads, weights."""

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
from faltung.kernels.threads import num_threads
from faltung.kernels.winograd_schedule import Panels, panels_of
from faltung.kernels.winograd_signal import FIELDS, WEIGHT_FIELDS, signal_block, transform_taps
from faltung.kernels.winograd_signal_cost import taps_of

Array = NDArray[Any]

ROW: Final = "conv_winograd_signal_any_nchw"
CACHE: Final = 384 * 1024
"""What a block's transformed samples and its sums should take at most."""
NEAR: Final = 512 * 1024
"""Bytes of weights that stay in a core's cache; more are fetched ahead of their use."""
BLOCKS: Final = 4
"""Blocks that each thread should have, where there is enough to do for them."""
LEAST: Final = 56
"""Tiles of a block for which it is worth transforming its neighbours' once more."""


class Layout(NamedTuple):
    """How the work of one geometry is cut, and what `FIELDS` hold but for the addresses."""

    constants: dict[str, Any]
    blocks: int
    channels: int
    fields: dict[str, int]
    offsets: Array


def pack(window: ConvWindow, w: Array) -> Array:
    """Return the weights as `conv` reads them."""
    isa, taps = required_isa(ROW), taps_of(window)
    lanes, parts = isa.lanes(w.dtype.itemsize), window.kernel[0] // taps
    own = _panels(window, lanes)
    packed = memory.aligned((window.groups * own.panels, 2 * taps - 1, own.size), w.dtype)
    fields = {
        "group_in": window.group_in,
        "group_out": window.group_out,
        "panels": own.panels,
        "in_blocks": own.in_blocks,
        "length": own.length,
        "width": own.vectors * lanes,
        "point_size": own.size,
        "panel_size": (2 * taps - 1) * own.size,
        "scratch_size": (own.length * window.kernel[0] + lanes) * lanes,
    }
    arrays = {"x": np.ascontiguousarray(w), "packed": packed}
    blocks = window.groups * own.panels * own.in_blocks
    launch(transform_taps, isa, WEIGHT_FIELDS, fields, arrays, blocks, taps=taps, parts=parts)
    return packed


def conv(
    window: ConvWindow,
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    out: Array | None = None,
    packed: Array | None = None,
    epilogue: Epilogue = PLAIN,
) -> Array:
    """Convolve a signal by tiles of as many outputs as parts of the kernel have taps.

    Parameters
    ----------
    window : ConvWindow
        The geometry: one axis, without stride and dilation.
    x : array (N, C, size), float32 or float64
        Input.
    w : array (O, C/groups, k), of the same dtype
        Weights.
    b : array (O,), optional
        Bias.
    out : array (N, O, out_size), C-contiguous, optional
        Where the result goes.
    packed : array, optional
        What `pack` gave for these weights.
    epilogue : Epilogue, optional
        What is done to each output before it is stored.
    """
    isa = required_isa(ROW)
    y = memory.empty(window.out_shape, x.dtype) if out is None else out
    if not y.size:
        return y
    layout = _layout(window, x.dtype, isa, num_threads())
    arrays = {
        "x": np.ascontiguousarray(x),
        "w": pack(window, w) if packed is None else packed,
        "bias": bias_of(window, b, layout.channels, x.dtype),
        "y": y,
        "residual": residual_of(epilogue, y),
        "offsets": layout.offsets,
    }
    after: dict[str, Any] = {**epilogue.constants, "adds": epilogue.residual is not None}
    constants = {**layout.constants, **after}
    launch(signal_block, isa, FIELDS, layout.fields, arrays, layout.blocks, **constants)
    return y


def _panels(window: ConvWindow, lanes: int) -> Panels:
    parts = window.kernel[0] // taps_of(window)
    return panels_of(window.group_in, window.group_out, lanes, parts)


@lru_cache(256)
def _layout(window: ConvWindow, dtype: np.dtype[Any], isa: Isa, threads: int) -> Layout:
    lanes, taps = isa.lanes(dtype.itemsize), taps_of(window)
    own, points = _panels(window, lanes), 2 * taps - 1
    width, more = own.vectors * lanes, window.kernel[0] // taps - 1
    tiles = -(-window.out_space[0] // taps)
    images = window.batch * window.groups
    per_tile = points * (own.in_blocks * lanes + width) * dtype.itemsize
    cuts = max(-(-tiles // max(LEAST, CACHE // per_tile)), -(-BLOCKS * threads // images))
    cuts = max(1, min(cuts, tiles // LEAST))
    cut_tiles = -(-tiles // cuts)
    cuts = -(-tiles // cut_tiles)
    parts = 1 if images * cuts >= threads else min(own.panels, threads)
    pixels = pixels_together(isa, cut_tiles, own.vectors)
    # Register blocks may have tiles that are not there.
    summed = -(-cut_tiles // pixels) * pixels
    block_distance = (summed + more) * lanes
    # A vector more between points: distances of whole pages would all fall into the same lines.
    distance, sum_distance = own.in_blocks * block_distance + lanes, summed * width + lanes
    sums_offset = points * distance
    strip_offset = sums_offset + points * sum_distance
    samples = (cut_tiles + more + 1) * taps
    fields = {
        "groups": window.groups,
        "group_in": window.group_in,
        "group_out": window.group_out,
        "size": window.space[0],
        "out_size": window.out_space[0],
        "pad": window.axes[0].pad_lo,
        "tiles": tiles,
        "cuts": cuts,
        "cut_tiles": cut_tiles,
        "more_tiles": more,
        "length": own.length,
        "in_blocks": own.in_blocks,
        "blocks": own.in_blocks * (more + 1),
        "panels": own.panels,
        "parts": parts,
        "part_panels": -(-own.panels // parts),
        "point_size": own.size,
        "panel_size": points * own.size,
        "distance": distance,
        "block_distance": block_distance,
        "sum_distance": sum_distance,
        "sums_offset": sums_offset,
        "strip_offset": strip_offset,
        "scratch_size": strip_offset + (samples + lanes) * lanes,
    }
    offsets = np.arange(own.in_blocks)[:, None] * block_distance + np.arange(more + 1) * lanes
    constants = {
        "taps": taps,
        "pixels": pixels,
        "vectors": own.vectors,
        "length": own.length,
        "prefetches": own.panels * points * own.size * dtype.itemsize > NEAR,
    }
    table = memory.constant(offsets.astype(np.int64).ravel())
    return Layout(constants, images * cuts * parts, own.panels * width, fields, table)
