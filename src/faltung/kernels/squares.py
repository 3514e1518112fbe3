"""Small squares of vectors, and constant matrices that they are multiplied with on both sides.

Winograd's form has the same step three times: a square of numbers, for as many channels as there
are lanes, becomes ``M s Mᵀ`` with a constant M, of other size. Here it is for squares that lie in
memory anywhere, and for all tiles of some rows of a plane.
"""

from __future__ import annotations

from faltung.kernels.compiled import kernel
from faltung.kernels.cook_toom import Matrix, cook_toom
from faltung.kernels.interleave import row_to_lanes
from faltung.kernels.linear import times
from faltung.kernels.simd import INT, POINTER, Code, Int, Pointer

Which = tuple[str, int, int]
"""A matrix of `cook_toom`: its name, and for how many outputs and taps it is."""


def matrix_of(which: Which) -> Matrix:
    """Return a constant matrix by what a kernel is compiled with."""
    name, outputs, taps = which
    matrix: Matrix = getattr(cook_toom(outputs, taps), name)
    return matrix


@kernel(source=POINTER, row=INT, column=INT, out=POINTER, out_row=INT, out_column=INT)
def both_ways(
    code: Code,
    source: Pointer,
    row: Int,
    column: Int,
    out: Pointer,
    out_row: Int,
    out_column: Int,
    *,
    which: Which,
) -> None:
    """``out = M source Mᵀ``; neighbours are ``row`` and ``column`` numbers apart."""
    matrix = matrix_of(which)
    side = range(len(matrix[0]))
    half = [
        times(code, matrix, [code.load(source + row * i + column * j) for i in side]) for j in side
    ]
    for i in range(len(matrix)):
        for j, vector in enumerate(times(code, matrix, [half[k][i] for k in side])):
            code.store(out + out_row * i + out_column * j, vector)


@kernel(
    *(row_to_lanes, both_ways),
    plane=POINTER,
    strip=POINTER,
    out=POINTER,
    channel=INT,
    channels=INT,
    first_row=INT,
    first_column=INT,
    height=INT,
    width=INT,
    tile_rows=INT,
    tile_columns=INT,
    distance=INT,
)
def plane_to_points(
    code: Code,
    plane: Pointer,
    strip: Pointer,
    out: Pointer,
    channel: Int,
    channels: Int,
    first_row: Int,
    first_column: Int,
    height: Int,
    width: Int,
    tile_rows: Int,
    tile_columns: Int,
    distance: Int,
    *,
    which: Which,
    step: int,
) -> None:
    """Write ``M t Mᵀ`` for tiles that are `step` apart, entries a ``distance`` apart.

    Up to `lanes` channels lie ``channel`` numbers apart; zeros are around them. ``strip`` is
    working memory for the rows that the tiles read, as rows of lanes.
    """
    matrix = matrix_of(which)
    more = len(matrix[0]) - step
    columns = tile_columns * step + more
    pitch = (columns + code.lanes) * code.lanes

    lap = pitch * step

    def filled(first: Int | int, into: int, count: int) -> None:
        """Interleave some rows of the input into rows of the strip."""
        with code.loop(count) as i:
            at = first_row + first + i
            is_inside = code.build.and_(at >= 0, at < height)
            # A row outside is one of no size: everything that is read of it is padding.
            size = code.choose(is_inside, width, code.integer(0))
            row = code.choose_place(is_inside, plane + at * width, plane)
            to = strip + (i + into) * pitch
            row_to_lanes.call_apart(code, row, to, channel, channels, first_column, size, columns)

    filled(0, 0, more)
    with code.loop(tile_rows) as y:
        filled(y * step + more, more, step)
        with code.loop(tile_columns) as x:
            corner = strip + x * (step * code.lanes)
            to = out + (y * tile_columns + x) * code.lanes
            points = (to, distance * len(matrix), distance)
            both_ways.call_apart(
                code, corner, pitch, code.integer(code.lanes), *points, which=which
            )
        # What the next row of tiles reads too moves to the front: the strip stays in the nearest
        # cache.
        with code.loop(pitch * more, step=code.lanes) as i:
            code.store(strip + i, code.load(strip + lap + i))
