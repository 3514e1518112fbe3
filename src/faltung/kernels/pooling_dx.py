"""The gradients of pooling: each input gathers from the outputs whose windows it is in.

Of a plane, first every output is looked at. For a maximum, the taps of its window are compared in
row-major order, and the number of the first that has the largest value is kept; of a mean, `dout`
is divided by how many taps count. Then every row of dx gathers::

    dx[i] = sum over outputs o and taps t that meet at i of  g[o], where t is the winner of o

Positions of dx that are congruent modulo the stride have the same taps at the same distances
(`geometry.adjoint`), so each of them is a vector of its own, and they are woven into the row.
Nothing is scattered, and every number of dx is written once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from faltung.kernels.compiled import kernel
from faltung.kernels.phases import inside, woven
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
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer, Variable, Vector


@kernel(window_rows, arguments=INTS, source=INT, out=POINTER, r=INT, table=INTS, lost=POINTER)
def winner_row(
    code: Code,
    arguments: Pointer,
    source: Int,
    out: Pointer,
    r: Int,
    table: Pointer,
    lost: Pointer,
    *,
    stride: int,
    taps: int,
) -> None:
    """Write the number of each winning tap of a row of outputs; -1 past its end.

    Where nothing is larger than -inf, there is no winner, and ``lost`` becomes 1.
    """

    def of(name: str) -> Int:
        return field(arguments, name)

    scratch = code.address(as_integer(code, table))
    empty, phases = scratch + of("empty_offset"), scratch + of("phases_offset")
    from_z = r // of("out_height") * of("stride_depth") - of("pad_depth")
    from_y = r % of("out_height") * of("stride_y") - of("pad_y")
    given = (source, from_z, from_y, as_integer(code, empty))
    window_rows.call(code, arguments, table, *given)
    count = of("kernel_depth") * of("kernel_y")
    with code.loop(count) as i:

        def one(x: Int, load: Callable[[Pointer], Vector]) -> Vector:
            return load(code.address(table[i]) + x)

        split_row(code, arguments, phases + i * of("row_pitch"), stride, True, one)
    offsets, numbers = code.ints(code.address(of("offsets"))), code.address(of("numbers"))
    width = of("out_width")
    with code.loop(width, step=code.lanes) as q:
        best = code.variable(outside(code, True))
        winner = code.variable(code.constant(-1.0))
        with code.loop(count) as i:
            row, first = phases + i * of("row_pitch"), numbers + i * of("kernel_x")
            for t in unrolled(code, of("kernel_x"), taps):
                _compete(code, best, winner, code.load(row + (offsets[t] + q)), first + t)
        mask = inside(code, q, width)
        code.store(out + q, code.select(mask, winner.get(), code.constant(-1.0)))
        is_low = code.build.fcmp_ordered("==", best.get().value, outside(code, True).value)
        code.store_some(code.build.and_(is_low, mask), lost + 0, code.constant(1.0))


def _compete(code: Code, best: Variable, winner: Variable, vector: Vector, number: Pointer) -> None:
    """Let a tap's values win where they are larger than the best, or the first NaN."""
    before = best.get()
    is_larger = code.build.fcmp_unordered(">", vector.value, before.value)
    is_open = code.build.fcmp_ordered("ord", before.value, before.value)
    wins = code.build.and_(is_larger, is_open)
    best.set(code.select(wins, vector, before))
    winner.set(code.select(wins, code.broadcast(number), winner.get()))


