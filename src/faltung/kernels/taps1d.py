"""Filters of signals: as many taps as there are, each vector of samples used for many of them.

::

    y[i] = Σ_j  w[j] · x[i + j]

With L lanes let ``j = L·b + l``: then the signal, read in rows of L samples, is an image, and the
taps are a kernel of so many rows b and L columns l::

    y[L·a + c] = Σ_l Σ_b  w[L·b + l] · x[L·(a + b) + c + l]

So the register block is that of `filter2d`, its rows L samples apart. Where the number of taps is
no multiple of L, the first few columns have one tap more.
"""

from __future__ import annotations

from itertools import product
from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.filter2d import RUN, add_taps
from faltung.kernels.frames import FRAME, pack_row
from faltung.kernels.pixels import copy_pixels, narrowed, typed
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer

FIELDS: Final = (
    *FRAME,
    *("w", "y", "scratch", "scratch_size", "images", "out_width"),
    *(
        "share",
        "kernels",
        "kernel_size",
        "runs",
        "extra",
        "tiles",
        "tile_columns",
        "frame_columns",
        "spare",
    ),
)
"""What a block is told, in this order: addresses, sizes, and how the frame lies."""


@kernel(x=POINTER, w=POINTER, out=POINTER, runs=INT, extra=INT)
def taps_tile(
    code: Code,
    x: Pointer,
    w: Pointer,
    out: Pointer,
    runs: Int,
    extra: Int,
    *,
    rows: int,
    vectors: int,
    tail: int,
    to: str,
) -> None:
    """Sum ``rows`` times ``vectors`` vectors of samples, and write them as numbers of a kind."""
    lanes = code.lanes
    apart = rows * lanes
    sums = [[code.variable(code.constant(0.0)) for _ in range(vectors)] for _ in range(rows)]

    def add(x: Pointer, w: Pointer, columns: Int | int, height: int) -> None:
        with code.loop(columns) as column:
            place, weights = x + column, w + column * height
            add_taps(code, sums, place, weights, pitch=lanes, apart=apart, height=height)

    size = RUN * lanes
    with code.loop(runs) as run:
        add(x + run * size, w + run * size, lanes, RUN)
    x, w = x + runs * size, w + runs * size
    if tail:
        add(x, w, lanes, tail)
    add(x + tail * lanes, w + tail * lanes, extra, 1)
    place = typed(code, Int(code.build, code.build.ptrtoint(out.value, runs.value.type)), to)
    for a, v in product(range(rows), range(vectors)):
        narrowed(code, place + (a * lanes + v * apart), sums[a][v].get(), to)


@kernel(pack_row, taps_tile, arguments=INTS, block=INT, thread=INT)
def taps_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    rows: int,
    vectors: int,
    tail: int,
    kind: str,
    to: str,
) -> None:
    """One stretch of one signal: frame it, then sum register block after register block."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    tile, signal = block % of("tiles"), block // of("tiles")
    left = tile * of("tile_columns")
    width = (of("out_width") - left).at_most(of("tile_columns"))
    frame = code.address(of("scratch")) + thread * of("scratch_size")
    spare = frame + of("spare")
    count = of("frame_columns")
    w = code.address(of("w")) + signal % of("kernels") * of("kernel_size")
    pack_row.call(
        code, arguments, signal // of("share"), code.integer(0), left, frame, count, kind=kind
    )
    y = typed(code, of("y"), to) + (signal * of("out_width") + left)
    step = rows * vectors * code.lanes
    with code.loop(width, step=step) as q:
        is_whole = q + step <= width
        out = code.choose_place(is_whole, y + q, spare)
        given = (frame + q, w, out, of("runs"), of("extra"))
        taps_tile.call(code, *given, rows=rows, vectors=vectors, tail=tail, to=to)
        with code.when(code.build.not_(is_whole)):
            copy_pixels(code, Pointer(code.build, spare.value, y.element), y + q, width - q, to)
