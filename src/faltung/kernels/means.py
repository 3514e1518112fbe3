"""Means of rows: the numbers that lie together, summed in float64 and rounded once.

    y[r] = (sum over i of x[r, i]) / size

Numbers are turned into float64 as they are read. Each row is summed in one order, whoever does it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.compiled import kernel
from faltung.kernels.isa import required_isa
from faltung.kernels.launch import launch
from faltung.kernels.simd import I32, INT, INTS, Code, Int, Pointer, Vector

Array = NDArray[Any]

FIELDS: Final = ("x", "y", "scratch", "rows", "size", "count", "scratch_size")
BLOCK: Final = 1 << 13
"""Numbers of a block of work, at least."""
CHAINS: Final = 4
"""Sums that go on side by side, so that none waits for itself."""


def means(x: Array, *, out: Array | None = None) -> Array:
    """Return the mean of each row.

    Parameters
    ----------
    x : array (rows, size), float32 or float64
        C-contiguous.
    out : array (rows,), optional
        Where the result goes.
    """
    rows, size = x.shape
    y = memory.empty((rows,), x.dtype) if out is None else out
    if not rows:
        return y
    count = min(rows, max(1, -(-BLOCK // max(size, 1))))
    sizes = {"rows": rows, "size": size, "count": count, "scratch_size": 0}
    arrays = {"x": np.ascontiguousarray(x), "y": y}
    launch(means_block, required_isa("means"), FIELDS, sizes, arrays, -(-rows // count))
    return y


@kernel(arguments=INTS, block=INT, thread=INT)
def means_block(code: Code, arguments: Pointer, block: Int, thread: Int) -> None:
    """Some rows."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    x, y, size, first = (
        code.address(of("x")),
        code.address(of("y")),
        of("size"),
        block * of("count"),
    )
    wide = ir.VectorType(ir.DoubleType(), code.lanes)

    def widened(vector: Vector) -> Vector:
        is_wide = code.itemsize == 8
        value = vector.value if is_wide else code.build.fpext(vector.value, wide)
        return Vector(code.build, value)

    with code.loop((first + of("count")).at_most(of("rows")), start=first) as row:
        start = x + row * size
        zero = widened(code.constant(0.0))
        totals = [code.variable(zero) for _ in range(CHAINS)]
        turn = CHAINS * code.lanes
        whole = size // turn * turn
        with code.loop(whole, step=turn) as i:
            for n, total in enumerate(totals):
                total.set(total.get() + widened(code.load(start + i + n * code.lanes)))
        with code.loop(size, step=code.lanes, start=whole) as i:
            vector = code.load_some(code.first(size - i), start + i)
            totals[0].set(totals[0].get() + widened(vector))
        while len(totals) > 1:
            totals = [
                code.variable(a.get() + b.get())
                for a, b in zip(totals[::2], totals[1::2], strict=True)
            ]
        code.store_number(y + row, _mean(code, totals[0].get(), size))


def _mean(code: Code, total: Vector, size: Int) -> Any:
    """Add the lanes as a tree, divide, and round."""
    build = code.build
    parts = [build.extract_element(total.value, I32(lane)) for lane in range(code.lanes)]
    while len(parts) > 1:
        parts = [build.fadd(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    mean = build.fdiv(parts[0], build.sitofp(size.value, ir.DoubleType()))
    return mean if code.itemsize == 8 else build.fptrunc(mean, code.element)
