"""The register block of the weights' gradient with channels in the lanes, and what it all takes.

Nothing here compiles anything: the registry asks it about every convolution.
"""

from __future__ import annotations

from math import prod
from typing import Any, Final

import numpy as np

from faltung.geometry.axis import AxisWindow
from faltung.geometry.window import ConvWindow
from faltung.kernels.cost import BATCH, CALL, lanes, moved

CHUNK: Final = 64
"""Channels of x, and of dout, whose sums one block keeps; more of kernels with few taps."""
LINES: Final = 9
"""Lines of a kernel that are read together at most: each has an address of its own."""
WIDE: Final = {1: 27, 2: 14}
NARROW: Final = {1: 10, 2: 6}
"""Numbers of x for 1 or 2 vectors of dout whose sums fit 32 and 16 registers, beside the rest."""


def chunk_of(window: ConvWindow) -> int:
    """Return how many channels of x, and of dout, one block has at most.

    >>> [chunk_of(ConvWindow.of((1, 8, 9, 9), (8, 8, k, k))) for k in (1, 3)]
    [256, 64]
    """
    return max(CHUNK, 4 * CHUNK // prod(window.kernel))


def reads_around(axis: AxisWindow) -> bool:
    """Whether an output reads what is not in the input, or the first does not begin with it."""
    return axis.pad_lo != 0 or (axis.out_size - 1) * axis.stride + axis.extent > axis.size


def register_block(
    window: ConvWindow, channels: int, vectors: int, *, is_wide: bool
) -> tuple[int, int, int]:
    """Return lines, taps of each, and vectors of dout whose products are added together.

    The one with the fewest cycles: a CPU multiplies two vectors a cycle and loads two, and sums
    must be eight at least, as each waits four cycles for the one before.

    Parameters
    ----------
    window
        The geometry.
    channels
        Of x, that are taken together.
    vectors
        Of dout's channels.
    is_wide
        Whether there are 32 registers.

    Examples
    --------
    >>> three = ConvWindow.of((1, 64, 8, 8), (64, 64, 3, 3))
    >>> register_block(three, 64, 4, is_wide=True), register_block(three, 64, 4, is_wide=False)
    ((2, 3, 2), (2, 3, 2))
    """
    *before, taps = window.kernel
    fitting = WIDE if is_wide else NARROW
    found = []
    for together in (1, 2)[: min(2, vectors)]:
        most = fitting[together]
        length = max(n for n in range(1, min(taps, most) + 1) if taps % n == 0)
        lines = channels * prod(before) * (taps // length)
        for bases in range(1, min(LINES, most // length) + 1):
            cycles = -(-lines // bases) * _block(bases * length, together)
            found.append((cycles * -(-vectors // together), bases, length, together))
    _, bases, length, together = min(found)
    return bases, length, together


def _block(numbers: int, vectors: int) -> float:
    """Cycles of one register block for one output."""
    return max(numbers * vectors, numbers + vectors + 1, 8) / 2


def cycles(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Products, by whole register blocks; both arrays brought into place; sums folded."""
    width = lanes(dtype)
    most = chunk_of(window)
    channels, outs = min(most, window.group_in), -(-min(most, window.group_out) // width)
    bases, length, together = register_block(window, channels, outs, is_wide=True)
    lines = window.group_in * prod(window.kernel) // length
    across = -(-window.group_out // width)
    block = -(-lines // bases) * _block(bases * length, together) * -(-across // together)
    out_pixels, pixels = prod(window.out_space), prod(window.space)
    again = [-(-count // most) for count in (window.group_out, window.group_in)]
    is_copied = any(reads_around(axis) for axis in window.axes)
    taken = window.in_channels * pixels * again[0] * (0.4 if is_copied else 0.1)
    taken += window.groups * across * width * out_pixels * again[1] * 0.5
    return (
        2 * CALL
        + window.groups * out_pixels * block / 0.85
        + moved(taken, dtype, 1.0)
        + prod(window.w_shape) * 20 / BATCH
    )
