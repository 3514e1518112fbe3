"""Convolution with a kernel of one position, and its gradient, as the registry calls them."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import ConvWindow
from faltung.kernels import memory
from faltung.kernels.epilogue import PLAIN, Epilogue
from faltung.kernels.gemm_call import Shape, multiply
from faltung.kernels.gemm_call import no_bias as no_bias
from faltung.kernels.gemm_call import residual_of as residual_of
from faltung.kernels.isa import required_isa
from faltung.kernels.packing import pack
from faltung.kernels.sampled import sampled

Array = NDArray[Any]

ROW: Final = "conv_pointwise_any_nchw"


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
    out : array (N, O, *out_space), C-contiguous, optional
        Where the result goes.
    epilogue : Epilogue, optional
        What is done to each output before it is stored.

    Raises
    ------
    KernelError
        Nothing can be compiled for this CPU.
    """
    y = memory.empty(window.out_shape, x.dtype) if out is None else out
    if not y.size:
        return y
    x = np.ascontiguousarray(x) if window.out_space == window.space else sampled(window, x)
    sides, lie = (window.group_out, window.group_in), (window.group_in, 1)
    shape, pixels = _shape(window, *sides), prod(window.out_space)
    multiply(shape, x, pixels, np.ascontiguousarray(w), lie, y, b, epilogue)
    return y


def conv_dx(
    window: ConvWindow,
    dout: Array,
    w: Array,
    b: Array | None = None,
    *,
    out: Array | None = None,
    epilogue: Epilogue = PLAIN,
) -> Array:
    """Return the gradient of the input: ``dx[n, ci] = Σ_co w[co, ci] dout[n, co]``.

    Parameters
    ----------
    window : ConvWindow
        Of the forward convolution, without a stride.
    dout : array (N, O, *space), float32 or float64
        Gradient of the output.
    w : array (O, C/groups, 1, ...), of the same dtype
        Weights, which are read column by column.
    b : array (C,), optional
        Added to each channel, as a transposed convolution does.
    out, epilogue
        As of `conv`.
    """
    dx = memory.empty(window.x_shape, dout.dtype) if out is None else out
    if dx.size:
        sides, lie = (window.group_in, window.group_out), (1, window.group_in)
        shape, pixels = _shape(window, *sides), prod(window.space)
        dout, w = np.ascontiguousarray(dout), np.ascontiguousarray(w)
        multiply(shape, dout, pixels, w, lie, dx, b, epilogue)
    return dx


def _shape(window: ConvWindow, computed: int, summed: int) -> Shape:
    """Return the products of one convolution: images and groups, one after the other."""
    images = window.batch * window.groups
    return Shape(computed, summed, prod(window.out_space), images, window.groups)


def bias_of(window: ConvWindow, b: Array | None, channels: int, dtype: np.dtype[Any]) -> Array:
    """Return the biases in the order of the packed weights' channels."""
    panels = -(-window.group_out // channels)
    if b is None:
        return no_bias(window.groups * panels * channels, dtype)
    isa, of_group = required_isa(ROW), window.group_out
    sizes: dict[str, Any] = {"width": channels, "channels": of_group, "step": 1}
    return pack(b, _first(1), isa, groups=window.groups, group_step=of_group, **sizes)


@lru_cache(256)
def _first(count: int) -> Array:
    return memory.constant(np.arange(count, dtype=np.int64))
