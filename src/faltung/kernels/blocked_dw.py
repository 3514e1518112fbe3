"""The gradient of the weights by direct sums, channels of dout in the lanes.

For each weight tap and each channel of x, all channels of dout that fit some vectors::

    dw[co, ci, k] = Σ over images and outputs o of  dout[co, o] * x[ci, o·stride + k·dilation - pad]

One number of x is broadcast and multiplied with vectors of dout: `outer`, whose rows are the taps
along x of a few lines of the kernel. x is only copied, zeros around it; dout is brought side by
side (`interleave`). Neither has anything in the gaps, so no number meets one that is not its own.

A block is a run of strips (some rows and columns of one output plane) for some channels of x and
some of dout. It sums in its place among the runs; who finishes the last of the runs for those
channels adds them up (`fold`).
"""

from __future__ import annotations

from typing import Final

from faltung.kernels.ahead import Ahead, to_a_boundary
from faltung.kernels.compiled import kernel
from faltung.kernels.fold import fold, is_last
from faltung.kernels.interleave import row_to_lanes
from faltung.kernels.outer import outer
from faltung.kernels.rectangle import rectangle, rows_inside
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer
from faltung.kernels.strips import zeros

FIELDS: Final = (
    *("x", "dout", "dw", "scratch", "shared", "counts", "offsets"),
    *("depth", "height", "width", "out_depth", "out_height", "out_width"),
    *("kernel_depth", "stride_depth", "stride_y", "stride_x", "dilation_depth"),
    *("pad_depth", "pad_y", "pad_x", "groups", "group_in", "group_out", "taps", "lines"),
    *("strip_rows", "strips", "strip_columns", "column_strips", "steps", "runs"),
    *("chunk_in", "chunk_out", "chunks_in", "chunks_out", "run_size"),
    *("plane_rows", "extent_y", "extent_x", "pitch", "dout_pitch", "dout_plane"),
    *("dout_offset", "is_copied", "shift", "scratch_size", "shared_size"),
)
"""What a block is told, in this order: addresses, sizes, and how working memory lies."""