@kernel(winner_row, arguments=INTS, block=INT, thread=INT)
def pool_dx_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    is_max: bool,
    stride: int,
    taps: int,
    phases: tuple[tuple[tuple[int, int], ...], ...],
) -> None:
    """Some planes; ``phases`` has for each phase of dx its taps and their distances in a row."""

    def of(name: str) -> Int:
        return field(arguments, name)

    scratch = code.address(of("scratch")) + thread * of("scratch_size")
    table, out_rows = code.ints(scratch), of("out_depth") * of("out_height")
    winners, gradients = scratch + of("winners_offset"), scratch + of("gradients_offset")
    pitch, width = of("out_pitch"), of("out_width")
    if is_max:
        fill(code, scratch + of("empty_offset"), of("inside"), outside(code, True))
        fill(code, scratch + of("phases_offset"), of("phases_size"), outside(code, True))
        fill(code, winners, out_rows * pitch, code.constant(-1.0))
    fill(code, gradients, out_rows * pitch, code.constant(0.0))
    lost = code.address(of("flags")) + block * code.lanes
    for plane in shared_units(code, arguments, block):
        source = of("x") + plane * of("plane") * code.itemsize
        with code.loop(out_rows) as r:
            at = r * pitch + of("lead")
            if is_max:
                given = (source, winners + at, r, table, lost)
                winner_row.call(code, arguments, *given, stride=stride, taps=taps)
            dout = code.address(of("dout")) + (plane * out_rows + r) * width
            each = None if is_max else code.broadcast(code.address(of("rows")) + r)
            with code.loop(width, step=code.lanes) as q:
                vector = code.load_some(code.first(width - q), dout + q)
                if each is not None:
                    vector = vector / (each * code.load(code.address(of("columns")) + q))
                code.store(gradients + (at + q), vector)
        with code.loop(of("depth") * of("height")) as row:
            dx = code.address(of("dx")) + (plane * of("plane") + row * of("width"))
            _gather(code, arguments, scratch, row, dx, is_max=is_max, phases=phases)


def _gather(
    code: Code,
    arguments: Pointer,
    scratch: Pointer,
    row: Int,
    dx: Pointer,
    *,
    is_max: bool,
    phases: tuple[tuple[tuple[int, int], ...], ...],
) -> None:
    """Write one row of dx."""

    def of(name: str) -> Int:
        return field(arguments, name)

    pairs = code.ints(scratch) + of("pairs_offset")
    count = _meetings(code, arguments, row, pairs)
    winners, gradients = scratch + of("winners_offset"), scratch + of("gradients_offset")
    numbers, width = code.address(of("numbers")), of("width")
    distances = sorted({shift for phase in phases for _, shift in phase})
    with code.loop((width + (len(phases) - 1)) // len(phases), step=code.lanes) as m:
        total = [code.variable(code.constant(0.0)) for _ in phases]
        with code.loop(count) as i:
            at, first = pairs[i * 2] + m, numbers + pairs[i * 2 + 1]
            loaded = {s: code.load(gradients + (at + s)) for s in distances}
            won = {s: code.load(winners + (at + s)) for s in distances} if is_max else {}
            for variable, phase in zip(total, phases, strict=True):
                for kx, shift in phase:
                    vector = loaded[shift]
                    if is_max:
                        number = code.broadcast(first + kx)
                        wins = code.build.fcmp_ordered("==", won[shift].value, number.value)
                        vector = code.select(wins, vector, code.constant(0.0))
                    variable.set(variable.get() + vector)
        for p, vector in enumerate(woven(code, [variable.get() for variable in total])):
            column = m * len(phases) + p * code.lanes
            is_whole = column + code.lanes <= width
            with code.either(is_whole) as (whole, border):
                with whole:
                    code.store(dx + column, vector)
                with border:
                    code.store_some(inside(code, column, width), dx + column, vector)


def _meetings(code: Code, arguments: Pointer, row: Int, pairs: Pointer) -> Int:
    """Write which rows of outputs a row of the input meets, and by which taps; return how many."""

    def of(name: str) -> Int:
        return field(arguments, name)

    def meets(at: Int, axis: str, count: Int) -> tuple[Int, Any]:
        step = of(f"stride_{axis}")
        is_met = code.build.and_(at >= 0, (at % step).equals(0))
        return at // step, code.build.and_(is_met, at // step < count)

    found = code.variable(code.integer(0))
    z, y = row // of("height") + of("pad_depth"), row % of("height") + of("pad_y")
    with code.loop(of("kernel_depth")) as kz, code.loop(of("kernel_y")) as ky:
        oz, is_plane = meets(z - kz * of("dilation_depth"), "depth", of("out_depth"))
        oy, is_row = meets(y - ky * of("dilation_y"), "y", of("out_height"))
        with code.when(code.build.and_(is_plane, is_row)):
            place = pairs + found.get() * 2
            out_row = (oz * of("out_height") + oy) * of("out_pitch") + of("lead")
            tap = (kz * of("kernel_y") + ky) * of("kernel_x")
            code.build.store(out_row.value, place.value, align=8)
            code.build.store(tap.value, (place + 1).value, align=8)
            found.set(found.get() + 1)
    return Int(code.build, found.get().value)
