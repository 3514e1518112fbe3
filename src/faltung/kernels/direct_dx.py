"""The gradient of the input with a stride, directly: a convolution for each phase, woven into rows.

Products with the zeros that a stride puts between the values of `dout` are left out: the positions
of dx that are congruent modulo the stride are a correlation of stride 1 of `dout` with those taps
alone that come to them (`kernels.reaches`). A stride of 2 costs a quarter of what the stuffed
convolution does.

All phases read one strip of `dout`, which lies as that of `direct` does. What `tile` sums for those
that lie beside each other in a row goes to working memory first; from there their vectors are put
together, number by number in turn, so that whole rows are written.
"""

from __future__ import annotations

from typing import Any, Final

from faltung.kernels import direct
from faltung.kernels.compiled import kernel
from faltung.kernels.direct import fill_strip
from faltung.kernels.epilogue import activated
from faltung.kernels.phases import woven
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer, Vector
from faltung.kernels.tile import tile

MORE: Final = (
    *("counts", "grid_depth", "grid_height", "grid_width"),
    *("phases_z", "phases_y", "phases_x", "sums_offset", "sums_size"),
)
"""What a block is told beside `direct.FIELDS`: a grid counts positions of one phase."""
FIELDS: Final = (*direct.FIELDS, *MORE)


@kernel(
    sums=POINTER,
    out=POINTER,
    residual=POINTER,
    size=INT,
    phases=INT,
    pixels=INT,
    count=INT,
)
def weave_row(
    code: Code,
    sums: Pointer,
    out: Pointer,
    residual: Pointer,
    size: Int,
    phases: Int,
    pixels: Int,
    count: Int,
    *,
    stride: int,
    activation: tuple[str, float, float],
    adds: bool,
) -> None:
    """Write ``count`` numbers of a row: one of each phase in turn, of ``pixels`` that each has.

    Phases' sums are a ``size`` apart. `stride` is how many there are, if few; else 0.
    """

    def finish(vector: Vector, at: Int, mask: Any) -> None:
        if adds:
            vector = vector + code.load_some(mask, residual + at)
        code.store_some(mask, out + at, activated(code, vector, activation))

    if not stride:
        one = code.first(1)
        with code.loop(pixels) as j, code.loop(phases.at_most(count - j * phases)) as p:
            finish(code.load_some(one, sums + (p * size + j)), j * phases + p, one)
        return
    with code.loop(pixels, step=code.lanes) as j:
        vectors = woven(code, [code.load(sums + (size * p + j)) for p in range(stride)])
        for i, vector in enumerate(vectors):
            at = j * stride + i * code.lanes
            finish(vector, at, code.first(count - at))


@kernel(tile, fill_strip, weave_row, arguments=INTS, block=INT, thread=INT)
def gradient_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    channels: int,
    vectors: int,
    stride: int,
    together: int,
    activation: tuple[str, float, float] = ("", 0.0, 0.0),
    adds: bool = False,
) -> None:
    """One block: fill its strip, then for each few channels sum all phases, row after row."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    segment, rest = block % of("segments"), block // of("segments")
    strip, rest = rest % of("strips"), rest // of("strips")
    z, image = rest % of("grid_depth"), rest // of("grid_depth")
    group = image % of("groups")
    row, column = strip * of("strip_rows"), segment * of("pitch")
    rows = of("strip_rows").at_most(of("grid_height") - row)
    pixels = of("pitch").at_most(of("grid_width") - column)
    scratch = code.address(of("scratch")) + thread * of("scratch_size")
    volume = of("depth") * of("height") * of("width")
    source = code.address(of("x")) + image * of("group_in") * volume
    place = (source, scratch, z, row, column)
    fill_strip.call(code, arguments, *place, stride=1, together=together)
    sums, partial = scratch + of("sums_offset"), scratch + of("partial_offset")
    size, length = of("sums_size"), (rows - 1) * of("pitch") + pixels
    offsets, counts = (code.ints(code.address(of(name))) for name in ("offsets", "counts"))
    height, width = of("out_height"), of("out_width")
    out_plane = of("out_depth") * height * width
    panels = (of("group_out") + (channels - 1)) // channels
    with code.loop(panels) as panel, code.loop(of("phases_z")) as pz:
        first = panel * channels
        left = (of("group_out") - first).at_most(channels)
        bias = code.address(of("bias")) + (group * of("group_out") + first)
        with code.loop(of("phases_y")) as py:
            with code.loop(of("phases_x")) as px:
                phase = (pz * of("phases_y") + py) * of("phases_x") + px
                before, count = counts[phase * 2], counts[phase * 2 + 1]
                # Weights lie phase after phase: those of all groups and channels, taps in order.
                w = code.address(of("w")) + before * of("groups") * of("group_out")
                w = w + (group * of("group_out") + first) * count
                to = sums + px * channels * size
                with code.loop(length, step=vectors * code.lanes) as q:
                    given = (scratch + q, w, bias, offsets + before, count, partial, to + q, size)
                    more = (left, length - q, to + q)
                    tile.call(code, *given, *more, channels=channels, vectors=vectors)
            at_z, at_x = z * of("phases_z") + pz, column * of("phases_x")
            with code.loop(left) as c, code.loop(rows) as r:
                at_y = (row + r) * of("phases_y") + py
                is_there = code.build.and_(at_z < of("out_depth"), at_y < height)
                with code.when(is_there):
                    channel = image * of("group_out") + first + c
                    at = channel * out_plane + (at_z * height + at_y) * width + at_x
                    line = sums + (c * size + r * of("pitch"))
                    to, residual = (code.address(of(name)) + at for name in ("y", "residual"))
                    sizes = (channels * size, of("phases_x"), pixels, width - at_x)
                    form = {"stride": stride, "activation": activation, "adds": adds}
                    weave_row.call(code, line, to, residual, *sizes, **form)
