"""Kernels that are an outer product: down the columns, then along the rows, in one visit.

::

    m[oy, x]  = Σ_ky  down[ky] · frame[oy + ky, x]
    y[oy, ox] = Σ_kx  across[kx] · m[oy, ox + kx·step]

Both are the register block of `filter2d`. What is between them never leaves a core's own cache.
"""

from __future__ import annotations

from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.filter2d import filter_tile
from faltung.kernels.frames import FRAME, pack_row
from faltung.kernels.pixels import copy_pixels, typed
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer

FIELDS: Final = (
    *FRAME,
    *("w", "across", "y", "scratch", "scratch_size", "images", "out_height", "out_width"),
    *("share", "kernels", "kernel_size", "runs", "columns", "step", "strips", "strip_rows"),
    *("tiles", "tile_columns", "frame_rows", "pitch", "middle", "spare"),
)
"""What a block is told, in this order: addresses, sizes, and where in working memory what lies."""


@kernel(pack_row, filter_tile, arguments=INTS, block=INT, thread=INT)
def passes_block(
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
    """One tile of one image: frame it, filter its columns, then its rows."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    tile, rest = block % of("tiles"), block // of("tiles")
    strip, image = rest % of("strips"), rest // of("strips")
    top, left = strip * of("strip_rows"), tile * of("tile_columns")
    height = (of("out_height") - top).at_most(of("strip_rows"))
    width = (of("out_width") - left).at_most(of("tile_columns"))
    frame = code.address(of("scratch")) + thread * of("scratch_size")
    middle, spare, pitch = frame + of("middle"), frame + of("spare"), of("pitch")
    with code.loop(of("frame_rows")) as r:
        given = (image, top + r, left, frame + r * pitch, pitch)
        pack_row.call(code, arguments, *given, kind=kind)
    step, one, none = vectors * code.lanes, code.integer(1), code.integer(0)
    with code.loop(height, step=rows) as r:
        with code.loop(pitch, step=step) as q:
            places = (frame + (r * pitch + q), code.address(of("w")), middle + q)
            sizes = (pitch, one, of("runs"), one, pitch)
            block_of = {"rows": rows, "vectors": vectors, "tail": tail, "to": code.number}
            filter_tile.call(code, *places, *sizes, **block_of)
        y = typed(code, of("y"), to)
        y = y + ((image * of("out_height") + top + r) * of("out_width") + left)
        with code.loop(width, step=step) as q:
            is_whole = code.build.and_(r + rows <= height, q + step <= width)
            out = code.choose_place(is_whole, y + q, spare)
            out_pitch = code.choose(is_whole, of("out_width"), code.integer(step))
            rows_at = (middle + q, code.address(of("across")), out)
            line = (pitch, of("step"), none, of("columns"), out_pitch)
            filter_tile.call(code, *rows_at, *line, rows=rows, vectors=vectors, tail=1, to=to)
            with code.when(code.build.not_(is_whole)):
                spared = Pointer(code.build, spare.value, y.element)
                with code.loop((height - r).at_most(rows)) as a:
                    to_row = y + (a * of("out_width") + q)
                    copy_pixels(code, spared + a * step, to_row, (width - q).at_most(step), to)
