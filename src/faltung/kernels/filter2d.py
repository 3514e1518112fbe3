"""Filters of one channel: a kernel of any size slides over an image, pixels in the lanes.

::

    y[oy, ox] = Σ_ky Σ_kx  w[ky, kx] · frame[oy + ky, ox + kx·step]

A register block is some rows of a few vectors of pixels. It takes one column of the kernel at a
time: each vector of the frame that is loaded serves all rows of the block that it is a tap of, each
with another weight. So with 8 rows and a column of 5 taps, 12 loads feed 40 products.

``step`` is the distance of the kernel's columns: where a row holds the channels of its pixels side
by side, as many as there are channels, and all of them are filtered in one go.
"""

from __future__ import annotations

from itertools import product
from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.frames import FRAME, pack_row
from faltung.kernels.pixels import copy_pixels, narrowed, typed
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer, Variable

RUN: Final = 16
"""Rows of a kernel that are written out one after the other; of taller ones a loop takes so many
at a time."""
FIELDS: Final = (
    *FRAME,
    *("w", "y", "scratch", "scratch_size", "images", "out_height", "out_width"),
    *(
        "share",
        "kernels",
        "kernel_size",
        "runs",
        "columns",
        "step",
        "strips",
        "strip_rows",
        "tiles",
        "tile_columns",
    ),
    *("frame_rows", "pitch", "spare"),
)
"""What a block is told, in this order: addresses, sizes, and how the frame lies."""
Sums = list[list[Variable]]


def field(arguments: Pointer, name: str, fields: tuple[str, ...] = FIELDS) -> Int:
    """Read one of the `FIELDS`."""
    return arguments[fields.index(name)]


def add_taps(
    code: Code,
    sums: Sums,
    x: Pointer,
    w: Pointer,
    *,
    pitch: Int | int,
    apart: Int | int,
    height: int,
) -> None:
    """Add one column of a kernel, ``height`` taps, to the sums of a register block.

    Parameters
    ----------
    code
        Where the instructions go.
    sums
        A row of vectors for each row of pixels.
    x, w
        The first row's pixels at the first tap, and the weights from there on.
    pitch, apart
        How far apart rows are, and vectors of a row.
    height
        How many taps.
    """
    rows, vectors = len(sums), len(sums[0])
    for r in range(rows + height - 1):
        pixels = [code.load(x + apart * v) for v in range(vectors)]
        for a in range(max(0, r - height + 1), min(rows, r + 1)):
            weight = code.broadcast(w + (r - a))
            for v in range(vectors):
                sums[a][v].set(code.fma(weight, pixels[v], sums[a][v].get()))
        x = x + pitch


@kernel(
    x=POINTER, w=POINTER, out=POINTER, pitch=INT, step=INT, runs=INT, columns=INT, out_pitch=INT
)
def filter_tile(
    code: Code,
    x: Pointer,
    w: Pointer,
    out: Pointer,
    pitch: Int,
    step: Int,
    runs: Int,
    columns: Int,
    out_pitch: Int,
    *,
    rows: int,
    vectors: int,
    tail: int,
    to: str,
) -> None:
    """Sum one register block and write it, as numbers of the kind ``to``.

    A kernel has ``runs`` times `RUN` rows and ``tail`` more, its weights column by column in each.
    """
    sums = [[code.variable(code.constant(0.0)) for _ in range(vectors)] for _ in range(rows)]

    def add(x: Pointer, w: Pointer, height: int) -> None:
        with code.loop(columns) as kx:
            place, weights = x + kx * step, w + kx * height
            add_taps(code, sums, place, weights, pitch=pitch, apart=code.lanes, height=height)

    with code.loop(runs) as run:
        add(x + run * RUN * pitch, w + run * RUN * columns, RUN)
    if tail:
        add(x + runs * RUN * pitch, w + runs * RUN * columns, tail)
    place = typed(code, Int(code.build, code.build.ptrtoint(out.value, out_pitch.value.type)), to)
    for a, v in product(range(rows), range(vectors)):
        narrowed(code, place + (out_pitch * a + v * code.lanes), sums[a][v].get(), to)


@kernel(pack_row, filter_tile, arguments=INTS, block=INT, thread=INT)
def filter_block(
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
    """One tile of one image: frame it, then sum register block after register block."""

    def of(name: str) -> Int:
        return field(arguments, name)

    tile, rest = block % of("tiles"), block // of("tiles")
    strip, image = rest % of("strips"), rest // of("strips")
    top, left = strip * of("strip_rows"), tile * of("tile_columns")
    height = (of("out_height") - top).at_most(of("strip_rows"))
    width = (of("out_width") - left).at_most(of("tile_columns"))
    frame = code.address(of("scratch")) + thread * of("scratch_size")
    spare = frame + of("spare")
    with code.loop(of("frame_rows")) as r:
        given = (image // of("share"), top + r, left, frame + r * of("pitch"), of("pitch"))
        pack_row.call(code, arguments, *given, kind=kind)
    y = typed(code, of("y"), to) + ((image * of("out_height") + top) * of("out_width") + left)
    w = code.address(of("w")) + image % of("kernels") * of("kernel_size")
    step = vectors * code.lanes
    with code.loop(height, step=rows) as r, code.loop(width, step=step) as q:
        place = y + (r * of("out_width") + q)
        is_whole = code.build.and_(r + rows <= height, q + step <= width)
        out = code.choose_place(is_whole, place, spare)
        out_pitch = code.choose(is_whole, of("out_width"), code.integer(step))
        places = (frame + (r * of("pitch") + q), w, out)
        sizes = (of("pitch"), of("step"), of("runs"), of("columns"), out_pitch)
        filter_tile.call(code, *places, *sizes, rows=rows, vectors=vectors, tail=tail, to=to)
        with code.when(code.build.not_(is_whole)):
            spared = Pointer(code.build, spare.value, y.element)
            with code.loop((height - r).at_most(rows)) as a:
                count = (width - q).at_most(step)
                to_row = place + a * of("out_width")
                copy_pixels(code, spared + a * step, to_row, count, to)
