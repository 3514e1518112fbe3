"""Direct convolution with pixels in the lanes: every stride, dilation, group, padding and size.

One block is some rows of one plane of one image's output, for one group. Its input is copied once
into working memory, zeros where there is padding, such that each tap of the kernel becomes one
fixed distance::

    y[q] = bias + sum over taps t of  w[t] * strip[q + offset[t]]

q counts positions of the rows *as they lie in the strip*, whose rows are wider than the output's.
With a stride, the strip is split into phases: all columns that are congruent modulo the stride lie
together (and rows alike), so that neighbours in q stay neighbours in memory.

So there is one loop over taps, that of `tile`, and all the work is in it. Wide rows are computed
one by one, straight into y. Of narrow ones a vector would be mostly empty: all rows are computed as
one, gaps between them too, and then copied out without the gaps.
"""

from __future__ import annotations

from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.epilogue import activated
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer
from faltung.kernels.strips import field, pack_planes
from faltung.kernels.tile import tile

MORE: Final = ("residual", "parts", "part_panels", "partial_offset")
"""What a block is told beside `FIELDS`."""


@kernel(source=POINTER, out=POINTER, residual=POINTER, count=INT)
def finish_row(
    code: Code,
    source: Pointer,
    out: Pointer,
    residual: Pointer,
    count: Int,
    *,
    activation: tuple[str, float, float],
    adds: bool,
) -> None:
    """Copy a row of so many numbers, adding and activating, and touch nothing else."""
    with code.loop(count, step=code.lanes) as i:
        mask = code.first(count - i)
        vector = code.load_some(mask, source + i)
        if adds:
            vector = vector + code.load_some(mask, residual + i)
        code.store_some(mask, out + i, activated(code, vector, activation))


@kernel(tile, finish_row, pack_planes, arguments=INTS, block=INT, thread=INT)
def convolve_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    channels: int,
    vectors: int,
    split: int,
    flat: bool,
    activation: tuple[str, float, float] = ("", 0.0, 0.0),
    adds: bool = False,
) -> None:
    """One block: pack its strip, then sum for each few output channels of its part."""

    def of(name: str) -> Int:
        return field(arguments, name, MORE)

    parts, strips, groups, depth = of("parts"), of("strips"), of("groups"), of("out_depth")
    part, rest = block % parts, block // parts
    strip, rest = rest % strips, rest // strips
    group, rest = rest % groups, rest // groups
    z, image = rest % depth, rest // depth
    first_row = strip * of("strip_rows")
    rows = of("strip_rows").at_most(of("out_height") - first_row)
    scratch = code.address(of("scratch")) + thread * of("scratch_size")
    plane = of("depth") * of("height") * of("width")
    source = code.address(of("x")) + (image * groups + group) * of("group_in") * plane
    packed = of("kernel_depth") * of("phase_count") * of("plane_rows") * of("pitch")
    first_z = z * of("stride_depth") - of("pad_depth")
    with code.loop(of("group_in")) as c:
        place = (source + c * plane, scratch + c * packed)
        pack_planes.call(code, arguments, *place, first_z, first_row, split=split)
    width, step = of("out_width"), vectors * code.lanes
    out, partial = scratch + of("out_offset"), scratch + of("partial_offset")
    offsets = code.ints(code.address(of("offsets")))
    out_plane = depth * of("out_height") * width
    panels = (of("group_out") + (channels - 1)) // channels
    first_panel = part * of("part_panels")
    last_panel = (first_panel + of("part_panels")).at_most(panels)
    sizes = {"channels": channels, "vectors": vectors}
    with code.loop(last_panel, start=first_panel) as panel:
        own = group * of("group_out") + panel * channels
        w = code.address(of("w")) + own * of("taps")
        bias = code.address(of("bias")) + own
        left = (of("group_out") - panel * channels).at_most(channels)
        channel = (image * groups + group) * of("group_out") + panel * channels
        at = channel * out_plane + (z * of("out_height") + first_row) * width
        to, residual = code.address(of("y")) + at, code.address(of("residual")) + at
        weights = (w, bias, offsets, of("taps"), partial)
        if flat:
            length = (rows - 1) * of("pitch") + width
            with code.loop(length, step=step) as q:
                target = (out + q, of("out_pitch"), left)
                tile.call(code, scratch + q, *weights, *target, code.integer(step), out, **sizes)
            with code.loop(left) as c, code.loop(rows) as r:
                there = c * out_plane + r * width
                row = out + (c * of("out_pitch") + r * of("pitch"))
                store = {"activation": activation, "adds": adds}
                finish_row.call(code, row, to + there, residual + there, width, **store)
        else:
            with code.loop(rows) as r, code.loop(width, step=step) as q:
                there = r * width + q
                final = (to + there, out_plane, left, width - q, residual + there)
                row = scratch + (r * of("pitch") + q)
                tile.call(code, row, *weights, *final, **sizes, activation=activation, adds=adds)
