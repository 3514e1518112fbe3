"""The register block of the weights' gradient with pixels in the lanes, and what it all takes.

Nothing here compiles anything: the registry asks it about every convolution.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np

from faltung.geometry.window import ConvWindow
from faltung.kernels.cost import BATCH, CALL, lanes, moved
from faltung.kernels.reaches import three_axes

WIDE: Final = ((8, 3), (4, 6), (4, 5), (2, 9), (1, 9), (1, 16))
NARROW: Final = ((4, 2), (3, 3), (2, 5), (1, 9))
"""Channels of dout and taps whose sums fit 32 and 16 registers, beside what they are made from."""
PIXELS: Final = 1024
"""Outputs of a strip, about: a register block's channels of dout stay in the nearest cache."""
STRIP_BYTES: Final = 256 * 1024
"""What the copies of x take at most, if one channel's of one row do."""
NEAR_BYTES: Final = 40 * 1024
"""What of them stays in the nearest cache, which has 48 KiB."""


class Strip(NamedTuple):
    """How the outputs and the channels of x are cut.

    Parameters
    ----------
    rows, columns
        Of an image.
    images
        That are taken together, where each is one strip.
    channels
        Of x.
    lines
        Copies of x for each channel.
    line
        Numbers of one of them.
    """

    def is_near(self, vector: int, itemsize: int) -> bool:
        """Whether copies of x stay near, and each vector of them in one line of the cache."""
        size = self.images * self.channels * self.lines * self.line * itemsize
        return size <= NEAR_BYTES and self.columns % vector == 0

    rows: int
    columns: int
    images: int
    channels: int
    lines: int
    line: int


def strip_of(window: ConvWindow, itemsize: int) -> Strip:
    """Return strips of about `PIXELS` outputs: whole rows, or a part of one."""
    depth, y_axis, x_axis = three_axes(window.axes)
    plane, images = y_axis.out_size * x_axis.out_size, 1
    rows, columns = y_axis.out_size, x_axis.out_size
    if columns > PIXELS:
        rows, columns = 1, shared(columns, PIXELS)
    elif plane > PIXELS:
        rows = shared(rows, PIXELS // columns)
    elif depth.out_size == 1:
        images = min(window.batch, PIXELS // plane)
    phases = len({k * y_axis.dilation % y_axis.stride for k in range(y_axis.kernel)})
    lines = depth.kernel * phases * x_axis.kernel
    line = (rows + (y_axis.extent - 1) // y_axis.stride) * columns
    fitting = STRIP_BYTES // (lines * line * images * itemsize)
    return Strip(rows, columns, images, shared(window.group_in, max(1, fitting)), lines, line)


def shared(size: int, most: int) -> int:
    """Return the size of as few equal parts as there can be."""
    return -(-size // -(-size // most))


def register_block(
    taps: int, channels: int, *, is_wide: bool, is_near: bool = False
) -> tuple[int, int]:
    """Return how many channels of dout, and taps, have their sums in registers together.

    The one with the fewest cycles: a CPU multiplies two vectors a cycle and loads two, or one that
    lies across a line; sums must be eight at least, as each waits four cycles for the one before.
    Of equal ones, that with the fewest loads. Where copies of x are near (see `Strip.is_near`),
    vectors of dout alone lie across lines.

    Examples
    --------
    >>> register_block(27, 64, is_wide=True), register_block(25, 32, is_wide=True)
    ((8, 3), (4, 5))
    >>> register_block(27, 16, is_wide=True, is_near=True)
    (2, 9)
    """

    def work(block: tuple[int, int]) -> tuple[float, int]:
        count = -(-channels // block[0]) * -(-taps // block[1])
        return count * _cycles(*block, is_near), count * _loads(*block, is_near)

    return min(WIDE if is_wide else NARROW, key=work)


def _loads(channels: int, taps: int, is_near: bool) -> int:
    """Lines that a register block reads for one vector of pixels."""
    return 2 * channels + taps * (1 if is_near else 2)


def _cycles(channels: int, taps: int, is_near: bool) -> float:
    """Cycles of one register block for one vector of pixels."""
    return max(channels * taps, _loads(channels, taps, is_near), 8) / 2


def cycles(window: ConvWindow, dtype: np.dtype[Any], is_prepared: bool) -> float:
    """Products, by whole register blocks; copies of x; sums to memory and back; lanes added."""
    if 0 in (*window.x_shape[1:], *window.out_shape[1:]):
        return 2 * CALL  # there is nothing to sum
    whole = replace(window, batch=BATCH)
    strip, width = strip_of(whole, dtype.itemsize), lanes(dtype)
    taps = strip.channels * prod(window.kernel)
    is_near = strip.is_near(width, dtype.itemsize)
    c, t = register_block(taps, window.group_out, is_wide=True, is_near=is_near)
    chunks = -(-window.group_in // strip.channels)
    blocks = -(-window.group_out // c) * -(-taps // t) * chunks
    outputs = prod(window.out_space)
    vectors = -(-strip.rows * strip.columns // width)
    strips = outputs / (strip.rows * strip.columns)
    passes = blocks * (vectors * _cycles(c, t, is_near) / 0.85 + (3 * c * t + 40) / strip.images)
    rows = strip.line / strip.columns * -(-strip.columns // width)
    copies = window.group_in * strip.lines * (rows * (1.5 + 2 * window.stride[-1]) + 40)
    taken = window.group_out * outputs * chunks
    return (
        2 * CALL
        + window.groups * (strips * (passes + copies) + moved(taken, dtype, 0.15))
        + prod(window.w_shape) * 60 / BATCH
    )
