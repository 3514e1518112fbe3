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

from faltung.kernels.ahead import to_a_boundary
from faltung.kernels.compiled import kernel
from faltung.kernels.fold import fold, is_last
from faltung.kernels.interleave import row_to_lanes
from faltung.kernels.outer import outer
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer
from faltung.kernels.strips import copy, copy_dense_row, zeros

FIELDS: Final = (
    *("x", "dout", "dw", "scratch", "shared", "counts", "offsets"),
    *("depth", "height", "width", "out_depth", "out_height", "out_width"),
    *("kernel_depth", "stride_depth", "stride_y", "stride_x", "dilation_depth"),
    *("pad_depth", "pad_y", "pad_x", "groups", "group_in", "group_out", "taps", "lines"),
    *("strip_rows", "strips", "strip_columns", "column_strips", "steps", "runs"),
    *("chunk_in", "chunk_out", "chunks_in", "chunks_out", "run_size"),
    *("plane_rows", "extent_y", "extent_x", "pitch", "dout_pitch", "dout_plane"),
    *("dout_offset", "scratch_size", "shared_size"),
)
"""What a block is told, in this order: addresses, sizes, and how working memory lies."""


@kernel(
    *(copy_dense_row, row_to_lanes, outer, fold),
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

    def copied(image: Int, z: Int, row: Int, column: Int, rows: Int, columns: Int) -> None:
        """Copy what some outputs read of each channel: ``[channel][kz][row][column]``."""
        channel = (image * of("groups") + group) * of("group_in") + first_in
        source = code.address(of("x")) + channel * in_plane
        count = (columns - 1) * of("stride_x") + of("extent_x")
        first = column * of("stride_x") - of("pad_x")
        lead = (0 - first).at_least(0).at_most(count)
        inside = (of("width") - first).at_most(count).at_least(lead) - lead
        with code.loop(in_count) as c, code.loop(of("kernel_depth")) as kz:
            at_z = z * of("stride_depth") + kz * of("dilation_depth") - of("pad_depth")
            is_plane = code.build.and_(at_z >= 0, at_z < of("depth"))
            plane = strip + (c * of("kernel_depth") + kz) * of("plane_rows") * of("pitch")
            with code.loop((rows - 1) * of("stride_y") + of("extent_y")) as r:
                at_y = row * of("stride_y") + r - of("pad_y")
                is_row = code.build.and_(at_y >= 0, at_y < of("height"))
                is_inside = code.build.and_(is_plane, is_row)
                # A row outside is one of no size: everything that is read of it is padding.
                size = code.choose(is_inside, of("width"), code.integer(0))
                at = source + (c * rows_of_plane + at_z * of("height") + at_y) * of("width")
                at = code.choose_place(is_inside, at, source)
                to = plane + r * of("pitch")
                # Where strips have whole rows, the zeros around them stay from the first strip on.
                is_known = code.build.and_(is_inside, of("column_strips").equals(1))
                with code.either(is_known) as (known, other):
                    with known:
                        copy(code, at + (first + lead), to + lead, inside)
                    with other:
                        copy_dense_row.call_apart(code, at, to, first, size, count)

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

    def multiplied(rows: Int, columns: Int, co: Int, soon: Pointer, vectors: int) -> None:
        """Add the products with some vectors of dout, for all channels of x and all taps."""
        d = gradients + co // lanes * of("dout_plane")
        pitches = (of("pitch") * of("stride_y"), of("dout_pitch"), of("dout_plane"), chunk_out)
        offsets = code.ints(code.address(of("offsets")))
        with code.loop(in_count * of("lines"), step=bases) as line:
            to = sums + (line * (len(inside) * chunk_out) + co)
            given = (strip, d, to, offsets + line, rows, columns)
            # What dout has for the next strip is on its way meanwhile; once is enough.
            ahead = code.choose_place(line.equals(0), soon + co * out_plane, d)
            plane = code.choose(line.equals(0), out_plane, code.integer(lanes))
            form = {"bases": bases, "inside": inside, "vectors": vectors, "step": step}
            outer.call_apart(code, *given, *pitches, ahead, plane, **form, fetches=True)

    def place(at: Int) -> tuple[Int, Int, Int, Int]:
        """Return the image, plane, first row and first column of a strip."""
        column, rest = at % of("column_strips") * of("strip_columns"), at // of("column_strips")
        row, rest = rest % of("strips") * of("strip_rows"), rest // of("strips")
        return rest // of("out_depth"), rest % of("out_depth"), row, column

    first, last = of("steps") * run // of("runs"), of("steps") * (run + 1) // of("runs")
    with code.loop(last, start=first) as at:
        where = _, _, row, column = place(at)
        rows = (of("out_height") - row).at_most(of("strip_rows"))
        columns = (of("out_width") - column).at_most(of("strip_columns"))
        copied(*where, rows, columns)
        side_by_side(source_of(*where), rows, columns)
        soon = source_of(*place((at + 1).at_most(last - 1)))
        whole = (out_count + (lanes - 1)) // (vectors * lanes) * (vectors * lanes)
        with code.loop(whole, step=vectors * lanes) as co:
            multiplied(rows, columns, co, soon, vectors)
        if vectors > 1:
            with code.loop(out_count, step=lanes, start=whole) as co:
                multiplied(rows, columns, co, soon, 1)
    finished = code.ints(code.address(of("counts"))) + pair
    with code.when(is_last(code, finished, of("runs"))):
        plane = of("group_in") * of("taps")
        channel = group * of("group_out") + first_out
        dw = code.address(of("dw")) + (channel * plane + first_in * of("taps"))
        counts = (in_count, out_count, of("taps"), chunk_out, plane)
        fold.call_apart(code, runs, strip, dw, of("runs"), of("run_size"), *counts)
