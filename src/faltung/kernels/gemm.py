"""Matrix products, and convolutions of one position, which are products on images as they lie.

    y[m, n] = activation(bias[m] + sum over k of a[m, k] b[k, n] + residual[m, n])

An image is a matrix whose rows are its channels' planes; a is the weights. A block takes a few
vectors of columns of b at a time, and passes rows of a over them: `channels` rows together, each
number of a read where it is, into all lanes.

Rows of b lie far apart, often a power of two: the first-level cache has no room for many such
pieces, and no CPU guesses which one comes next. Where many rows of a pass over them, the first ones
write the columns that they read into a strip, side by side, and the others find them there. What no
CPU guesses is asked for beforehand: columns while those before them are read, and where sums will
be stored, with what is added to them, before they are computed.

Either matrix may lie row by row or column by column. For a it makes no difference; columns of b
that lie apart go through a transpose, some runs of k at a time.
"""

from __future__ import annotations

from typing import Any, Final

from faltung.kernels.compiled import kernel
from faltung.kernels.interleave import row_to_lanes
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer, Vector
from faltung.kernels.tile import RUN, Sums, finished_cells, summed

FIELDS: Final = (
    *("x", "w", "bias", "y", "residual", "numbers", "scratch"),
    *("rows", "terms", "columns", "near", "far", "step", "image", "groups"),
    *("segment", "segments", "part", "parts", "strip", "scratch_size"),
)
"""`near` and `far` numbers lie between rows and columns of a, `step` between rows of b (or columns,
where those lie apart), `image` between images. A block has a `segment` of columns and a `part` of
the panels, which are `channels` rows of a."""

IN_PLACE: Final = "in place"
"""Columns of b are read where they are."""
KEPT: Final = "kept"
"""The first panel writes them into the strip, from where the others read them."""
TURNED: Final = "turned"
"""They lie apart: a transpose writes them into the strip, up to `CHUNK` terms at a time."""
CHUNK: Final = 8 * RUN


