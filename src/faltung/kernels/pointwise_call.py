"""Convolution with a kernel of one position, as the registry calls it."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import ConvWindow
from faltung.kernels import memory
from faltung.kernels.epilogue import PLAIN, Epilogue
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.packing import pack
from faltung.kernels.pointwise import FIELDS, multiply_block
from faltung.kernels.tile import block_constants, channels_together, vectors_together

Array = NDArray[Any]

ROW: Final = "conv_pointwise_any_nchw"
BLOCKS: Final = 8
"""Into how many parts an image's work is cut where there is enough of it."""
ENOUGH: Final = 1 << 19
"""Products of a part, at least: for less it is not worth waking a thread."""


class Layout(NamedTuple):
    """How the work of one geometry is cut."""

    channels: int
    vectors: int
    blocks: int
    fields: dict[str, int]
    offsets: Array


def conv(
    window: ConvWindow,
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    out: Array | None = None,
    epilogue: Epilogue = PLAIN,
) -> Array:
    """Convolve; ``y[n, co] = b[co] + Σ_ci w[co, ci] x[n, ci]``, pixel by pixel.

    Parameters
    ----------
    window : ConvWindow
        The geometry.
    x : array (N, C, *space), float32 or float64
        Input.
    w : array (O, C/groups, 1, ...), of the same dtype
        Weights.
    b : array (O,), optional
        Bias.
    out : array (N, O, *space), C-contiguous, optional
        Where the result goes.
    epilogue : Epilogue, optional
        What is done to each output before it is stored.

    Raises
    ------
    KernelError
        Nothing can be compiled for this CPU.
    """
    isa = required_isa(ROW)
    y = memory.empty(window.out_shape, x.dtype) if out is None else out
    if not y.size:
        return y
    layout = _layout(window, x.dtype, isa)
    arrays = {
        "x": np.ascontiguousarray(x),
        "w": np.ascontiguousarray(w),
        "bias": no_bias(window.out_channels, x.dtype) if b is None else np.ascontiguousarray(b),
        "y": y,
        "residual": residual_of(epilogue, y),
        "offsets": layout.offsets,
    }
    constants = block_constants(layout.channels, layout.vectors, epilogue)
    launch(multiply_block, isa, FIELDS, layout.fields, arrays, layout.blocks, **constants)
    return y


def bias_of(window: ConvWindow, b: Array | None, channels: int, dtype: np.dtype[Any]) -> Array:
    """Return the biases in the order of the packed weights' channels."""
    panels = -(-window.group_out // channels)
    if b is None:
        return no_bias(window.groups * panels * channels, dtype)
    isa, of_group = required_isa(ROW), window.group_out
    sizes: dict[str, Any] = {"width": channels, "channels": of_group, "step": 1}
    return pack(b, _first(1), isa, groups=window.groups, group_step=of_group, **sizes)


def residual_of(epilogue: Epilogue, y: Array) -> Array:
    """Return what is added to the result as a contiguous array; any array where nothing is."""
    if epilogue.residual is None:
        return y
    return np.ascontiguousarray(epilogue.residual, y.dtype)


@lru_cache(64)
def no_bias(count: int, dtype: np.dtype[Any]) -> Array:
    """Return zeros for so many channels."""
    return memory.constant(np.zeros(count, dtype))


@lru_cache(256)
def _first(count: int) -> Array:
    return memory.constant(np.arange(count, dtype=np.int64))


@lru_cache(256)
def _layout(window: ConvWindow, dtype: np.dtype[Any], isa: Isa) -> Layout:
    lanes, pixels = isa.lanes(dtype.itemsize), prod(window.space)
    channels = channels_together(isa, window.group_out)
    vectors = vectors_together(isa, channels, 1, pixels, lanes)
    step = vectors * lanes
    steps = -(-pixels // step)
    macs = window.group_in * window.group_out * pixels
    parts = max(1, min(BLOCKS, steps, macs // ENOUGH))
    segment = -(-steps // parts) * step
    segments = -(-pixels // segment)
    fields = {
        "pixels": pixels,
        "groups": window.groups,
        "group_in": window.group_in,
        "group_out": window.group_out,
        "segment": segment,
        "segments": segments,
        "scratch_size": channels * step,
    }
    offsets = memory.constant(np.arange(window.group_in, dtype=np.int64) * pixels)
    return Layout(channels, vectors, segments * window.batch * window.groups, fields, offsets)
