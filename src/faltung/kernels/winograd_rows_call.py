"""Winograd's form down the rows as the registry calls it: sizes, memory, threads, weights."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import ConvWindow
from faltung.kernels import memory
from faltung.kernels.cook_toom import cook_toom
from faltung.kernels.epilogue import PLAIN, Epilogue
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.pointwise_call import no_bias, residual_of
from faltung.kernels.winograd_cost import adjoint
from faltung.kernels.winograd_rows import (
    FIELDS,
    WEIGHT_FIELDS,
    transform_columns,
    winograd_rows_block,
)
from faltung.kernels.winograd_rows_cost import (
    DISTANT,
    NARROW,
    OUTPUTS,
    TAPS,
    block_of,
    columns_of,
    is_dealt,
    plane_of,
    tiles_of,
)

Array = NDArray[Any]

ROW: Final = "conv_winograd_rows_f4_any_nchw"
SEGMENT: Final = 256 * 1024
"""Bytes of transformed pixels that a block has at most: they stay in a core's own cache."""
BESIDE: Final = 28 * 1024
"""Bytes of them that one output channel after the other reads: they stay in the nearest cache."""


def pack(window: ConvWindow, w: Array) -> Array:
    """Return ``G w``, column by column of the kernel: ``[output channel][term][point]``."""
    return _packed(window, w)


def _packed(window: ConvWindow, w: Array, *, flips: bool = False) -> Array:
    """Return weights for the convolution that a window is; with `flips`, a gradient's."""
    isa, columns, taps = required_isa(ROW), columns_of(window), prod(window.kernel)
    each = window.group_in * columns * cook_toom(OUTPUTS, TAPS).size
    count = window.out_channels * each
    # A block of channels reads weights past the last one's, and does nothing with what comes out.
    packed = memory.empty((count + (DISTANT[0] - 1) * each,), w.dtype)
    far = taps * (window.group_out if flips else window.group_in)
    fields = {
        "group_in": window.group_in,
        "group_out": window.group_out,
        "kernel_x": columns,
        "row_step": 1 if is_dealt(window) else columns,
        "column_step": TAPS if is_dealt(window) else 1,
        "in_step": far if flips else taps,
        "out_step": taps if flips else far,
        "group_step": window.group_in * window.group_out * taps,
        "scratch_size": 0,
    }
    arrays = {"x": np.ascontiguousarray(w), "packed": packed}
    form: dict[str, Any] = {"outputs": OUTPUTS, "taps": TAPS, "flips": flips}
    launch(transform_columns, isa, WEIGHT_FIELDS, fields, arrays, window.out_channels, **form)
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
    """Convolve four rows at a time: half the products for three taps down.

    Parameters
    ----------
    window : ConvWindow
        The geometry.
    x : array (N, C, *space), float32 or float64
        Input.
    w : array (O, C/groups, *kernel), of the same dtype
        Weights: three rows of them.
    b : array (O,), optional
        Bias.
    out : array (N, O, *out_space), C-contiguous, optional
        Where the result goes.
    packed : array, optional
        What `pack` gave for these weights.
    epilogue : Epilogue, optional
        What is done to each output before it is stored.

    Raises
    ------
    KernelError
        Nothing can be compiled for this CPU.
    """
    packed = pack(window, w) if packed is None else packed
    return _conv(window, x, packed, b, out, epilogue)


def conv_dx(
    window: ConvWindow,
    dout: Array,
    w: Array,
    *,
    out: Array | None = None,
    epilogue: Epilogue = PLAIN,
) -> Array:
    """Return the gradient of the input: the convolution of `dout` with the kernel turned round."""
    back = adjoint(window)
    return _conv(back, dout, _packed(back, w, flips=True), None, out, epilogue)


def _conv(
    window: ConvWindow,
    x: Array,
    packed: Array,
    b: Array | None,
    out: Array | None,
    epilogue: Epilogue,
) -> Array:
    isa = required_isa(ROW)
    y = memory.empty(window.out_shape, x.dtype) if out is None else out
    if not y.size:
        return y
    summed = window.group_in * columns_of(window)
    channels, vectors = block_of(summed) if isa.registers >= 32 else NARROW
    blocks, fields = _layout(window, x.dtype, isa, vectors)
    arrays = {
        "x": np.ascontiguousarray(x),
        "w": packed,
        "bias": no_bias(window.out_channels, x.dtype) if b is None else np.ascontiguousarray(b),
        "y": y,
        "residual": residual_of(epilogue, y),
    }
    constants: dict[str, Any] = {"outputs": OUTPUTS, "taps": TAPS, "vectors": vectors}
    constants |= {"channels": channels, "deals": is_dealt(window), **epilogue.constants}
    constants["adds"] = epilogue.residual is not None
    launch(winograd_rows_block, isa, FIELDS, fields, arrays, blocks, **constants)
    return y


@lru_cache(256)
def _layout(
    window: ConvWindow, dtype: np.dtype[Any], isa: Isa, vectors: int
) -> tuple[int, dict[str, int]]:
    """Return how many blocks there are, and what the fields hold but for the addresses."""
    rows, columns = plane_of(window)
    tile_rows, tile_columns = tiles_of(window)
    together = vectors * isa.lanes(dtype.itemsize)
    points = window.group_in * columns_of(window) * cook_toom(OUTPUTS, TAPS).size
    most = max(1, SEGMENT // (points * together * dtype.itemsize)) * together
    segments = -(-tile_columns // most)
    share = -(-tile_columns // segments)
    segment = -(-share // together) * together
    segments = -(-tile_columns // segment)
    last = columns.out_size + columns.kernel - 1 - columns.pad_lo
    fields = {
        "groups": window.groups,
        "group_in": window.group_in,
        "group_out": window.group_out,
        "kernel_x": columns_of(window),
        "pad_y": rows.pad_lo,
        "pad_x": columns.pad_lo,
        # What no output reads may be anything, even where a tile reaches it.
        "height": min(rows.size, rows.out_size + rows.kernel - 1 - rows.pad_lo),
        "width": min(columns.size, last) if is_dealt(window) else columns.size,
        "in_plane": prod(window.space),
        "out_height": rows.out_size,
        "out_width": columns.out_size,
        "out_plane": prod(window.out_space),
        "tile_rows": tile_rows,
        "tile_columns": tile_columns,
        "segments": segments,
        "segment": segment,
        "near": max(1, BESIDE // (points * together * dtype.itemsize)) * together,
        "scratch_size": points * segment,
    }
    return window.batch * window.groups * tile_rows * segments, fields
