"""The largest number of each row; NaN where there is one.

y[r] = max over i of x[r, i]
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.compiled import kernel
from faltung.kernels.each import Lanes, each_vector
from faltung.kernels.isa import required_isa
from faltung.kernels.launch import launch
from faltung.kernels.simd import I32, INT, INTS, Code, Int, Pointer, Vector

Array = NDArray[Any]

FIELDS: Final = ("x", "y", "scratch", "rows", "size", "count", "scratch_size")
BLOCK: Final = 1 << 13
"""Numbers of a block of work, at least."""


def largest(x: Array, *, out: Array | None = None) -> Array:
    """Return the largest number of each row.

    Parameters
    ----------
    x : array (rows, size), float32 or float64
        C-contiguous, and not empty.
    out : array (rows,), optional
        Where the result goes.
    """
    rows, size = x.shape
    y = memory.empty((rows,), x.dtype) if out is None else out
    count = min(rows, -(-BLOCK // size))
    sizes = {"rows": rows, "size": size, "count": count, "scratch_size": 0}
    arrays = {"x": np.ascontiguousarray(x), "y": y}
    launch(largest_block, required_isa("largest"), FIELDS, sizes, arrays, -(-rows // count))
    return y


@kernel(arguments=INTS, block=INT, thread=INT)
def largest_block(code: Code, arguments: Pointer, block: Int, thread: Int) -> None:
    """Some rows."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    x, size, first = code.address(of("x")), of("size"), block * of("count")
    least = code.constant(-np.inf)
    with code.loop((first + of("count")).at_most(of("rows")), start=first) as row:
        found = code.variable(least)

        def look(at: Int, lanes: Lanes) -> None:
            found.set(code.maximum(lanes.only(lanes.load(x + at), least), found.get()))

        each_vector(code, row * size, (row + 1) * size, look)
        number = code.build.extract_element(largest_lane(code, found.get()).value, I32(0))
        code.store_number(code.address(of("y")) + row, number)


def largest_lane(code: Code, vector: Vector) -> Vector:
    """Return in all lanes the largest of them; NaN if one is."""
    half = code.lanes // 2
    while half:
        other = code.shuffle(vector, vector, [lane ^ half for lane in range(code.lanes)])
        vector, half = code.maximum(vector, code.maximum(other, vector)), half // 2
    return vector
