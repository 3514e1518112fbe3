"""Images made larger or smaller: on each axis, every output is a weighted sum of a few inputs.

    y[c, i, j] = Σ_k v[i, k] Σ_l w[j, l] x[c, rows[i, k], columns[j, l]]

A block of work is some rows of outputs of one image. The rows of inputs that they need are first
brought to their new width, numbers picked one by one; then rows are summed as whole vectors. What
has weight 0 is not added, whatever it is.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.compiled import kernel
from faltung.kernels.isa import required_isa
from faltung.kernels.launch import launch
from faltung.kernels.simd import I32, INT, INTS, POINTER, Code, Int, Pointer, Vector

Array = NDArray[Any]

FIELDS: Final = (
    *("x", "y", "scratch", "spans", "rows", "row_weights", "columns", "column_weights"),
    *("height", "width", "out_height", "out_width", "pitch", "row_taps", "column_taps"),
    *("strips", "strip_rows", "scratch_size"),
)
BLOCK: Final = 1 << 13
"""Outputs of a block of work, at least."""


class Taps(NamedTuple):
    """What the outputs of an axis sum: positions, and the weight of each, both (out, taps)."""

    positions: Array
    weights: Array


def field(arguments: Pointer, name: str) -> Int:
    """Read one of the `FIELDS`."""
    return arguments[FIELDS.index(name)]


def resize(x: Array, rows: Taps, columns: Taps, *, out: Array | None = None) -> Array:
    """Resize the last two axes.

    Parameters
    ----------
    x : array (N, C, H, W), float32 or float64
        Images.
    rows, columns : Taps
        What outputs sum along each axis.
    out : array (N, C, len(rows), len(columns)), C-contiguous, optional
        Where the result goes.
    """
    isa = required_isa("resize")
    lanes, (height, width) = isa.lanes(x.dtype.itemsize), x.shape[2:]
    out_height, out_width = len(rows.positions), len(columns.positions)
    y = memory.empty((*x.shape[:2], out_height, out_width), x.dtype) if out is None else out
    if not y.size:
        return y
    strip_rows = min(out_height, max(1, BLOCK // out_width))
    strips, pitch = -(-out_height // strip_rows), -(-out_width // lanes) * lanes
    spans = [_span(rows, first, first + strip_rows) for first in range(0, out_height, strip_rows)]
    sizes = {
        "height": height,
        "width": width,
        "out_height": out_height,
        "out_width": out_width,
        "pitch": pitch,
        "row_taps": rows.weights.shape[1],
        "column_taps": columns.weights.shape[1],
        "strips": strips,
        "strip_rows": strip_rows,
        "scratch_size": max(stop - start for start, stop in spans) * pitch,
    }
    arrays = {
        "x": np.ascontiguousarray(x),
        "y": y,
        "spans": memory.constant(np.array(spans, np.int64)),
        "rows": memory.constant(rows.positions.astype(np.int64)),
        "row_weights": memory.constant(rows.weights.astype(x.dtype)),
        "columns": _by_tap(columns.positions.astype(np.int64), pitch),
        "column_weights": _by_tap(columns.weights.astype(x.dtype), pitch),
    }
    launch(resize_block, isa, FIELDS, sizes, arrays, x.shape[0] * x.shape[1] * strips)
    return y


def _span(rows: Taps, first: int, stop: int) -> tuple[int, int]:
    """Return the inputs that some outputs need, from the first to behind the last."""
    positions = rows.positions[first:stop]
    return int(positions.min()), int(positions.max()) + 1


def _by_tap(table: Array, pitch: int) -> Array:
    """Return the numbers of one tap for all outputs, then of the next, filled up with zeros."""
    filled = np.zeros((table.shape[1], pitch), table.dtype)
    filled[:, : len(table)] = table.T
    return memory.constant(filled)


@kernel(arguments=INTS, row=POINTER, to=POINTER)
def widen(code: Code, arguments: Pointer, row: Pointer, to: Pointer) -> None:
    """Bring one row to its new width; some zeros may follow."""

    def of(name: str) -> Int:
        return field(arguments, name)

    pitch, columns = of("pitch"), code.ints(code.address(of("columns")))
    weights = code.address(of("column_weights"))
    with code.loop(pitch, step=code.lanes) as at:
        total = code.variable(code.constant(0.0))
        with code.loop(of("column_taps")) as k:
            place = k * pitch + at
            taken = _picked(code, row, columns + place)
            _add(code, total, taken, code.load(weights + place))
        code.store(to + at, total.get())


@kernel(widen, arguments=INTS, block=INT, thread=INT)
def resize_block(code: Code, arguments: Pointer, block: Int, thread: Int) -> None:
    """Some rows of outputs of one image."""

    def of(name: str) -> Int:
        return field(arguments, name)

    strip, plane, pitch = block % of("strips"), block // of("strips"), of("pitch")
    spans, rows = (code.ints(code.address(of(name))) for name in ("spans", "rows"))
    weights, wide = code.address(of("row_weights")), code.address(of("scratch"))
    wide = wide + thread * of("scratch_size")
    start, stop = spans[strip * 2], spans[strip * 2 + 1]
    x = code.address(of("x")) + plane * of("height") * of("width")
    with code.loop(stop, start=start) as r:
        widen.call(code, arguments, x + r * of("width"), wide + (r - start) * pitch)
    first, width, taps = strip * of("strip_rows"), of("out_width"), of("row_taps")
    y = code.address(of("y")) + plane * of("out_height") * width
    last = (first + of("strip_rows")).at_most(of("out_height"))
    with code.loop(last, start=first) as r, code.loop(width, step=code.lanes) as at:
        total = code.variable(code.constant(0.0))
        with code.loop(taps) as k:
            tap = r * taps + k
            taken = code.load(wide + ((rows[tap] - start) * pitch + at))
            _add(code, total, taken, code.broadcast(weights + tap))
        code.store_some(code.first(width - at), y + (r * width + at), total.get())


def _picked(code: Code, row: Pointer, places: Pointer) -> Vector:
    """Read as many numbers as a vector has, each from a place of its own."""
    value = ir.Constant(code.vector, ir.Undefined)
    for lane in range(code.lanes):
        place = row + places[lane]
        number = code.build.load(place.value, typ=code.element, align=code.itemsize)
        value = code.build.insert_element(value, number, I32(lane))
    return Vector(code.build, value)


def _add(code: Code, total: Any, taken: Vector, weight: Vector) -> None:
    """Add products to a sum where the weight is not 0."""
    zero = code.constant(0.0)
    counts = code.build.fcmp_unordered("!=", weight.value, zero.value)
    total.set(code.select(counts, code.fma(taken, weight, total.get()), total.get()))
