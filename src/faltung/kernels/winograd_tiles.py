"""The transforms of Winograd's tiles, on vectors as on numbers; see `faltung.kernels.winograd`."""

from __future__ import annotations

from faltung.kernels.compiled import kernel
from faltung.kernels.cook_toom import Matrix, cook_toom
from faltung.kernels.linear import shared_rows, times
from faltung.kernels.simd import INT, POINTER, Code, Int, Pointer, Vector

Square = list[list[Vector]]


def both_ways(code: Code, matrix: Matrix, square: Square) -> Square:
    """Return ``M x Mᵀ`` for a square of vectors, M constant."""
    columns = [times(code, matrix, list(column)) for column in zip(*square, strict=True)]
    return [times(code, matrix, list(row)) for row in zip(*columns, strict=True)]


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
) -> None:
    """``V = Bᵀ x B`` for tiles beside each other; rows are a ``pitch``, points a ``distance``."""
    form = cook_toom(outputs, taps)
    every = range(form.size)
    with code.loop(count) as tile:
        corner = strip + tile * (outputs * code.lanes)
        to = points + tile * code.lanes
        # A few rows of points at a time, read anew for each: all of them would not fit registers,
        # and a cache reads twice as many vectors in a cycle as it writes.
        for group in shared_rows(form.from_input):
            needed = [i for i in every if any(form.from_input[row][i] for row in group)]
            matrix = [tuple(form.from_input[row][i] for i in needed) for row in group]
            columns = [
                [code.load(corner + pitch * i + j * code.lanes) for i in needed] for j in every
            ]
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
) -> None:
    """``y = Aᵀ S A + bias`` for tiles beside each other, whose sums are a ``pitch`` apart."""
    form = cook_toom(outputs, taps)
    size, start = form.size, code.load(bias)
    every = range(size)
    with code.loop(count) as tile:
        at = sums + tile * pitch
        square = [[code.load(at + distance * (i * size + j)) for j in every] for i in every]
        to = strip + tile * (outputs * code.lanes)
        for i, row in enumerate(both_ways(code, form.to_output, square)):
            for j, vector in enumerate(row):
                code.store(to + strip_pitch * i + j * code.lanes, vector + start)
