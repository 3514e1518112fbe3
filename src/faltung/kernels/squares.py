"""Small squares of vectors, and constant matrices that they are multiplied with on both sides.

Winograd's form has the same step three times: a square of numbers, for as many channels as there
are lanes, becomes ``M s Mᵀ`` with a constant M, of other size. Here it is for a square that lies in
memory anywhere, and for all tiles of some rows of a plane.
"""

from __future__ import annotations

from faltung.kernels.ahead import to_a_boundary
from faltung.kernels.compiled import kernel
from faltung.kernels.cook_toom import Matrix, cook_toom
from faltung.kernels.interleave import square_to_lanes
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
    square_to_lanes,
    plane=POINTER,
    pixels=POINTER,
    halves=POINTER,
    nothing=POINTER,
    out=POINTER,
    channel=INT,
    channels=INT,
    first_row=INT,
    pad=INT,
    height=INT,
    width=INT,
    tile_rows=INT,
    tile_columns=INT,
    distance=INT,
)
def plane_to_points(
    code: Code,
    plane: Pointer,
    pixels: Pointer,
    halves: Pointer,
    nothing: Pointer,
    out: Pointer,
    channel: Int,
    channels: Int,
    first_row: Int,
    pad: Int,
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

    Up to `lanes` channels lie ``channel`` numbers apart; zeros are around them, ``pad`` of them
    before a row. Rows of tiles are multiplied with M down their columns, once for each column
    though tiles overlap, then along. ``pixels`` is working memory for the rows that the tiles read
    as rows of lanes, and two squares more; ``halves`` for a row of tiles in between; ``nothing`` a
    row of zeros.
    """
    matrix, lanes = matrix_of(which), code.lanes
    size, more = len(matrix[0]), len(matrix[0]) - step
    columns = tile_columns * step + more
    pitch = columns * lanes
    lead = pad.at_least(0).at_most(columns)
    end = (pad + width).at_least(lead).at_most(columns)
    for i in range(len(matrix)):
        for begin, stop in ((code.integer(0), lead), (end, columns)):
            with code.loop(stop, start=begin) as q:
                code.store(halves + (i * pitch + q * lanes), code.constant(0.0))
    top = first_row.at_least(0).at_most(height)
    bottom = (first_row + tile_rows * step + more).at_most(height).at_least(top)
    source, count = plane + top * width, (bottom - top) * width
    # Channels that lie whole pages apart share the lines of the nearest cache, which holds fewer
    # of them than there are lanes: so each vector is read from one line.
    aside = to_a_boundary(code, source).at_most(count)
    with code.when(aside > 0):
        square_to_lanes.call_apart(code, source, pixels, channel, channels, aside)
    filled = code.variable(aside)
    with code.loop(tile_rows) as y:
        row = first_row + y * step
        needed = (row + size).at_most(bottom).at_least(top) - top
        with code.loop(needed * width, start=filled.get(), step=lanes) as q:
            to = pixels + q * lanes
            square_to_lanes.call_apart(code, source + q, to, channel, channels, count - q)
            filled.set(q + lanes)
        rows = []
        for i in range(size):
            at = row + i
            is_inside = code.build.and_(at >= top, at < bottom)
            rows.append(code.choose_place(is_inside, pixels + (at - top) * width * lanes, nothing))
        with code.loop(end, start=lead) as q:
            column = [code.load(begin + (q - pad) * lanes) for begin in rows]
            for i, vector in enumerate(times(code, matrix, column)):
                code.store(halves + (i * pitch + q * lanes), vector)
        to = out + y * tile_columns * lanes
        with code.loop(len(matrix)) as p, code.loop(tile_columns) as x:
            corner = halves + (p * pitch + x * (step * lanes))
            line = [code.load(corner + j * lanes) for j in range(size)]
            for j, vector in enumerate(times(code, matrix, line)):
                code.store(to + ((p * len(matrix) + j) * distance + x * lanes), vector)
