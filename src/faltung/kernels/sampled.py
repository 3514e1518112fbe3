"""Every so many pixels of an image, side by side: what a convolution of one position steps on.

    y[p, o] = x[p, o * stride]

A row of outputs is dealt out of as many vectors as the stride is, in registers.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import ConvWindow
from faltung.kernels import memory
from faltung.kernels.compiled import kernel
from faltung.kernels.isa import required_isa
from faltung.kernels.launch import launch
from faltung.kernels.phases import dealt
from faltung.kernels.reaches import three_axes
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer

Array = NDArray[Any]

BLOCK: Final = 1 << 14
"""Outputs of a block of work, at least."""
FIELDS: Final = (
    *("x", "y", "planes", "count", "depth", "height", "width", "stride_z", "stride_y"),
    *("out_depth", "out_height", "out_width", "scratch", "scratch_size"),
)


def sampled(window: ConvWindow, x: Array) -> Array:
    """Return the pixels that the outputs of a convolution of one position read.

    Parameters
    ----------
    window : ConvWindow
        Every output has its pixel inside of x.
    x : array (N, C, *space), float32 or float64
        Its input.
    """
    depth, rows, columns = three_axes(window.axes)
    out_space = tuple(axis.out_size for axis in window.axes)
    y = memory.empty((*x.shape[:2], *out_space), x.dtype)
    planes = x.shape[0] * x.shape[1]
    count = min(planes, max(1, BLOCK // (depth.out_size * rows.out_size * columns.out_size)))
    sizes = {
        "planes": planes,
        "count": count,
        "depth": depth.size,
        "height": rows.size,
        "width": columns.size,
        "stride_z": depth.stride,
        "stride_y": rows.stride,
        "out_depth": depth.out_size,
        "out_height": rows.out_size,
        "out_width": columns.out_size,
        "scratch_size": 0,
    }
    arrays = {"x": np.ascontiguousarray(x), "y": y}
    isa, blocks = required_isa("sampled"), -(-planes // count)
    launch(sample_planes, isa, FIELDS, sizes, arrays, blocks, stride=columns.stride)
    return y


@kernel(arguments=INTS, block=INT, thread=INT)
def sample_planes(code: Code, arguments: Pointer, block: Int, thread: Int, *, stride: int) -> None:
    """Some planes."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    first, lanes = block * of("count"), code.lanes
    x, y = code.address(of("x")), code.address(of("y"))
    last = (first + of("count")).at_most(of("planes"))
    rows = of("out_depth") * of("out_height")
    with (
        code.loop(last, start=first) as p,
        code.loop(rows) as r,
        code.loop(of("out_width"), step=lanes) as c,
    ):
        z, at = r // of("out_height") * of("stride_z"), r % of("out_height") * of("stride_y")
        row = (p * of("depth") + z) * of("height") + at
        source, left = x + (row * of("width") + c * stride), of("width") - c * stride
        parts = [
            code.load_some(code.first(left - i * lanes), source + i * lanes) for i in range(stride)
        ]
        to, mask = y + ((p * rows + r) * of("out_width") + c), code.first(of("out_width") - c)
        code.store_some(mask, to, dealt(code, parts, 0))
