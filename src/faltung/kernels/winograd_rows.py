"""Winograd's form down the rows, pixels in the lanes: for layers with few input channels.

With few channels there is little to sum at each point, and transforms on both axes cost more than
the products that they save. On one axis alone they do not: the taps of one column of the kernel
are a short correlation down a column of pixels, and with `cook_toom`'s matrices for ``m`` rows::

    y[rows, q] = Aᵀ [Σ over channels c and columns k  (G w[c, :, k]) ⊙ (Bᵀ x[c, rows, q + k])]

Lanes hold neighbours in a row, so Bᵀ adds whole rows, Aᵀ adds sums that are still in registers, and
what comes out are whole rows again: nothing is transposed, and no sum is ever put down.

A block of work is the ``m`` rows of one row of tiles, or a segment of them, and all output
channels of a group. Its inputs are transformed once, a copy for each column of the kernel, so that
no load crosses two lines of the cache::

    points[block of columns][channel, kernel column][point][pixel]

A signal has one row. Its samples are dealt out to ``m`` rows, one after the other as cards are, and
taken up again at the end: a tile is ``m`` samples in a row, and lanes hold neighbouring tiles. Of a
longer kernel, every three taps are what a column is of an image's.
"""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir

from faltung.kernels.compiled import kernel
from faltung.kernels.cook_toom import cook_toom
from faltung.kernels.epilogue import activated
from faltung.kernels.fold import narrowed, widened
from faltung.kernels.linear import times
from faltung.kernels.phases import dealt, inside, woven
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer, Vector

FIELDS: Final = (
    *("x", "w", "bias", "y", "residual", "scratch"),
    *("groups", "group_in", "group_out", "kernel_x", "pad_y", "pad_x"),
    *("height", "width", "in_plane", "out_height", "out_width", "out_plane"),
    *("tile_rows", "tile_columns", "segments", "segment", "near", "scratch_size"),
)
"""What a block is told, in this order: addresses, sizes, how work is cut."""

WEIGHT_FIELDS: Final = (
    *("x", "packed", "group_in", "group_out", "kernel_x", "row_step", "column_step"),
    *("in_step", "out_step", "group_step", "scratch_size"),
)
"""What `transform_columns` is told: ``x`` are the weights, steps lie between what they are of."""


@kernel(arguments=INTS, block=INT, thread=INT)
def transform_columns(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    outputs: int,
    taps: int,
    flips: bool,
) -> None:
    """Transform the weights of one output channel: ``[channel, kernel column][point]``.

    With `flips` the kernel is turned round, for the gradient of the input.
    """
    x, packed, group_in, group_out, columns, *steps = (arguments[i] for i in range(10))
    form, terms = cook_toom(outputs, taps), group_in * columns
    wide = ir.VectorType(ir.DoubleType(), code.lanes)
    row_step, column_step, in_step, out_step, group_step = steps
    own = block // group_out * group_step + block % group_out * out_step
    to = code.address(packed) + block * (terms * form.size)
    with code.loop(group_in) as c, code.loop(columns) as kx:
        w = code.address(x) + (own + c * in_step)
        places = [row_step * ky + column_step * kx for ky in range(taps)]
        if flips:
            places = [columns * taps - 1 - place for place in places]
        numbers = [widened(code, code.broadcast(w + place)) for place in places]
        for first in range(0, form.size, code.lanes):
            here = form.from_weights[first : first + code.lanes]
            total = Vector(code.build, ir.Constant(wide, [0.0] * code.lanes))
            for number, entries in zip(numbers, zip(*here, strict=True), strict=True):
                lanes = [*map(float, entries), *[0.0] * (code.lanes - len(here))]
                total = total + number * Vector(code.build, ir.Constant(wide, lanes))
            place = to + ((c * columns + kx) * form.size + first)
            code.store_some(code.first(len(here)), place, narrowed(code, total))


