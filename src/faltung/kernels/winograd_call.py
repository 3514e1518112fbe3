"""Winograd's convolution as the registry calls it: for which layers, sizes, memory, threads."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import ConvWindow
from faltung.kernels import memory
from faltung.kernels.cook_toom import cook_toom
from faltung.kernels.epilogue import PLAIN, Epilogue
from faltung.kernels.isa import required_isa
from faltung.kernels.launch import launch
from faltung.kernels.pointwise_call import bias_of
from faltung.kernels.threads import num_threads
from faltung.kernels.winograd import FIELDS, winograd_block
from faltung.kernels.winograd_cost import adjoint
from faltung.kernels.winograd_schedule import layout_of, panels_of
from faltung.kernels.winograd_weights import FIELDS as WEIGHT_FIELDS
from faltung.kernels.winograd_weights import transform_weights

Array = NDArray[Any]


def pack(window: ConvWindow, w: Array, *, outputs: int) -> Array:
    """Return the weights as `conv` reads them."""
    return _pack(window, w, outputs)


def pack_dx(window: ConvWindow, w: Array, *, outputs: int) -> Array:
    """Return the weights as `conv_dx` reads them."""
    return _pack(adjoint(window), w, outputs, flips=True)


def _pack(window: ConvWindow, w: Array, outputs: int, flips: bool = False) -> Array:
    """Return ``U = G w Gᵀ``; with `flips` for the gradient of the input.

    ``window`` is that of the convolution that takes them.
    """
    isa = required_isa("winograd")
    taps, lanes = window.kernel[-1], isa.lanes(w.dtype.itemsize)
    size, cube = cook_toom(outputs, taps).size, prod(window.kernel)
    depth = cube // taps**2
    panels = panels_of(window.group_in, window.group_out, lanes, depth)
    count = window.groups * panels.panels * size * size * panels.size
    packed = memory.aligned((count,), w.dtype)
    near, far = cube, (window.group_out if flips else window.group_in) * cube
    fields = {
        "length": panels.length,
        "width": panels.vectors * lanes,
        "panel_size": panels.size,
        "in_blocks": panels.in_blocks,
        "panels": panels.panels,
        "group_in": window.group_in,
        "group_out": window.group_out,
        "in_step": far if flips else near,
        "out_step": near if flips else far,
        "group_step": window.group_in * window.group_out * cube,
        "depth": depth,
        "scratch_size": (panels.length * cube + lanes) * lanes,
    }
    constants: dict[str, Any] = {"outputs": outputs, "taps": taps, "flips": flips}
    arrays = {"x": np.ascontiguousarray(w), "packed": packed}
    blocks = window.groups * panels.panels * panels.in_blocks
    launch(transform_weights, isa, WEIGHT_FIELDS, fields, arrays, blocks, **constants)
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
    outputs: int,
) -> Array:
    """Convolve by tiles of so many outputs a side.

    By 2 there are 2.25 times fewer products than directly, hardly less exact; by 3 there are 3.2
    (for kernels of 5 by 5: 4.6), by 4 there are 4 times fewer, a digit less exact.
    """
    isa = required_isa("winograd")
    y = memory.empty(window.out_shape, x.dtype) if out is None else out
    if not y.size:
        return y
    layout = layout_of(window, x.dtype, isa, outputs, num_threads(), packed is not None)
    if packed is None:
        packed = _pack(window, w, outputs) if layout.is_packed else np.ascontiguousarray(w)
    residual = y if epilogue.residual is None else np.ascontiguousarray(epilogue.residual)
    channels = layout.fields["panels"] * layout.fields["panel_width"]
    arrays = {
        "x": np.ascontiguousarray(x),
        "w": packed,
        "bias": bias_of(window, b, channels, x.dtype),
        "y": y,
        "residual": residual,
    }
    constants: dict[str, Any] = {
        "outputs": outputs,
        "taps": window.kernel[-1],
        "apart": window.dilation[-1],
        "is_packed": layout.is_packed,
        "adds": epilogue.residual is not None,
        **epilogue.constants,
    }
    launch(winograd_block, isa, FIELDS, layout.fields, arrays, layout.blocks, **constants)
    return y


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
    """Return the gradient of the input, by tiles of so many of its numbers a side; as `conv`."""
    packed = pack_dx(window, w, outputs=outputs) if packed is None else packed
    how: dict[str, Any] = {"out": out, "epilogue": epilogue, "outputs": outputs}
    return conv(adjoint(window), dout, w, b, packed=packed, **how)
