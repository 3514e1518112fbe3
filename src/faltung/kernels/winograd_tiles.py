"""The transforms of Winograd's tiles, on vectors as on numbers; see `faltung.kernels.winograd`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from faltung.kernels.compiled import kernel
from faltung.kernels.cook_toom import Matrix, cook_toom
from faltung.kernels.linear import shared_rows, times
from faltung.kernels.simd import INT, POINTER, Code, Int, Pointer, Vector

Square = list[list[Vector]]


def both_ways(code: Code, matrix: Matrix, square: Square) -> Square:
    """Return ``M x Mᵀ`` for a square of vectors, M constant."""
    columns = [times(code, matrix, list(column)) for column in zip(*square, strict=True)]
    return [times(code, matrix, list(row)) for row in zip(*columns, strict=True)]


class Rows(NamedTuple):
    """A block's rows of tiles of one phase: the first, how many, how many of others come before."""

    phase: Int
    first: Int
    many: Int
    before: Int


@contextmanager
def each_phase(code: Code, size: Int, first_row: Int, rows: Int) -> Iterator[Rows]:
    """Give a block's rows of tiles phase by phase; each phase has a size."""
    end = first_row + rows
    with code.loop((end - 1) // size + 1, start=first_row // size) as phase:
        first = first_row.at_least(phase * size)
        last = end.at_most((phase + 1) * size)
        yield Rows(phase, first - phase * size, last - first, first - first_row)


@contextmanager
def each_tile(code: Code, count: Int, apart: int, outputs: int) -> Iterator[tuple[Int, Int]]:
    """Give each tile of a row, and its first pixel: tiles of so many phases take turns."""
    with code.loop((count + (apart - 1)) // apart) as turn:
        first = turn * apart
        with code.loop((count - first).at_most(apart)) as phase:
            yield first + phase, first * outputs + phase


@kernel(strip=POINTER, points=POINTER, pitch=INT, distance=INT, count=INT)
def to_points(
    code: Code,
    strip: Pointer,
    points: Pointer,
    pitch: Int,
    distance: Int,
    count: Int,
    *,
    outputs: int,
    taps: int,
    apart: int = 1,
    spread: int = 1,
) -> None:
    """``V = Bᵀ x B`` for tiles beside each other; rows are a ``pitch``, points a ``distance``.

    A tile's pixels are so many ``apart``; between them lie those of other tiles. With `spread`,
    every so-many-th pixel is one of these tiles' at all.
    """
    form = cook_toom(outputs, taps)
    every, step = range(form.size), apart * spread * code.lanes
    with each_tile(code, count, apart, outputs) as (tile, pixel):
        corner = strip + pixel * (spread * code.lanes)
        to = points + tile * code.lanes
        # A few rows of points at a time, read anew for each: all of them would not fit registers,
        # and a cache reads twice as many vectors in a cycle as it writes.
        for group in shared_rows(form.from_input):
            needed = [i for i in every if any(form.from_input[row][i] for row in group)]
            matrix = [tuple(form.from_input[row][i] for i in needed) for row in group]
            columns = [[code.load(corner + pitch * i + j * step) for i in needed] for j in every]
            mixed = [times(code, matrix, column) for column in columns]
            for i, row in zip(group, zip(*mixed, strict=True), strict=True):
                for j, vector in enumerate(times(code, form.from_input, list(row))):
                    code.store(to + distance * (i * form.size + j), vector)


@kernel(
    sums=POINTER,
    strip=POINTER,
    bias=POINTER,
    pitch=INT,
    distance=INT,
    strip_pitch=INT,
    count=INT,
)
def from_points(
    code: Code,
    sums: Pointer,
    strip: Pointer,
    bias: Pointer,
    pitch: Int,
    distance: Int,
    strip_pitch: Int,
    count: Int,
    *,
    outputs: int,
    taps: int,
    apart: int = 1,
    spread: int = 1,
) -> None:
    """``y = Aᵀ S A + bias`` for tiles beside each other, whose sums are a ``pitch`` apart.

    `apart` and `spread` are those of `to_points`.
    """
    form = cook_toom(outputs, taps)
    size, start = form.size, code.load(bias)
    every, step = range(size), apart * spread * code.lanes
    with each_tile(code, count, apart, outputs) as (tile, pixel):
        at = sums + tile * pitch
        square = [[code.load(at + distance * (i * size + j)) for j in every] for i in every]
        to = strip + pixel * (spread * code.lanes)
        for i, row in enumerate(both_ways(code, form.to_output, square)):
            for j, vector in enumerate(row):
                code.store(to + strip_pitch * i + j * step, vector + start)


@kernel(source=POINTER, plane=INT, channels=INT, count=INT)
def fetch(
    code: Code, source: Pointer, plane: Int, channels: Int, count: Int, *, writes: bool
) -> None:
    """Tell the CPU that so many numbers of so many planes are needed soon."""
    with code.loop(channels) as c, code.loop(count, step=64 // code.itemsize) as q:
        code.prefetch(source + (plane * c + q), writes=writes)