@kernel(
    *(rectangle, row_to_lanes, outer, fold),
    arguments=INTS,
    block=INT,
    thread=INT,
)
def blocked_gradient_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    bases: int,
    inside: tuple[int, ...],
    vectors: int,
    step: int,
) -> None:
    """One block: for each strip copy x, bring dout side by side, add products of both."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    lanes = code.lanes
    run, pair = block % of("runs"), block // of("runs")
    part_out, rest = pair % of("chunks_out"), pair // of("chunks_out")
    part_in, group = rest % of("chunks_in"), rest // of("chunks_in")
    chunk_in, chunk_out = of("chunk_in"), of("chunk_out")
    first_in, first_out = part_in * chunk_in, part_out * chunk_out
    in_count = (of("group_in") - first_in).at_most(chunk_in)
    out_count = (of("group_out") - first_out).at_most(chunk_out)
    rows_of_plane, out_rows = of("depth") * of("height"), of("out_depth") * of("out_height")
    in_plane, out_plane = rows_of_plane * of("width"), out_rows * of("out_width")
    strip = code.address(of("scratch")) + thread * of("scratch_size")
    gradients = strip + of("dout_offset")
    runs = code.address(of("shared")) + pair * of("runs") * of("run_size")
    sums = runs + run * of("run_size")
    zeros(code, sums, of("run_size"))
    zeros(code, strip, of("dout_offset"))

    def copied(image: Int, z: Int, row: Int, column: Int, rows: Int, columns: Int) -> Pointer:
        """Copy what some outputs read of each channel: ``[channel][kz][row][column]``.

        Where nothing is read around the input, it is read where it is.
        """
        channel = (image * of("groups") + group) * of("group_in") + first_in
        source = code.address(of("x")) + channel * in_plane
        from_y = row * of("stride_y") - of("pad_y")
        count = (rows - 1) * of("stride_y") + of("extent_y")
        inside_y = rows_inside(from_y, count, of("height"), code.integer(1))
        from_x = column * of("stride_x") - of("pad_x")
        width = (columns - 1) * of("stride_x") + of("extent_x")
        # Where strips have whole rows, the zeros around them stay from the first strip on.
        is_whole = of("column_strips").equals(1)
        lead = code.choose(is_whole, (0 - from_x).at_least(0).at_most(width), code.integer(0))
        inside = (of("width") - from_x).at_most(width).at_least(lead)
        end = code.choose(is_whole, inside, width)
        size = code.choose(is_whole, from_x + end, of("width"))
        with code.loop(in_count * of("is_copied")) as c, code.loop(of("kernel_depth")) as kz:
            at_z = z * of("stride_depth") + kz * of("dilation_depth") - of("pad_depth")
            is_plane = code.build.and_(at_z >= 0, at_z < of("depth"))
            first, last = (code.choose(is_plane, at, code.integer(0)) for at in inside_y)
            plane = strip + (c * of("kernel_depth") + kz) * of("plane_rows") * of("pitch")
            top = source + (c * rows_of_plane + at_z * of("height") + from_y) * of("width")
            line = (from_x + lead, end - lead, size, code.integer(1), of("pitch"))
            to = plane + (of("shift") + lead)
            given = (top, to, first, last, count, of("width"), *line)
            rectangle.call_apart(code, *given, stride=1)
        from_z = z * of("stride_depth") * of("height")
        here = source + ((from_z + row * of("stride_y")) * of("width") + column * of("stride_x"))
        return code.choose_place(of("is_copied").equals(1), strip, here)

    def source_of(image: Int, z: Int, row: Int, column: Int) -> Pointer:
        """Return where a strip of dout begins, in the first channel of the chunk."""
        channel = (image * of("groups") + group) * of("group_out") + first_out
        corner = (z * of("out_height") + row) * of("out_width") + column
        return code.address(of("dout")) + (channel * out_plane + corner)

    def side_by_side(source: Pointer, rows: Int, columns: Int) -> None:
        """Bring dout's channels side by side: ``[vector of channels][row][column]``."""
        # Whole rows follow one another: all of them are one long row.
        is_whole = columns.equals(of("out_width"))
        one = code.integer(1)
        lines = code.choose(is_whole, one, rows)
        length = code.choose(is_whole, rows * columns, columns)
        zero = code.integer(0)
        with code.loop(out_count, step=lanes) as co, code.loop(lines) as r:
            at = source + co * out_plane + r * of("out_width")
            to = gradients + (co // lanes * of("dout_plane") + r * of("dout_pitch"))
            left = out_count - co
            # Channels that lie whole pages apart share the lines of the nearest cache, which holds
            # fewer of them than there are lanes: so each vector is read from one line.
            lead = to_a_boundary(code, at).at_most(length)
            row_to_lanes.call_apart(code, at, to, out_plane, left, zero, lead, lead)
            at, to, rest = at + lead, to + lead * lanes, length - lead
            row_to_lanes.call_apart(code, at, to, out_plane, left, zero, rest, rest)

    def multiplied(
        pixels: Pointer, rows: Int, columns: Int, co: Int, soon: list[Ahead], vectors: int
    ) -> None:
        """Add the products with some vectors of dout, for all channels of x and all taps."""
        d = gradients + co // lanes * of("dout_plane")
        pitches = (of("pitch") * of("stride_y"), of("dout_pitch"), of("dout_plane"), chunk_out)
        offsets = code.ints(code.address(of("offsets")))
        with code.loop(in_count * of("lines"), step=bases) as line:
            for one in soon:
                one.fetch()
            to = sums + (line * (len(inside) * chunk_out) + co)
            given = (pixels, d, to, offsets + line, rows, columns)
            form = {"bases": bases, "inside": inside, "vectors": vectors, "step": step}
            outer.call_apart(code, *given, *pitches, **form)

    def place(at: Int) -> tuple[Int, Int, Int, Int]:
        """Return the image, plane, first row and first column of a strip."""
        column, rest = at % of("column_strips") * of("strip_columns"), at // of("column_strips")
        row, rest = rest % of("strips") * of("strip_rows"), rest // of("strips")
        return rest // of("out_depth"), rest % of("out_depth"), row, column

    def ahead(at: Int) -> list[Ahead]:
        """Return what the next strip is made from: of x the last plane, which is new."""
        is_there = code.choose(at < last, code.integer(1), code.integer(0))
        image, z, row, column = where = place(at.at_most(last - 1))
        calls = (in_count * of("lines") + (bases - 1)) // bases
        turns = (out_count + (vectors * lanes - 1)) // (vectors * lanes) * calls
        channel = (image * of("groups") + group) * of("group_in") + first_in
        at_z = z * of("stride_depth") + (of("kernel_depth") - 1) * of("dilation_depth")
        at_y = (row * of("stride_y") - of("pad_y")).at_least(0).at_most(of("height"))
        at_z = (at_z - of("pad_depth")).at_least(0).at_most(of("depth") - 1)
        corner = (at_z * of("height") + at_y) * of("width") + column * of("stride_x")
        source = code.address(of("x")) + (channel * in_plane + corner)
        is_whole = of("column_strips").equals(1)
        rows_in = (of("strip_rows") * of("stride_y")).at_most(of("height") - at_y)
        columns = code.choose(is_whole, rows_in * of("width"), of("strip_columns") * of("stride_x"))
        out_columns = code.choose(is_whole, of("strip_rows") * of("out_width"), of("strip_columns"))
        return [
            Ahead(code, source, columns, in_plane, in_count * is_there, turns),
            Ahead(code, source_of(*where), out_columns, out_plane, out_count * is_there, turns),
        ]

    first, last = of("steps") * run // of("runs"), of("steps") * (run + 1) // of("runs")
    with code.loop(last, start=first) as at:
        where = _, _, row, column = place(at)
        rows = (of("out_height") - row).at_most(of("strip_rows"))
        columns = (of("out_width") - column).at_most(of("strip_columns"))
        pixels = copied(*where, rows, columns)
        side_by_side(source_of(*where), rows, columns)
        soon = ahead(at + 1)
        whole = (out_count + (lanes - 1)) // (vectors * lanes) * (vectors * lanes)
        with code.loop(whole, step=vectors * lanes) as co:
            multiplied(pixels, rows, columns, co, soon, vectors)
        if vectors > 1:
            with code.loop(out_count, step=lanes, start=whole) as co:
                multiplied(pixels, rows, columns, co, soon, 1)
    finished = code.ints(code.address(of("counts"))) + pair
    with code.when(is_last(code, finished, of("runs"))):
        plane = of("group_in") * of("taps")
        channel = group * of("group_out") + first_out
        dw = code.address(of("dw")) + (channel * plane + first_in * of("taps"))
        counts = (in_count, out_count, of("taps"), chunk_out, plane)
        fold.call_apart(code, runs, strip, dw, of("runs"), of("run_size"), *counts)
