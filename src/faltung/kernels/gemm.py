"""Matrix products: ``y[m, n] = sum over k of a[m, k] * b[k, n]``.

A block takes a few vectors of columns. Run by run of k it brings those columns of b together, so
that they lie in the first-level cache, and passes all rows of a over them: `channels` rows at a
time, each number of a read where it is, into all lanes. Sums of runs are added, so that what is
rounded off grows with the length of a run and with their number.

Either matrix may lie row by row or column by column. For a it makes no difference; columns of b
that lie apart go through a transpose.
"""

from __future__ import annotations

from itertools import product
from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.interleave import row_to_lanes
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer
from faltung.kernels.tile import RUN

FIELDS: Final = (
    *("x", "b", "y", "scratch", "m", "k", "n", "near", "far", "b_step", "columns", "parts"),
    *("part", "partial_offset", "scratch_size"),
)
"""`near` and `far` numbers lie between rows and columns of a, `b_step` between those of b."""


@kernel(arguments=INTS, source=POINTER, out=POINTER, first=INT, count=INT, left=INT)
def gather_rows(
    code: Code,
    arguments: Pointer,
    source: Pointer,
    out: Pointer,
    first: Int,
    count: Int,
    left: Int,
    *,
    vectors: int,
) -> None:
    """Copy ``left`` columns of a run of b's rows: ``[vector][k]``."""
    step = arguments[FIELDS.index("b_step")]
    with code.loop(count) as t:
        for v in range(vectors):
            mask = code.first(left - v * code.lanes)
            row = code.load_some(mask, source + ((first + t) * step + v * code.lanes))
            code.store(out + (t + v * (RUN + code.lanes)) * code.lanes, row)


@kernel(row_to_lanes, arguments=INTS, source=POINTER, out=POINTER, first=INT, count=INT, left=INT)
def gather_columns(
    code: Code,
    arguments: Pointer,
    source: Pointer,
    out: Pointer,
    first: Int,
    count: Int,
    left: Int,
    *,
    vectors: int,
) -> None:
    """The same of a matrix that lies column by column."""
    step, size = (arguments[FIELDS.index(name)] for name in ("b_step", "k"))
    for v in range(vectors):
        columns = left - v * code.lanes
        with code.when(columns > 0):
            given = (source + step * (v * code.lanes), out + v * (RUN + code.lanes) * code.lanes)
            row_to_lanes.call(code, *given, step, columns, first, size, count)


@kernel(a=POINTER, b=POINTER, partial=POINTER, count=INT, near=INT, far=INT, left=INT)
def sum_run(
    code: Code,
    a: Pointer,
    b: Pointer,
    partial: Pointer,
    count: Int,
    near: Int,
    far: Int,
    left: Int,
    *,
    channels: int,
    vectors: int,
    adds: bool,
) -> None:
    """Sum a run for a few rows, where there are fewer the last one again; add it to `partial`."""
    cells = list(product(range(channels), range(vectors)))
    rows = [a + (left - 1).at_most(c) * near for c in range(channels)]
    total = [code.variable(code.constant(0.0)) for _ in cells]
    with code.loop(count) as t:
        columns = [code.load(b + (t + v * (RUN + code.lanes)) * code.lanes) for v in range(vectors)]
        for c in range(channels):
            number = code.broadcast(rows[c] + t * far)
            for v in range(vectors):
                cell = total[c * vectors + v]
                cell.set(code.fma(number, columns[v], cell.get()))
    for i, cell in enumerate(total):
        place, sums = partial + i * code.lanes, cell.get()
        code.store(place, code.load(place) + sums if adds else sums)


@kernel(gather_rows, gather_columns, sum_run, arguments=INTS, block=INT, thread=INT)
def multiply_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    channels: int,
    vectors: int,
    transposed: bool,
) -> None:
    """Compute a few vectors of columns for a part of the rows."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    width = vectors * code.lanes
    first, part = block % of("columns") * width, block // of("columns")
    left, start = of("n") - first, part * of("part")
    end = (start + of("part")).at_most(of("m"))
    near, far, size = of("near"), of("far"), channels * width
    here = code.address(of("scratch")) + thread * of("scratch_size")
    partial = here + of("partial_offset")
    source = code.address(of("b")) + (first * of("b_step") if transposed else first)
    gather = gather_columns if transposed else gather_rows
    with code.loop(of("k"), step=RUN) as k:
        count = (of("k") - k).at_most(RUN)
        gather.call(code, arguments, source, here, k, count, left, vectors=vectors)
        a = code.address(of("x")) + k * far
        with code.loop(end, step=channels, start=start) as m:
            to = partial + (m - start) // channels * size
            given = (a + m * near, here, to, count, near, far, end - m)
            with code.either(k > 0) as (later, at_first):
                for branch, adds in ((later, True), (at_first, False)):
                    with branch:
                        sizes = {"channels": channels, "vectors": vectors}
                        sum_run.call(code, *given, **sizes, adds=adds)
    y = code.address(of("y")) + first
    with code.loop(end, start=start) as m:
        row = partial + (m - start) * width
        for v in range(vectors):
            mask = code.first(left - v * code.lanes)
            to = y + (m * of("n") + v * code.lanes)
            code.store_some(mask, to, code.load(row + v * code.lanes))
