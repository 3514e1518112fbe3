"""Dense layers of few rows: weights are read once, as they lie, which is what takes the time.

    y[n, o] = activation(b[o] + sum over i of x[n, i] w[o, i])

A tile is some outputs of some rows: the sums of all its pairs are vectors in registers, along i.
Each sum has the same order whatever the tile, so that rows do not depend on one another.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.compiled import kernel
from faltung.kernels.epilogue import PLAIN, Epilogue, activated
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.simd import I32, INT, INTS, Code, Int, Pointer, Vector

Array = NDArray[Any]

FIELDS: Final = (
    *("x", "w", "bias", "y", "scratch"),
    *("rows", "inner", "outputs", "count", "scratch_size"),
)
BLOCK: Final = 1 << 16
"""Multiply-accumulates of a block of work, at least."""


def dense(
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    out: Array | None = None,
    epilogue: Epilogue = PLAIN,
) -> Array:
    """Multiply rows by a matrix, whose own rows are the outputs'.

    Parameters
    ----------
    x : array (rows, inner), float32 or float64
        Input.
    w : array (outputs, inner), of the same dtype
        Weights.
    b : array (outputs,), optional
        Bias.
    out : array (rows, outputs), optional
        C-contiguous: where the result goes.
    epilogue : Epilogue
        An activation; nothing is added.
    """
    (rows, inner), outputs = x.shape, w.shape[0]
    y = memory.empty((rows, outputs), x.dtype) if out is None else out
    if not y.size:
        return y
    isa = required_isa("dense")
    wide, high = tile(rows, isa)
    tiles = -(-BLOCK // (max(inner, 1) * rows * high))
    count = high * max(1, min(tiles, -(-outputs // high)))
    sizes = {"rows": rows, "inner": inner, "outputs": outputs, "count": count, "scratch_size": 0}
    bias = memory.constant(np.zeros(outputs, x.dtype)) if b is None else b
    arrays = {
        "x": np.ascontiguousarray(x),
        "w": np.ascontiguousarray(w),
        "bias": np.ascontiguousarray(bias),
        "y": y,
    }
    shape = {"wide": wide, "high": high, **epilogue.constants}
    launch(dense_block, isa, FIELDS, sizes, arrays, -(-outputs // count), **shape)
    return y


def tile(rows: int, isa: Isa) -> tuple[int, int]:
    """Return how many rows and how many outputs a tile has.

    >>> from faltung.kernels.isa import AVX2
    >>> tile(1, AVX2), tile(8, AVX2)
    ((1, 8), (2, 4))
    """
    if rows == 1:
        return 1, 8
    return (2 if isa.registers < 32 or rows == 2 else 4), 4


@kernel(arguments=INTS, block=INT, thread=INT)
def dense_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    wide: int,
    high: int,
    activation: tuple[str, float, float],
) -> None:
    """Some outputs of all rows."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    rows, inner, outputs = of("rows"), of("inner"), of("outputs")
    x, w, b, y = (code.address(of(name)) for name in ("x", "w", "bias", "y"))
    start = block * of("count")
    stop = (start + of("count")).at_most(outputs)
    with code.loop(stop, step=high, start=start) as o, code.loop(rows, step=wide) as n:
        # Behind the last one stands the last one again: it is computed twice, to the same bits.
        high_at = [(o + i).at_most(outputs - 1) for i in range(high)]
        wide_at = [(n + i).at_most(rows - 1) for i in range(wide)]
        sums = _sums(
            code, [x + at * inner for at in wide_at], [w + at * inner for at in high_at], inner
        )
        pairs = [(row, at) for row in wide_at for at in high_at]
        for first in range(0, len(pairs), code.lanes):
            some = pairs[first : first + code.lanes]
            parts = sums[first : first + code.lanes]
            parts += [code.constant(0.0)] * (code.lanes - len(parts))
            total = code.lane_sums(parts) + _biases(code, b, [at for _, at in some])
            total = activated(code, total, activation)
            for lane, (row, at) in enumerate(some):
                number = code.build.extract_element(total.value, I32(lane))
                code.store_number(y + (row * outputs + at), number)


def _sums(code: Code, xs: list[Pointer], ws: list[Pointer], inner: Int) -> list[Vector]:
    """Return the products of each row with each output, summed but for the lanes."""
    totals = [code.variable(code.constant(0.0)) for _ in xs for _ in ws]
    whole = inner // code.lanes * code.lanes

    def add(x: list[Vector], w: list[Vector]) -> None:
        for i, total in enumerate(totals):
            total.set(code.fma(x[i // len(w)], w[i % len(w)], total.get()))

    with code.loop(whole, step=code.lanes) as i:
        add([code.load(x + i) for x in xs], [code.load(w + i) for w in ws])
    with code.loop(inner, step=code.lanes, start=whole) as i:
        mask = code.first(inner - i)
        add(*([code.load_some(mask, p + i) for p in places] for places in (xs, ws)))
    return [total.get() for total in totals]


def _biases(code: Code, b: Pointer, at: list[Int]) -> Vector:
    value = ir.Constant(code.vector, [0.0] * code.lanes)
    for lane, index in enumerate(at):
        number = code.build.load((b + index).value, typ=code.element, align=code.itemsize)
        value = code.build.insert_element(value, number, I32(lane))
    return Vector(code.build, value)
