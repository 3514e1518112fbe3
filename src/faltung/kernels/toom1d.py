"""Long filters of signals: one level of Toom-Cook around the register block of `taps1d`.

A stretch of a signal goes to the 7 points, which leaves 7 signals of a quarter of its samples. On
each slides a quarter of the taps; then the way back.
"""

from __future__ import annotations

from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.frames import FRAME, pack_row
from faltung.kernels.pixels import copy_pixels, narrowed, typed
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer
from faltung.kernels.taps1d import taps_tile
from faltung.kernels.toom import not_finite, outputs_of, row_to_points
from faltung.kernels.toom_form import FOUR, SIZE

FIELDS: Final = (
    *FRAME,
    *("w", "y", "scratch", "scratch_size", "flags", "images", "out_width"),
    *("share", "kernels", "runs", "extra", "kernel_size", "tiles", "tile_columns", "distance"),
    *("points_x", "answers", "spare"),
)
"""What a block is told, in this order: addresses, sizes, and where in working memory what lies."""


@kernel(*(pack_row, row_to_points, taps_tile), arguments=INTS, block=INT, thread=INT)
def toom_taps_block(
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
    """One stretch of one signal; says in ``flags`` whether all its outputs are finite."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    tile, signal = block % of("tiles"), block // of("tiles")
    left = tile * of("tile_columns")
    width = (of("out_width") - left).at_most(of("tile_columns"))
    own = code.address(of("scratch")) + thread * of("scratch_size")
    spare, points, answers = (own + of(name) for name in ("spare", "points_x", "answers"))
    distance, line = of("distance"), of("tile_columns") // FOUR
    given = (signal // of("share"), code.integer(0), left, spare, (distance + 2) * FOUR)
    pack_row.call(code, arguments, *given, kind=kind)
    row_to_points.call(code, spare, points, distance, distance)
    w = code.address(of("w")) + signal % of("kernels") * SIZE * of("kernel_size")
    step = rows * vectors * code.lanes
    with code.loop(code.integer(SIZE)) as p, code.loop(line, step=step) as q:
        places = (points + (p * distance + q), w + p * of("kernel_size"), answers + (p * line + q))
        block_of = {"rows": rows, "vectors": vectors, "tail": tail, "to": code.number}
        taps_tile.call(code, *places, of("runs"), of("extra"), **block_of)
    y = typed(code, of("y"), to) + (signal * of("out_width") + left)
    is_whole = width >= of("tile_columns")
    out = Pointer(code.build, code.choose_place(is_whole, y, spare).value, y.element)
    flags = code.variable(code.constant(0.0))
    with code.loop(line, step=code.lanes) as t:
        parts = outputs_of(code, answers + t, line)
        for i, part in enumerate(parts):
            narrowed(code, out + (t * FOUR + i * code.lanes), part, to)
        flags.set(flags.get() + not_finite(code, parts))
    with code.when(code.build.not_(is_whole)):
        copy_pixels(code, Pointer(code.build, spare.value, y.element), y, width, to)
    code.store(code.address(of("flags")) + block * code.lanes, flags.get())
