"""Direct convolution with pixels in the lanes: every stride, dilation, group, padding and size.

One block is some rows of one plane of one image's output, for one group, or a part of one long row.
What it reads is copied once into a strip, zeros where there is padding: for each column of the
kernel just the numbers that this column meets, row after row. So rows of the strip are as long as
those of the output and have no gaps, and each tap of the kernel becomes one fixed distance::

    y[q] = bias + sum over taps t of  w[t] * strip[q + offset[t]]

q counts the pixels of all rows, and whole vectors go straight from the registers to y, whatever the
width. With a stride the rows, too, are dealt to phases: those that are congruent modulo the stride
lie together. The strip's axes are ``[channel][kz][phase of rows][kernel's column][row][pixel]``;
behind each plane of it there is room for a vector.

So there is one loop over taps, that of `tile`, and all the work is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.rectangle import Span, rows_inside
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer
from faltung.kernels.strips import zeros
from faltung.kernels.tile import tile

FIELDS: Final = (
    *("x", "w", "bias", "y", "residual", "scratch", "offsets", "phases"),
    *("depth", "height", "width", "out_depth", "out_height", "out_width"),
    *("stride_z", "stride_y", "stride_x", "dilation_z", "dilation_x", "pad_z", "pad_y", "pad_x"),
    *("groups", "group_in", "group_out", "taps", "kernel_depth", "row_phases", "columns"),
    *("strips", "strip_rows", "segments", "parts", "part_panels"),
    *("rows", "pitch", "plane_size", "channel_size", "partial_offset", "scratch_size"),
)
"""What a block is told, in this order: addresses, sizes, and how the strip lies."""


def field(arguments: Pointer, name: str) -> Int:
    """Read one of the `FIELDS`."""
    return arguments[FIELDS.index(name)]


@kernel(arguments=INTS, source=POINTER, strip=POINTER, z=INT, row=INT, column=INT)
def fill_strip(
    code: Code,
    arguments: Pointer,
    source: Pointer,
    strip: Pointer,
    z: Int,
    row: Int,
    column: Int,
    *,
    stride: int,
    together: int,
    dilation: int = 0,
) -> None:
    """Copy what the outputs from a plane, row and column on need of all channels of a group.

    So many columns of the kernel are taken ``together``: what they read of a row is near. With
    their ``dilation`` they are picked out of the same loads; with 0, each has its own.
    """

    def of(name: str) -> Int:
        return field(arguments, name)

    height, width, depth, channels = of("height"), of("width"), of("depth"), of("group_in")
    rows, pitch, columns, row_phases = of("rows"), of("pitch"), of("columns"), of("row_phases")
    stride_y, lap = of("stride_y"), of("stride_y") * width
    first_y, first_x = row * stride_y - of("pad_y"), column * of("stride_x") - of("pad_x")
    first_z, size, room = z * of("stride_z") - of("pad_z"), of("plane_size"), of("channel_size")
    dilation_z, dilation_x = of("dilation_z"), of("dilation_x")
    phases, plane = code.ints(code.address(of("phases"))), height * width
    volume = depth * plane
    with code.loop(of("kernel_depth")) as kz, code.loop(row_phases) as py:
        at_z, at_y = first_z + kz * dilation_z, first_y + phases[py]
        is_inside = code.build.and_(at_z >= 0, at_z < depth)
        # A plane outside is one of no rows: everything that is read of it is padding.
        here = code.choose(is_inside, height, code.integer(0))
        lead, end = rows_inside(at_y, rows, here, stride_y)
        line = source + (at_z * plane + at_y * width)
        to = strip + (kz * row_phases + py) * columns * size
        with code.loop(columns, step=together) as k:
            # Where fewer are left, some are copied again.
            own = [(columns - together).at_most(k) + i for i in range(together)]
            firsts = [first_x + kx * dilation_x for kx in own]
            corners = [to + kx * size for kx in own]
            given = (line, corners, firsts, (lead, end), (lap, volume), (channels, room))
            _copy_columns(code, *given, (width, pitch, of("stride_x")), stride, dilation)
        # Only now: what is written past the end of a row may come to lie in the next.
        with code.loop(channels) as c, code.loop(columns) as kx:
            corner = to + (c * room + kx * size)
            zeros(code, corner, lead * pitch)
            zeros(code, corner + end * pitch, (rows - end) * pitch)


def _copy_columns(
    code: Code,
    line: Pointer,
    corners: Sequence[Pointer],
    firsts: Sequence[Int],
    inside_rows: tuple[Int, Int],
    steps: tuple[Int, Int],
    planes: tuple[Int, Int],
    sizes: tuple[Int, Int, Int],
    stride: int,
    dilation: int,
) -> None:
    """Copy what a few columns of the kernel read of the rows of all channels."""
    (lap, volume), (channels, room), (width, pitch, stride_x) = steps, planes, sizes
    lead, end = inside_rows
    # The last vector of a row comes first: what it writes past the row's end is overwritten.
    with code.loop((pitch + (code.lanes - 1)) // code.lanes) as done:
        j = (pitch - 1) // code.lanes * code.lanes - done * code.lanes
        ahead, given = j * stride_x, (width, stride_x, stride)
        if dilation:
            reaches = [i * dilation for i in range(len(firsts))]
            spans = [Span(code, firsts[0] + ahead, *given, reaches)]
        else:
            spans = [Span(code, first + ahead, *given) for first in firsts]

        def copied(is_masked: bool) -> None:
            with code.loop(channels) as c, code.loop(end, start=lead) as r:
                source, there = line + (c * volume + r * lap), c * room + (r * pitch + j)
                vectors = [vector for span in spans for vector in span.read(source, is_masked)]
                for corner, vector in zip(corners, vectors, strict=True):
                    code.store(corner + there, vector)

        whole = spans[0].is_whole
        for span in spans[1:]:
            whole = code.build.and_(whole, span.is_whole)
        with code.either(whole) as (inner, border):
            with inner:
                copied(is_masked=False)
            with border:
                copied(is_masked=True)


@kernel(tile, fill_strip, arguments=INTS, block=INT, thread=INT)
def convolve_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    channels: int,
    vectors: int,
    stride: int,
    together: int,
    dilation: int,
    activation: tuple[str, float, float] = ("", 0.0, 0.0),
    adds: bool = False,
) -> None:
    """One block: fill its strip, then sum for each few output channels of its part."""

    def of(name: str) -> Int:
        return field(arguments, name)

    parts, strips, groups, depth = of("parts"), of("strips"), of("groups"), of("out_depth")
    part, rest = block % parts, block // parts
    segment, rest = rest % of("segments"), rest // of("segments")
    strip, rest = rest % strips, rest // strips
    group, rest = rest % groups, rest // groups
    z, image = rest % depth, rest // depth
    row, column = strip * of("strip_rows"), segment * of("pitch")
    rows = of("strip_rows").at_most(of("out_height") - row)
    width = of("pitch").at_most(of("out_width") - column)
    scratch = code.address(of("scratch")) + thread * of("scratch_size")
    plane = of("depth") * of("height") * of("width")
    source = code.address(of("x")) + (image * groups + group) * of("group_in") * plane
    place = (source, scratch, z, row, column)
    form = {"stride": stride, "together": together, "dilation": dilation}
    fill_strip.call(code, arguments, *place, **form)
    partial = scratch + of("partial_offset")
    offsets = code.ints(code.address(of("offsets")))
    out_plane = depth * of("out_height") * of("out_width")
    panels = (of("group_out") + (channels - 1)) // channels
    first_panel = part * of("part_panels")
    last_panel = (first_panel + of("part_panels")).at_most(panels)
    with code.loop(last_panel, start=first_panel) as panel:
        own = group * of("group_out") + panel * channels
        w = code.address(of("w")) + own * of("taps")
        bias = code.address(of("bias")) + own
        left = (of("group_out") - panel * channels).at_most(channels)
        channel = (image * groups + group) * of("group_out") + panel * channels
        at = channel * out_plane + (z * of("out_height") + row) * of("out_width") + column
        to, residual = code.address(of("y")) + at, code.address(of("residual")) + at
        # Segments are parts of single rows: there is a gap in y behind none of these rows.
        length = (rows - 1) * of("pitch") + width
        with code.loop(length, step=vectors * code.lanes) as q:
            given = (scratch + q, w, bias, offsets, of("taps"), partial, to + q, out_plane)
            more = (left, length - q, residual + q)
            block_form = {"channels": channels, "vectors": vectors, "adds": adds}
            tile.call(code, *given, *more, **block_form, activation=activation)
