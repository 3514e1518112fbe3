"""Strips: the input that some rows of output need, copied once so that every tap is one distance.

A strip has zeros where there is padding. With a stride it is split into phases: all columns that
are congruent modulo the stride lie together, and rows alike, so that neighbours among the outputs
read neighbours in memory. A strip's axes are ``[channel][kz][phase][row][column]``.
"""

from __future__ import annotations

from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer, Vector

FIELDS: Final = (
    *("x", "w", "bias", "y", "scratch", "offsets", "phases"),
    *("depth", "height", "width", "out_depth", "out_height", "out_width"),
    *("kernel_depth", "stride_depth", "stride_y", "stride_x", "dilation_depth"),
    *("pad_depth", "pad_y", "pad_x"),
    *("groups", "group_in", "group_out", "taps", "phase_count"),
    *("strips", "strip_rows", "plane_rows", "pitch", "scratch_size", "out_offset", "out_pitch"),
)
"""What a block is told, in this order: addresses, sizes, and how the strip lies."""


def field(arguments: Pointer, name: str, more: tuple[str, ...] = ()) -> Int:
    """Read one of the `FIELDS`, or of those that a kernel has beside them."""
    return arguments[(*FIELDS, *more).index(name)]


@kernel(source=POINTER, out=POINTER, first=INT, size=INT, count=INT, stride=INT)
def copy_row(
    code: Code, source: Pointer, out: Pointer, first: Int, size: Int, count: Int, stride: Int
) -> None:
    """Copy the positions ``first + j * stride`` of a row, j < count; 0 where they are outside."""
    with code.loop(count) as j:
        at = first + j * stride
        is_inside = code.build.and_(at >= 0, at < size)
        code.store_number(out + j, code.load_number(source + at, is_inside))


@kernel(source=POINTER, out=POINTER, first=INT, size=INT, count=INT)
def copy_dense_row(
    code: Code, source: Pointer, out: Pointer, first: Int, size: Int, count: Int
) -> None:
    """Copy ``count`` positions from ``first`` on; 0 where they are outside the row."""
    lead = (0 - first).at_least(0).at_most(count)
    inside = (size - first).at_most(count).at_least(lead) - lead
    zeros(code, out, lead)
    copy(code, source + (first + lead), out + lead, inside)
    zeros(code, out + (lead + inside), count - lead - inside)


@kernel(source=POINTER, out=POINTER, first=INT, size=INT, count=INT, plane=INT)
def split_row(
    code: Code,
    source: Pointer,
    out: Pointer,
    first: Int,
    size: Int,
    count: Int,
    plane: Int,
    *,
    split: int,
) -> None:
    """Copy a row to 2 or 4 planes in turn, ``count`` positions to each; 0 outside the row.

    ``plane`` is the distance between the planes.
    """
    with code.loop(count, step=code.lanes) as j:
        at = first + j * split
        end = at + split * code.lanes
        is_whole = code.build.and_(at >= 0, end <= size)
        parts = [code.variable(code.constant(0.0)) for _ in range(split)]
        with code.either(is_whole) as (whole, border):
            with whole:
                for i, part in enumerate(parts):
                    part.set(code.load(source + (at + i * code.lanes)))
            with border:
                for i, part in enumerate(parts):
                    here = at + i * code.lanes
                    part.set(code.load_some(code.between(0 - here, size - here), source + here))
        for i, phase in enumerate(_split(code, [part.get() for part in parts])):
            code.store_some(code.first(count - j), out + (plane * i + j), phase)


def _split(code: Code, parts: list[Vector]) -> list[Vector]:
    """Deal numbers out in turn: 2 or 4 vectors to as many."""
    lanes = code.lanes
    if len(parts) == 2:
        a, b = parts
        return [code.shuffle(a, b, [2 * i + p for i in range(lanes)]) for p in (0, 1)]
    halves = [_split(code, parts[:2]), _split(code, parts[2:])]
    evens, odds = ([halves[0][p], halves[1][p]] for p in (0, 1))
    (zero, two), (one, three) = _split(code, evens), _split(code, odds)
    return [zero, one, two, three]


def copy(code: Code, source: Pointer, out: Pointer, count: Int) -> None:
    """Copy so many numbers, and touch nothing else."""
    whole = count // code.lanes * code.lanes
    with code.loop(whole, step=code.lanes) as i:
        code.store(out + i, code.load(source + i))
    rest = code.first(count - whole)
    code.store_some(rest, out + whole, code.load_some(rest, source + whole))


def zeros(code: Code, out: Pointer, count: Int) -> None:
    """Write so many zeros, and touch nothing else."""
    zero = code.constant(0.0)
    with code.loop(count, step=code.lanes) as i:
        code.store_some(code.first(count - i), out + i, zero)


@kernel(
    *(copy_row, copy_dense_row, split_row),
    arguments=INTS,
    plane=POINTER,
    out=POINTER,
    z=INT,
    first_row=INT,
)
def pack_planes(
    code: Code,
    arguments: Pointer,
    plane: Pointer,
    out: Pointer,
    z: Int,
    first_row: Int,
    *,
    split: int,
) -> None:
    """Copy what the rows of one channel need, plane by plane, phase by phase.

    ``split`` is 1 where columns lie as they are, 2 or 4 where all phases are dealt out at once, and
    0 where each phase is copied by itself.
    """

    def of(name: str) -> Int:
        return field(arguments, name)

    phases = code.ints(code.address(of("phases")))
    size, count = of("plane_rows") * of("pitch"), of("phase_count")
    together = max(1, split)
    with code.loop(of("kernel_depth")) as kz, code.loop(count, step=together) as p:
        at_z = z + kz * of("dilation_depth")
        py, px = phases[p * 2], phases[p * 2 + 1]
        to = out + (kz * count + p) * size
        with code.loop(of("plane_rows")) as r:
            at_y = (first_row + r) * of("stride_y") + py - of("pad_y")
            is_plane = code.build.and_(at_z >= 0, at_z < of("depth"))
            is_row = code.build.and_(at_y >= 0, at_y < of("height"))
            is_inside = code.build.and_(is_plane, is_row)
            # A row outside is one of no size: everything that is read of it is padding.
            width = code.choose(is_inside, of("width"), code.integer(0))
            row = plane + (at_z * of("height") + at_y) * of("width")
            row = code.choose_place(is_inside, row, plane)
            given = (row, to + r * of("pitch"), px - of("pad_x"), width, of("pitch"))
            if split == 1:
                copy_dense_row.call(code, *given)
            elif split:
                split_row.call(code, *given, size, split=split)
            else:
                copy_row.call(code, *given, of("stride_x"))
