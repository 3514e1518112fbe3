"""Rows of the input as pooling wants them: split into phases, with what never counts around them.

Position p of a padded row goes to place ``p // stride`` of phase ``p % stride``, so that every tap
of a window is one distance in memory, whatever the stride. What lies outside of the input is -inf
for a maximum and 0 for a mean; it is written once, and no row overwrites it with anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.phases import dealt, filled
from faltung.kernels.simd import I64, INT, INTS, Code, Int, Pointer, Vector

UNROLLED: Final = 9
"""Rows of a window, or columns, that are written out; more are looped over."""

FIELDS: Final = (
    *("x", "y", "dout", "dx", "scratch", "bases", "offsets", "columns", "rows", "numbers", "flags"),
    *("depth", "height", "width", "plane", "crop", "inside"),
    *("out_depth", "out_height", "out_width", "kernel_depth", "kernel_y", "kernel_x"),
    *("stride_depth", "stride_y", "dilation_depth", "dilation_y", "pad_depth", "pad_y"),
    *("strips", "units", "together", "row_pitch", "lead", "out_pitch"),
    *("empty_offset", "phases_offset", "phases_size", "winners_offset", "gradients_offset"),
    *("pairs_offset", "scratch_size"),
)
"""What a block is told, in this order. ``crop`` columns are left out before the ``inside`` others;
``bases`` says where each column's phase begins, ``offsets`` where each tap is."""


def field(arguments: Pointer, name: str) -> Int:
    """Read one of the `FIELDS`."""
    return arguments[FIELDS.index(name)]


def outside(code: Code, is_max: bool) -> Vector:
    """Return what padding counts as."""
    return code.constant(float("-inf") if is_max else 0.0)


def fill(code: Code, out: Pointer, count: Int, value: Vector) -> None:
    """Write one number so many times, and touch nothing else."""
    whole = count // code.lanes * code.lanes
    with code.loop(whole, step=code.lanes) as i:
        code.store(out + i, value)
    code.store_some(code.first(count - whole), out + whole, value)


@kernel(arguments=INTS, table=INTS, plane=INT, first_z=INT, first_y=INT, nothing=INT)
def window_rows(
    code: Code,
    arguments: Pointer,
    table: Pointer,
    plane: Int,
    first_z: Int,
    first_y: Int,
    nothing: Int,
) -> None:
    """Write the addresses of a window's rows; that of a row of nothing for those outside."""

    def of(name: str) -> Int:
        return field(arguments, name)

    with code.loop(of("kernel_depth")) as kz, code.loop(of("kernel_y")) as ky:
        z, at = first_z + kz * of("dilation_depth"), first_y + ky * of("dilation_y")
        is_plane = code.build.and_(z >= 0, z < of("depth"))
        is_row = code.build.and_(at >= 0, at < of("height"))
        column = ((z * of("height") + at) * of("width") + of("crop")) * code.itemsize
        address = code.choose(code.build.and_(is_plane, is_row), plane + column, nothing)
        place = table + (kz * of("kernel_y") + ky)
        code.build.store(address.value, place.value, align=8)


def split_row(
    code: Code,
    arguments: Pointer,
    phases: Pointer,
    stride: int,
    is_max: bool,
    read: Callable[[Int, Callable[[Pointer], Vector]], Vector],
) -> None:
    """Write a row to its phases; `read` gives it a vector at a column, by the load it is told."""
    width, lanes = field(arguments, "inside"), code.lanes
    bases = code.ints(code.address(field(arguments, "bases")))

    def some(x: Int, load: Callable[[int], Callable[[Pointer], Vector]]) -> None:
        parts = [read(x + p * lanes, load(p)) for p in range(stride)]
        for e in range(stride):
            code.store(phases + (bases[e] + x // stride), dealt(code, parts, e))

    whole = width // (stride * lanes) * (stride * lanes)
    with code.loop(whole, step=stride * lanes) as x:
        some(x, lambda p: code.load)
    with code.when(width > whole):
        nothing, masks = outside(code, is_max), []
        masks = [code.first(width - whole - p * lanes) for p in range(stride)]
        some(whole, lambda p: lambda place: filled(code, masks[p], place, nothing))


def unrolled(code: Code, count: Int, constant: int) -> Iterator[Int]:
    """Give ``range(count)``: written out where the count is known to the compiler, else looped."""
    if constant:
        yield from (code.integer(i) for i in range(constant))
        return
    with code.loop(count) as i:
        yield i


def as_integer(code: Code, place: Pointer) -> Int:
    """Return an address as an integer."""
    return Int(code.build, code.build.ptrtoint(place.value, I64))


def shared_units(code: Code, arguments: Pointer, block: Int) -> Iterator[Int]:
    """Give the units of a block."""
    first = block * field(arguments, "together")
    last = (first + field(arguments, "together")).at_most(field(arguments, "units"))
    with code.loop(last, start=first) as unit:
        yield unit