@kernel(arguments=INTS, x=POINTER, points=POINTER, first_row=INT, first_column=INT, columns=INT)
def transform_rows(
    code: Code,
    arguments: Pointer,
    x: Pointer,
    points: Pointer,
    first_row: Int,
    first_column: Int,
    columns: Int,
    *,
    outputs: int,
    taps: int,
    vectors: int,
    deals: bool,
) -> None:
    """``Bᵀ x`` for so many columns of one row of tiles, of all channels of a group."""

    def of(name: str) -> Int:
        return field(arguments, name)

    form, row, together = cook_toom(outputs, taps), of("width"), vectors * code.lanes
    terms = of("group_in") * of("kernel_x")
    top = first_row - of("pad_y")
    sizes = []
    for i in range(form.size):
        is_inside = code.build.and_(top + i >= 0, top + i < of("height"))
        # A row outside is one of no size: everything that is read of it is padding.
        sizes.append(code.choose(is_inside, row, code.integer(0)))

    def down(plane: Pointer, at: Int) -> list[Vector]:
        """Return the rows of a tile, for as many columns as there are lanes."""
        return [
            code.load_some(inside(code, at, size), plane + ((top + i) * row + at))
            for i, size in enumerate(sizes)
        ]

    def along(plane: Pointer, at: Int) -> list[Vector]:
        """Return the same of one row: every so many numbers of it, and those that follow."""
        starts = [at + i * code.lanes for i in range(outputs)]
        found = []
        for more in range(0, form.size, outputs):
            parts = [
                code.load_some(inside(code, start + more, row), plane + (start + more))
                for start in starts
            ]
            rest = min(outputs, form.size - more)
            found += [dealt(code, parts, phase) for phase in range(rest)]
        return found

    with code.loop((columns + (together - 1)) // together) as b, code.loop(of("group_in")) as c:
        plane = x + c * of("in_plane")
        with code.loop(of("kernel_x")) as kx:
            to = points + (b * terms + c * of("kernel_x") + kx) * (form.size * together)
            for v in range(vectors):
                at = first_column + b * together + v * code.lanes
                if deals:
                    column = along(plane, at * outputs + kx * taps - of("pad_x"))
                else:
                    column = down(plane, at + kx - of("pad_x"))
                for p, vector in enumerate(times(code, form.from_input, column)):
                    code.store(to + (p * together + v * code.lanes), vector)


@kernel(
    points=POINTER,
    w=POINTER,
    bias=POINTER,
    to=POINTER,
    residual=POINTER,
    terms=INT,
    plane=INT,
    row=INT,
    channels_left=INT,
    rows=INT,
    count=INT,
)
def sum_rows(
    code: Code,
    points: Pointer,
    w: Pointer,
    bias: Pointer,
    to: Pointer,
    residual: Pointer,
    terms: Int,
    plane: Int,
    row: Int,
    channels_left: Int,
    rows: Int,
    count: Int,
    *,
    outputs: int,
    taps: int,
    channels: int,
    vectors: int,
    deals: bool,
    activation: tuple[str, float, float],
    adds: bool,
) -> None:
    """Sum at all points for a few channels and vectors of columns, transform back, and write.

    Up to ``count`` pixels of up to ``rows`` rows of up to ``channels_left`` channels are written,
    and nothing else.
    """
    form, lanes, together = cook_toom(outputs, taps), code.lanes, vectors * code.lanes
    cells = [(c, v) for c in range(channels) for v in range(vectors)]
    sums = [[code.variable(code.constant(0.0)) for _ in range(form.size)] for _ in cells]
    with code.loop(terms) as t:
        at, weights = points + t * (form.size * together), w + t * form.size
        for p in range(form.size):
            pixels = [code.load(at + (p * together + v * lanes)) for v in range(vectors)]
            for c in range(channels):
                number = code.broadcast(weights + terms * (c * form.size) + p)
                for v in range(vectors):
                    one = sums[c * vectors + v][p]
                    one.set(code.fma(number, pixels[v], one.get()))
    across = outputs if deals else 1
    masks = [code.first(count - v * lanes) for v in range(vectors * across)]
    is_whole = code.build.and_(channels_left >= channels, count >= together * across)
    if not deals:
        is_whole = code.build.and_(is_whole, rows >= outputs)
    # Where there are fewer channels, the last one's bias is read again.
    start = [code.broadcast(bias + (channels_left - 1).at_most(c)) for c in range(channels)]
    for (c, v), total in zip(cells, sums, strict=True):
        found = times(code, form.to_output, [variable.get() for variable in total])
        found = [vector + start[c] for vector in found]
        for i, value in enumerate(woven(code, found) if deals else found):
            piece, down = (v * outputs + i, 0) if deals else (v, i)
            place, mask = plane * c + row * down + piece * lanes, masks[piece]
            with code.either(is_whole) as (whole, border):
                with whole:
                    rest = value + code.load(residual + place) if adds else value
                    code.store(to + place, activated(code, rest, activation))
                with border, code.when(code.build.and_(channels_left > c, rows > down)):
                    rest = value + code.load_some(mask, residual + place) if adds else value
                    code.store_some(mask, to + place, activated(code, rest, activation))


@kernel(transform_rows, sum_rows, arguments=INTS, block=INT, thread=INT)
def winograd_rows_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    outputs: int,
    taps: int,
    channels: int,
    vectors: int,
    deals: bool,
    activation: tuple[str, float, float] = ("", 0.0, 0.0),
    adds: bool = False,
) -> None:
    """One segment of a row of tiles: transform it, then go over it for all output channels."""

    def of(name: str) -> Int:
        return field(arguments, name)

    form: dict[str, Any] = {"outputs": outputs, "taps": taps, "vectors": vectors, "deals": deals}
    across = outputs if deals else 1
    together, size = vectors * code.lanes, cook_toom(outputs, taps).size
    segment, rest = block % of("segments"), block // of("segments")
    tile_row, image = rest % of("tile_rows"), rest // of("tile_rows")
    group = image % of("groups")
    first_row, first_column = tile_row * outputs, segment * of("segment")
    columns = (of("tile_columns") - first_column).at_most(of("segment"))
    points = code.address(of("scratch")) + thread * of("scratch_size")
    x = code.address(of("x")) + image * of("group_in") * of("in_plane")
    place = (first_row, first_column, columns)
    transform_rows.call_apart(code, arguments, x, points, *place, **form)
    terms, plane, row = of("group_in") * of("kernel_x"), of("out_plane"), of("out_width")
    rows = of("out_height") - first_row
    near = of("near")
    with code.loop((columns + (near - 1)) // near) as part:
        first = part * near
        last = (first + near).at_most(columns)
        with code.loop(of("group_out"), step=channels) as c:
            channel = group * of("group_out") + c
            corner = (image * of("group_out") + c) * plane + first_row * row
            # A few blocks side by side: lines of the cache that two of them share are still near.
            with code.loop(last, step=together, start=first) as q:
                at = (first_column + q) * across
                sum_rows.call(
                    code,
                    points + q * terms * size,
                    code.address(of("w")) + channel * terms * size,
                    code.address(of("bias")) + channel,
                    *(code.address(of(name)) + (corner + at) for name in ("y", "residual")),
                    *(terms, plane, row, of("group_out") - c, rows, row - at),
                    **form,
                    channels=channels,
                    activation=activation,
                    adds=adds,
                )


def field(arguments: Pointer, name: str) -> Int:
    """Read one of the `FIELDS`."""
    return arguments[FIELDS.index(name)]
