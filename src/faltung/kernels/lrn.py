"""Local response normalisation: each value by a power of what its neighbours in channels sum to.

    y[c] = x[c] (bias + alpha / size * sum over the window's channels of x²) ** -beta

Pixels stand in the lanes, so a window's channels are vectors at the same place of other planes. A
block takes a few vectors of pixels through all channels; their planes stay in the first-level
cache while windows overlap. Powers of quarters need square roots alone: beta is 0.75 in every
network that was published with it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.compiled import kernel
from faltung.kernels.isa import required_isa
from faltung.kernels.launch import launch
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer, Vector

Array = NDArray[Any]

FIELDS: Final = (
    *("x", "y", "scratch", "channels", "pixels", "segment", "segments"),
    *("before", "after", "scratch_size"),
)
QUARTERS: Final = (1, 2, 3, 4)
"""Four times the powers that square roots make."""
PIXELS: Final = 512
"""Pixels of a block: those of five planes stay in a first-level cache."""


def applies(beta: float) -> bool:
    """Whether there is a kernel for a power.

    >>> [applies(beta) for beta in (0.75, 0.5, 0.6)]
    [True, True, False]
    """
    return 4 * beta in QUARTERS


def lrn(x: Array, before: int, after: int, factor: float, bias: float, beta: float) -> Array:
    """Normalise.

    Parameters
    ----------
    x : array (N, C, *space), float32 or float64
        Input.
    before, after
        Channels of a window before and after its own.
    factor
        Of the sum of squares: ``alpha / size``.
    bias, beta
        As in the formula; `applies` says which powers there are.
    """
    x = np.ascontiguousarray(x)
    y = memory.empty(x.shape, x.dtype)
    if not x.size:
        return y
    channels, pixels = x.shape[1], x.size // (x.shape[0] * x.shape[1])
    segments = -(-pixels // PIXELS)
    sizes = {
        "channels": channels,
        "pixels": pixels,
        "segment": PIXELS,
        "segments": segments,
        "before": before,
        "after": after,
        "scratch_size": 0,
    }
    constants: dict[str, Any] = {
        "factor": float(factor),
        "bias": float(bias),
        "quarters": round(4 * beta),
    }
    blocks = x.shape[0] * segments
    isa = required_isa("lrn")
    launch(lrn_block, isa, FIELDS, sizes, {"x": x, "y": y}, blocks, **constants)
    return y


@kernel(arguments=INTS, block=INT, thread=INT)
def lrn_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    factor: float,
    bias: float,
    quarters: int,
) -> None:
    """One segment of one image's pixels, through all channels."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    channels, pixels = of("channels"), of("pixels")
    image, segment = block // of("segments"), block % of("segments")
    first = segment * of("segment")
    last = (first + of("segment")).at_most(pixels)
    start = image * channels * pixels
    x, y = code.address(of("x")) + start, code.address(of("y")) + start
    with code.loop(channels) as c:
        low, high = (c - of("before")).at_least(0), (c + of("after") + 1).at_most(channels)
        with code.loop(last, step=code.lanes, start=first) as q:
            mask = code.first(last - q)
            total = code.variable(code.constant(0.0))
            with code.loop(high, start=low) as near:
                value = code.load_some(mask, x + (near * pixels + q))
                total.set(code.fma(value, value, total.get()))
            base = code.fma(total.get(), code.constant(factor), code.constant(bias))
            own = code.load_some(mask, x + (c * pixels + q))
            code.store_some(mask, y + (c * pixels + q), own / _power(code, base, quarters))


def _power(code: Code, base: Vector, quarters: int) -> Vector:
    """Return ``base ** (quarters / 4)``."""
    half = code.square_root(base)
    match quarters:
        case 1:
            return code.square_root(half)
        case 2:
            return half
        case 3:
            return half * code.square_root(half)
    return base