@kernel(
    b=POINTER,
    step=INT,
    spread=INT,
    strip=POINTER,
    w=POINTER,
    near=INT,
    far=INT,
    bias=POINTER,
    terms=INT,
    partial=POINTER,
    to=POINTER,
    plane=INT,
    left=INT,
    count=INT,
    residual=POINTER,
    numbers=POINTER,
)
def sum_panel(
    code: Code,
    b: Pointer,
    step: Int,
    spread: Int,
    strip: Pointer,
    w: Pointer,
    near: Int,
    far: Int,
    bias: Pointer,
    terms: Int,
    partial: Pointer,
    to: Pointer,
    plane: Int,
    left: Int,
    count: Int,
    residual: Pointer,
    numbers: Pointer,
    *,
    channels: int,
    vectors: int,
    masked: bool = False,
    keeps: bool = False,
    goes_on: bool = False,
    fetches: bool = False,
    activation: str,
    adds: bool,
) -> None:
    """Write up to ``count`` columns of up to ``left`` rows, a ``plane`` apart, nothing else.

    ``spread`` numbers lie between two vectors of b. With `masked`, no column past ``count`` is
    read; with `keeps`, what is read is written to ``strip`` as well; with `fetches`, the columns
    behind are asked for. With `goes_on`, the sums go on from those that are there. ``numbers`` are
    those of the activation.
    """
    # Where there are fewer rows, the last one is computed again.
    rows = [(left - 1).at_most(c) for c in range(channels)]
    starts = [w + row * near for row in rows]
    masks = [code.first(count - v * code.lanes) for v in range(vectors)]
    lines = range(0, vectors * code.lanes, 64 // code.itemsize)
    for row in rows:
        for at in lines:
            code.prefetch(to + (plane * row + at), writes=True)
            if adds:
                code.prefetch(residual + (plane * row + at))

    def columns(t: Int) -> list[Vector]:
        places = [b + (t * step + spread * v) for v in range(vectors)]
        if fetches:
            for at in lines:
                code.prefetch(b + (t * step + (vectors * code.lanes + at)))
        if masked:
            read = zip(masks, places, strict=True)
            found = [code.load_some(mask, place) for mask, place in read]
        else:
            found = [code.load(place) for place in places]
        if keeps:
            for v, vector in enumerate(found):
                code.store(strip + (t * vectors + v) * code.lanes, vector)
        return found

    sums = Sums(columns, lambda c, t: starts[c] + t * far, partial, channels, vectors)
    cells = [(c, v) for c in range(channels) for v in range(vectors)]
    places = [plane * c + v * code.lanes for c, v in cells]
    if goes_on:
        there = [code.load_some(masks[v], to + plane * rows[c] + v * code.lanes) for c, v in cells]
        total = summed(code, sums, terms, there, goes_on=True)
    else:
        biases = [code.broadcast(bias + row) for row in rows]
        total = summed(code, sums, terms, [biases[c] for c, _ in cells])
    finish = (activation, code.broadcast(numbers), code.broadcast(numbers + 1))
    finished_cells(code, total, places, masks, to, residual, left, count, finish, adds)


@kernel(sum_panel, row_to_lanes, arguments=INTS, block=INT, thread=INT)
def multiply_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    channels: int,
    vectors: int,
    way: str,
    **store: Any,
) -> None:
    """Compute a segment of the columns for a part of the rows, of one image and group."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    part, rest = block % of("parts"), block // of("parts")
    segment, image = rest % of("segments"), rest // of("segments")
    group, lanes, width = image % of("groups"), code.lanes, vectors * code.lanes
    rows, terms, near, far, step = (of(n) for n in ("rows", "terms", "near", "far", "step"))
    partial = code.address(of("scratch")) + thread * of("scratch_size")
    strip = partial + of("strip")
    source = code.address(of("x")) + image * of("image")
    last = ((part + 1) * of("part")).at_most((rows + (channels - 1)) // channels)
    first, start = part * of("part"), segment * of("segment")
    end = (start + of("segment")).at_most(of("columns"))
    w = code.address(of("w")) + group * rows * terms

    def multiply(p: Int, n: Int, k: Int, count: Int, b: Pointer, *lie: Int, **how: bool) -> None:
        row = p * channels
        at = (image * rows + row) * of("columns") + n
        to, residual = code.address(of("y")) + at, code.address(of("residual")) + at
        bias = code.address(of("bias")) + (group * rows + row)
        given = (b, *lie, strip, w + (row * near + k * far), near, far, bias, count, partial)
        given = (*given, to, of("columns"), rows - row, of("columns") - n, residual)
        given = (*given, code.address(of("numbers")))
        sum_panel.call(code, *given, channels=channels, vectors=vectors, **how, **store)

    zero, beside = code.integer(0), code.integer(lanes)
    with code.loop(end, step=width, start=start) as n:
        given = (n, zero, terms)
        if way == IN_PLACE:
            is_whole = of("columns") - n >= width
            with code.loop(last, start=first) as p, code.either(is_whole) as (whole, border):
                for branch, masked in ((whole, False), (border, True)):
                    with branch:
                        multiply(
                            p, *given, source + n, step, beside, masked=masked, fetches=not masked
                        )
        elif way == KEPT:
            multiply(first, *given, source + n, step, beside, masked=True, keeps=True, fetches=True)
            with code.loop(last, start=first + 1) as p:
                multiply(p, *given, strip, code.integer(width), beside)
        else:
            apart = (CHUNK + lanes) * lanes
            with code.loop(terms, step=CHUNK) as k:
                count = (terms - k).at_most(CHUNK)
                for v in range(vectors):
                    left, to = of("columns") - n - v * lanes, strip + apart * v
                    with code.when(left > 0):
                        column = source + step * (n + v * lanes)
                        row_to_lanes.call(code, column, to, step, left, k, terms, count)
                turned = (n, k, count, strip, beside, code.integer(apart))
                with code.loop(last, start=first) as p, code.either(k > 0) as (later, at_first):
                    for branch, goes_on in ((later, True), (at_first, False)):
                        with branch:
                            multiply(p, *turned, goes_on=goes_on)
