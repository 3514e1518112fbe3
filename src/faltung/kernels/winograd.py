"""Winograd's convolution: tiles of outputs from fewer products, tiles in the lanes.

A tile is ``m × m`` outputs; it needs ``n × n`` inputs, n = m + r - 1. With `cook_toom`'s matrices::

    V = Bᵀ x B,   U = G w Gᵀ,   y = Aᵀ [Σ over channels U ⊙ V] A

The sum over channels is, for each of the n² points, a matrix product: `direct.sums` with one tap
for each channel. What makes all loads contiguous: tiles are m apart, so a strip that is split into
m × m phases holds each of the n × n inputs of neighbouring tiles side by side. So the strip is that
of a convolution with kernel n and stride m, and neighbours in a lane are neighbouring tiles.

A block is some rows of tiles of one image and group, and some of its output channels. Rounding
inside a tile depends on all of its inputs, so tiles are anchored at the output's origin.
"""

from __future__ import annotations

from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.cook_toom import Matrix, cook_toom
from faltung.kernels.direct import sums
from faltung.kernels.linear import times
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer, Vector
from faltung.kernels.strips import field, pack_planes

Square = list[list[Vector]]

MORE: Final = (
    *("tile_rows", "tile_columns", "in_plane", "out_plane", "distance", "zeros"),
    *("parts", "part_panels", "inputs_offset", "products_offset"),
)
"""What a block is told beside `strips.FIELDS`."""


def both_ways(code: Code, matrix: Matrix, square: Square) -> Square:
    """Return ``M x Mᵀ`` for a square of vectors, M constant."""
    columns = [times(code, matrix, list(column)) for column in zip(*square, strict=True)]
    return [times(code, matrix, list(row)) for row in zip(*columns, strict=True)]


@kernel(strip=POINTER, points=POINTER, pitch=INT, plane=INT, distance=INT, count=INT)
def to_points(
    code: Code,
    strip: Pointer,
    points: Pointer,
    pitch: Int,
    plane: Int,
    distance: Int,
    count: Int,
    *,
    outputs: int,
    taps: int,
) -> None:
    """``V = Bᵀ x B`` for one channel's tiles: ``count`` of them, points a ``distance`` apart."""
    form = cook_toom(outputs, taps)
    with code.loop(count, step=code.lanes) as q:

        def pixels(i: int, j: int) -> Vector:
            phase = (i % outputs) * outputs + j % outputs
            return code.load(strip + (plane * phase + pitch * (i // outputs) + (q + j // outputs)))

        square = [[pixels(i, j) for j in range(form.size)] for i in range(form.size)]
        found = both_ways(code, form.from_input, square)
        for i, row in enumerate(found):
            for j, vector in enumerate(row):
                code.store(points + (distance * (i * form.size + j) + q), vector)


@kernel(
    products=POINTER,
    out=POINTER,
    bias=POINTER,
    distance=INT,
    columns=INT,
    rows=INT,
    width=INT,
)
def from_points(
    code: Code,
    products: Pointer,
    out: Pointer,
    bias: Pointer,
    distance: Int,
    columns: Int,
    rows: Int,
    width: Int,
    *,
    outputs: int,
    taps: int,
) -> None:
    """``y = Aᵀ P A + bias`` for a vector of tiles that lie in one row of tiles.

    ``out`` is where the first tile's corner goes in an image so wide; ``columns`` and ``rows``
    are the outputs that there are from there on: what tiles compute past them is not written.
    """
    form = cook_toom(outputs, taps)
    size = form.size
    square = [
        [code.load(products + distance * (i * size + j)) for j in range(size)] for i in range(size)
    ]
    start = code.broadcast(bias)
    found = both_ways(code, form.to_output, square)
    for i, row in enumerate(found):
        with code.when(rows > i):
            place = out + width * i
            for part, vector in enumerate(deal(code, [v + start for v in row])):
                here = part * code.lanes
                code.store_some(code.first(columns - here), place + here, vector)


def deal(code: Code, parts: list[Vector]) -> list[Vector]:
    """Return numbers taken from 2 or 4 vectors in turn: what `strips` splits, put together."""
    lanes = code.lanes
    if len(parts) == 2:
        a, b = parts
        halves = (range(lanes // 2), range(lanes // 2, lanes))
        return [code.shuffle(a, b, [at for i in half for at in (i, lanes + i)]) for half in halves]
    evens, odds = deal(code, [parts[0], parts[2]]), deal(code, [parts[1], parts[3]])
    return [vector for pair in zip(evens, odds, strict=True) for vector in deal(code, list(pair))]


@kernel(
    *(pack_planes, to_points, sums, from_points),
    arguments=INTS,
    block=INT,
    thread=INT,
)
def winograd_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    outputs: int,
    taps: int,
    channels: int,
    vectors: int,
) -> None:
    """One block: pack, transform, sum over channels at every point, transform back."""

    def of(name: str) -> Int:
        return field(arguments, name, MORE)

    form = {"outputs": outputs, "taps": taps}
    points = cook_toom(outputs, taps).size ** 2
    part, rest = block % of("parts"), block // of("parts")
    strip, rest = rest % of("strips"), rest // of("strips")
    group, image = rest % of("groups"), rest // of("groups")
    first_row = strip * of("strip_rows")
    rows = of("strip_rows").at_most(of("tile_rows") - first_row)
    length = (rows - 1) * of("pitch") + of("tile_columns")
    scratch = code.address(of("scratch")) + thread * of("scratch_size")
    inputs, products = scratch + of("inputs_offset"), scratch + of("products_offset")
    group_in, distance = of("group_in"), of("distance")
    source = code.address(of("x")) + (image * of("groups") + group) * group_in * of("in_plane")
    plane = of("plane_rows") * of("pitch")
    with code.loop(group_in) as c:
        channel = source + c * of("in_plane")
        pack_planes.call(
            code, arguments, channel, scratch, code.integer(0), first_row, split=outputs
        )
        to = inputs + c * distance
        to_points.call(code, scratch, to, of("pitch"), plane, group_in * distance, length, **form)
    offsets = code.ints(code.address(of("offsets")))
    panels = (of("group_out") + (channels - 1)) // channels
    first_panel = part * of("part_panels")
    last_panel = (first_panel + of("part_panels")).at_most(panels)
    with code.loop(last_panel, start=first_panel) as panel:
        number = group * panels + panel
        weights = code.address(of("w")) + number * (points * channels) * group_in
        with code.loop(points) as point, code.loop(length, step=vectors * code.lanes) as q:
            w = weights + point * group_in * channels
            v = inputs + (point * group_in * distance + q)
            to = products + (point * channels * distance + q)
            given = (v, w, code.address(of("zeros")), to, offsets, group_in, distance)
            sums.call(code, *given, channels=channels, vectors=vectors)
        bias = code.address(of("bias")) + number * channels
        first = panel * channels
        left = (of("group_out") - first).at_most(channels)
        base = (image * of("groups") + group) * of("group_out") + first
        with code.loop(left) as k, code.loop(rows) as r:
            y = (first_row + r) * outputs
            to = code.address(of("y")) + (base + k) * of("out_plane") + y * of("out_width")
            row = products + (k * distance + r * of("pitch"))
            with code.loop(of("tile_columns"), step=code.lanes) as q:
                x = q * outputs
                place = (row + q, to + x, bias + k, channels * distance)
                room = (of("out_width") - x, of("out_height") - y, of("out_width"))
                from_points.call(code, *place, *room, **form)
