"""Large kernels on images: Toom-Cook along both axes, around the register block of `filter2d`.

A block is a tile of outputs. Its frame goes row by row to the points along x; then, for each of
these 7, down the columns to the points along y, which leaves 49 small images, four times narrower
and lower than the tile. On each a kernel of a quarter of the rows and columns slides as `filter2d`
has it. The way back mirrors the way in.
"""

from __future__ import annotations

from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.filter2d import filter_tile
from faltung.kernels.frames import FRAME, pack_row
from faltung.kernels.pixels import copy_pixels, narrowed, typed
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer
from faltung.kernels.toom import (
    not_finite,
    outputs_of,
    points_to_rows,
    row_to_points,
    rows_to_points,
)
from faltung.kernels.toom_form import FOUR, SIZE

FIELDS: Final = (
    *FRAME,
    *("w", "y", "scratch", "scratch_size", "flags", "images", "out_height", "out_width"),
    *(
        "share",
        "kernels",
        "runs",
        "columns",
        "kernel_size",
        "strips",
        "strip_rows",
        "tiles",
        "tile_columns",
    ),
    *("frame_rows", "pitch", "point_rows", "points_x", "points_y", "products", "answers", "spare"),
)
"""What a block is told, in this order: addresses, sizes, and where in working memory what lies."""


@kernel(*(rows_to_points, filter_tile, points_to_rows), arguments=INTS, own=POINTER, w=POINTER)
def filter_points(
    code: Code,
    arguments: Pointer,
    own: Pointer,
    w: Pointer,
    *,
    rows: int,
    vectors: int,
    tail: int,
) -> None:
    """From the points along x to the answers there: points along y, products, and back."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    pitch, lines = of("pitch"), of("strip_rows") // FOUR
    width = of("tile_columns") // FOUR
    plane, answers = of("point_rows") * pitch, lines * width
    with code.loop(code.integer(SIZE)) as px:
        source = own + (of("points_x") + px * of("frame_rows") * pitch)
        inside = own + of("points_y")
        with code.loop(of("point_rows")) as t:
            at = (source + t * FOUR * pitch, inside + t * pitch)
            rows_to_points.call(code, *at, pitch, plane, pitch)
        products = own + of("products")
        with code.loop(code.integer(SIZE)) as py:
            weights = w + (px * SIZE + py) * of("kernel_size")
            with code.loop(lines, step=rows) as r, code.loop(width, step=vectors * code.lanes) as q:
                places = (inside + (py * plane + r * pitch + q), weights)
                out = products + (py * answers + r * width + q)
                sizes = (pitch, code.integer(1), of("runs"), of("columns"), width)
                block = {"rows": rows, "vectors": vectors, "tail": tail, "to": code.number}
                filter_tile.call(code, *places, out, *sizes, **block)
        with code.loop(lines) as r:
            out = own + (of("answers") + (px * lines + r) * FOUR * width)
            points_to_rows.call(code, products + r * width, out, answers, width, width)


@kernel(pack_row, row_to_points, filter_points, arguments=INTS, block=INT, thread=INT)
def toom_block(
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
    """One tile of one image; says in ``flags`` whether all its outputs are finite."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    tile, rest = block % of("tiles"), block // of("tiles")
    strip, image = rest % of("strips"), rest // of("strips")
    top, left = strip * of("strip_rows"), tile * of("tile_columns")
    height = (of("out_height") - top).at_most(of("strip_rows"))
    width = (of("out_width") - left).at_most(of("tile_columns"))
    own = code.address(of("scratch")) + thread * of("scratch_size")
    spare, pitch = own + of("spare"), of("pitch")
    distance = of("frame_rows") * pitch
    with code.loop(of("frame_rows")) as r:
        given = (image // of("share"), top + r, left, spare, (pitch + 2) * FOUR)
        pack_row.call(code, arguments, *given, kind=kind)
        points = own + (of("points_x") + r * pitch)
        row_to_points.call(code, spare, points, distance, pitch)
    w = code.address(of("w")) + image % of("kernels") * SIZE * SIZE * of("kernel_size")
    filter_points.call(code, arguments, own, w, rows=rows, vectors=vectors, tail=tail)
    y = typed(code, of("y"), to) + ((image * of("out_height") + top) * of("out_width") + left)
    is_whole = width >= of("tile_columns")
    flags = code.variable(code.constant(0.0))
    with code.loop(height) as r:
        row = y + r * of("out_width")
        out = code.choose_place(is_whole, row, spare)
        out = Pointer(code.build, out.value, y.element)
        line = of("tile_columns") // FOUR
        with code.loop(line, step=code.lanes) as t:
            m = own + (of("answers") + r * line + t)
            parts = outputs_of(code, m, of("strip_rows") * line)
            for i, part in enumerate(parts):
                narrowed(code, out + (t * FOUR + i * code.lanes), part, to)
            flags.set(flags.get() + not_finite(code, parts))
        with code.when(code.build.not_(is_whole)):
            copy_pixels(code, Pointer(code.build, spare.value, y.element), row, width, to)
    code.store(code.address(of("flags")) + block * code.lanes, flags.get())
