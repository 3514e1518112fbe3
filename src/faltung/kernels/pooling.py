"""Max and average pooling: first over the rows of a window, then over its columns.

For each row of outputs, the window's rows are reduced to one, vector by vector, on the way into
working memory; there it lies in phases (`pooling_rows`), so that the reduction over columns loads
neighbours whatever the stride::

    row[p]     = max or sum over kz, ky of  x[oz*s + kz*d - pad, oy*s + ky*d - pad, p]
    y[.., ox]  = max or sum over kx of      row[ox*s + kx*d - pad]

k + k steps for each output instead of k * k. NaN is the largest number. A mean divides once, by how
many taps count: a number for the row times one for the column.
"""

from __future__ import annotations

from collections.abc import Callable

from faltung.kernels.compiled import kernel
from faltung.kernels.pooling_rows import (
    as_integer,
    field,
    fill,
    outside,
    shared_units,
    split_row,
    unrolled,
    window_rows,
)
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer, Variable, Vector


def _joined(code: Code, is_max: bool, total: Variable, vector: Vector) -> None:
    before = total.get()
    total.set(code.maximum(before, vector) if is_max else before + vector)


@kernel(window_rows, arguments=INTS, block=INT, thread=INT)
def pool_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    is_max: bool,
    stride: int,
    rows: int,
    taps: int,
) -> None:
    """Some strips of rows of some planes; ``rows`` and ``taps`` are the window's, or 0 to loop."""

    def of(name: str) -> Int:
        return field(arguments, name)

    scratch = code.address(of("scratch")) + thread * of("scratch_size")
    table, empty = code.ints(scratch), scratch + of("empty_offset")
    phases = scratch + of("phases_offset")
    fill(code, empty, of("inside"), outside(code, is_max))
    fill(code, phases, of("phases_size"), outside(code, is_max))
    count, height = of("kernel_depth") * of("kernel_y"), of("out_height")
    out_rows = of("out_depth") * height
    for unit in shared_units(code, arguments, block):
        strip, plane = unit % of("strips"), unit // of("strips")
        first, last = (n * out_rows // of("strips") for n in (strip, strip + 1))
        source = of("x") + plane * of("plane") * code.itemsize
        with code.loop(last, start=first) as r:
            from_z = r // height * of("stride_depth") - of("pad_depth")
            from_y = r % height * of("stride_y") - of("pad_y")
            given = (source, from_z, from_y, as_integer(code, empty))
            window_rows.call(code, arguments, table, *given)

            def over_rows(x: Int, load: Callable[[Pointer], Vector]) -> Vector:
                total = code.variable(outside(code, is_max))
                for i in unrolled(code, count, rows):
                    _joined(code, is_max, total, load(code.address(table[i]) + x))
                reduced: Vector = total.get()
                return reduced

            split_row(code, arguments, phases, stride, is_max, over_rows)
            y = code.address(of("y")) + (plane * out_rows + r) * of("out_width")
            _columns(code, arguments, phases, y, r, is_max=is_max, taps=taps)


def _columns(
    code: Code, arguments: Pointer, phases: Pointer, y: Pointer, r: Int, *, is_max: bool, taps: int
) -> None:
    """Write a row of outputs."""

    def of(name: str) -> Int:
        return field(arguments, name)

    offsets, width = code.ints(code.address(of("offsets"))), of("out_width")
    each = None if is_max else code.broadcast(code.address(of("rows")) + r)
    with code.loop(width, step=code.lanes) as q:
        total = code.variable(outside(code, is_max))
        for t in unrolled(code, of("kernel_x"), taps):
            _joined(code, is_max, total, code.load(phases + (offsets[t] + q)))
        found = total.get()
        if each is not None:
            found = found / (each * code.load(code.address(of("columns")) + q))
        is_whole = width - q >= code.lanes
        with code.either(is_whole) as (whole, border):
            with whole:
                code.store(y + q, found)
            with border:
                code.store_some(code.first(width - q), y + q, found)
