"""Softmax of rows whose numbers lie together.

    y[i] = exp(x[i] - m) / sum over j of exp(x[j] - m),   m = max over j of x[j]

Three walks over a row, which is in a near cache after the first. Each row is summed in one order.
The gradient is

    dx[i] = y[i] (dy[i] - sum over j of y[j] dy[j])
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.compiled import Kernel, kernel
from faltung.kernels.each import Lanes, each_vector
from faltung.kernels.exponential import exp
from faltung.kernels.fold import across
from faltung.kernels.isa import required_isa
from faltung.kernels.largest import largest_lane
from faltung.kernels.launch import launch
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer

Array = NDArray[Any]

FIELDS: Final = ("x", "y", "dy", "scratch", "rows", "size", "count", "scratch_size")
BLOCK: Final = 1 << 11
"""Numbers of a block of work, at least."""


def softmax(x: Array, *, out: Array | None = None) -> Array:
    """Return the softmax of each row.

    Parameters
    ----------
    x : array (rows, size), float32 or float64
        C-contiguous.
    out : array (rows, size), optional
        Where the result goes.
    """
    y = memory.empty(x.shape, x.dtype) if out is None else out
    _launch(softmax_block, {"x": np.ascontiguousarray(x), "y": y})
    return y


def softmax_dx(y: Array, dy: Array, *, out: Array | None = None) -> Array:
    """Return the gradient of `softmax` to its input.

    Parameters
    ----------
    y, dy : array (rows, size), float32 or float64
        What came out, and its gradient.
    out : array (rows, size), optional
        Where the result goes; it may be dy.
    """
    dx = memory.empty(y.shape, y.dtype) if out is None else out
    _launch(
        softmax_dx_block, {"x": dx, "y": np.ascontiguousarray(y), "dy": np.ascontiguousarray(dy)}
    )
    return dx


def _launch(block: Kernel, arrays: dict[str, Array]) -> None:
    rows, size = arrays["x"].shape
    if not rows * size:
        return
    count = min(rows, max(1, BLOCK // size))
    sizes = {"rows": rows, "size": size, "count": count, "scratch_size": 0, "dy": 0}
    sizes = {name: value for name, value in sizes.items() if name not in arrays}
    launch(block, required_isa("softmax"), FIELDS, sizes, arrays, -(-rows // count))


@kernel(arguments=INTS, block=INT, thread=INT)
def softmax_block(code: Code, arguments: Pointer, block: Int, thread: Int) -> None:
    """Some rows."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    size, first, lanes = of("size"), block * of("count"), code.lanes
    with code.loop((first + of("count")).at_most(of("rows")), start=first) as row:
        x, y = (code.address(of(name)) + row * size for name in ("x", "y"))
        least = code.constant(-np.inf)
        largest = code.variable(least)
        with code.loop(size, step=lanes) as i:
            mask = code.first(size - i)
            value = code.select(mask, code.load_some(mask, x + i), least)
            largest.set(code.maximum(value, largest.get()))
        top = largest_lane(code, largest.get())
        total = code.variable(code.constant(0.0))
        with code.loop(size, step=lanes) as i:
            mask = code.first(size - i)
            value = exp(code, code.load_some(mask, x + i) - top)
            code.store_some(mask, y + i, value)
            total.set(total.get() + code.select(mask, value, code.constant(0.0)))
        whole = across(code, total.get())
        with code.loop(size, step=lanes) as i:
            mask = code.first(size - i)
            code.store_some(mask, y + i, code.load_some(mask, y + i) / whole)


@kernel(arguments=INTS, block=INT, thread=INT)
def softmax_dx_block(code: Code, arguments: Pointer, block: Int, thread: Int) -> None:
    """Some rows; ``x`` is where the gradient goes."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    size, first = of("size"), block * of("count")
    with code.loop((first + of("count")).at_most(of("rows")), start=first) as row:
        dx, y, dy = (code.address(of(name)) + row * size for name in ("x", "y", "dy"))
        total = code.variable(code.constant(0.0))

        def add(at: Int, lanes: Lanes) -> None:
            total.set(total.get() + lanes.load(y + at) * lanes.load(dy + at))

        each_vector(code, code.integer(0), size, add)
        whole = across(code, total.get())

        def write(at: Int, lanes: Lanes) -> None:
            lanes.store(dx + at, lanes.load(y + at) * (lanes.load(dy + at) - whole))

        each_vector(code, code.integer(0), size, write)
