"""Convolution with stride 2 in Winograd's form: the input's four phases become input channels.

Split rows and columns into the even and the odd ones. What a kernel of k taps with stride 2 reads
of each of these four *phases*, it reads with stride 1 and ``r = ⌈k/2⌉`` taps on each axis::

    y[co, oy, ox] = Σ_ci Σ_py,px Σ_a,b  w[co, ci, 2a + py, 2b + px] · x[ci, 2(oy + a) + py, ...]

So it is a convolution of four times the channels with a kernel of r by r taps (those past the end
are 0), and that has Winograd's form, with `cook_toom`'s matrices for m outputs of r taps.

For odd k the odd phases have a tap less than they could. The point at infinity takes a kernel's
last tap, so there these phases are left out of the sum.

Where channels fill vectors, a vector holds channels of one phase; few channels lie in a vector with
all their phases. A block is some rows of tiles of an image (or some whole images), and some of the
output channels; nothing of it is shared with another. Of weights that are used once, by one block,
it makes the transform as it goes (`multiply_given`).
"""

from __future__ import annotations

from typing import Any, Final

from faltung.kernels.compiled import kernel
from faltung.kernels.interleave import row_from_lanes, row_to_lanes
from faltung.kernels.micro import SUMS, ZEROS, panel
from faltung.kernels.polyphase_weights import transform_run
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer
from faltung.kernels.strips import split_row
from faltung.kernels.winograd_tiles import from_points, to_points

FIELDS: Final = (
    *("x", "w", "bias", "y", "residual", "scratch", "offsets", "counts", "places"),
    *("point_step", "phase_step", "block_step", "chunk", "near_size", "near_offset"),
    *("batch", "groups", "group_in", "group_out", "pad_y", "pad_x"),
    *("height", "width", "out_height", "out_width"),
    *("tile_rows", "tile_columns", "images", "strips", "strip_rows", "tiles"),
    *("channel_groups", "channels_together", "lane_blocks", "phase_pitch", "in_blocks"),
    *("panels", "parts", "part_panels", "together", "panel_width", "panel_size"),
    *("distance", "sum_pitch", "sum_distance", "split_pitch", "strip_pitch", "strip_plane"),
    *("sums_offset", "split_offset", "strip_offset", "scratch_size"),
)
"""What a block is told, in this order: addresses, sizes, how work is cut, how memory is used."""


def field(arguments: Pointer, name: str) -> Int:
    """Read one of the `FIELDS`."""
    return arguments[FIELDS.index(name)]


@kernel(
    row_to_lanes,
    arguments=INTS,
    x=POINTER,
    strip=POINTER,
    channels=INT,
    first_row=INT,
    rows=INT,
    columns=INT,
)
def fill_strip(
    code: Code,
    arguments: Pointer,
    x: Pointer,
    strip: Pointer,
    channels: Int,
    first_row: Int,
    rows: Int,
    columns: Int,
) -> None:
    """Write so many rows of all phases of as many channels as a vector holds, side by side.

    The strip is ``[even or odd row][row][column of either phase][lane]``: with channels in the
    lanes every other vector is one phase's.
    """

    def of(name: str) -> Int:
        return field(arguments, name)

    plane = of("height") * of("width")
    with code.loop(rows) as r:
        for py in (0, 1):
            row, width = _row(code, arguments, x, (first_row + r) * 2 + py)
            to = strip + (of("strip_plane") * py + r * of("strip_pitch"))
            across = (0 - of("pad_x"), width, columns * 2)
            row_to_lanes.call_apart(code, row, to, plane, channels, *across)


def _row(code: Code, arguments: Pointer, x: Pointer, number: Int) -> tuple[Pointer, Int]:
    """Return where a row of the padded image begins, and its width.

    A row outside is one of no size: everything that is read of it is padding.
    """
    at, width = number - field(arguments, "pad_y"), field(arguments, "width")
    is_inside = code.build.and_(at >= 0, at < field(arguments, "height"))
    row = code.choose_place(is_inside, x + at * width, x)
    return row, code.choose(is_inside, width, code.integer(0))


@kernel(
    *(split_row, row_to_lanes),
    arguments=INTS,
    x=POINTER,
    scratch=POINTER,
    strip=POINTER,
    channels=INT,
    first_row=INT,
    rows=INT,
    columns=INT,
)
def split_phases(
    code: Code,
    arguments: Pointer,
    x: Pointer,
    scratch: Pointer,
    strip: Pointer,
    channels: Int,
    first_row: Int,
    rows: Int,
    columns: Int,
) -> None:
    """Write so many rows of all phases of few channels, which share vectors, side by side.

    ``scratch`` holds one row, ``[phase][channel][column]``; the strip is
    ``[vector of channels][row][column][lane]``.
    """

    def of(name: str) -> Int:
        return field(arguments, name)

    pitch, plane = of("split_pitch"), of("height") * of("width")
    together, lane_blocks = of("channels_together"), of("lane_blocks")
    with code.loop(rows) as r:
        for py in (0, 1):
            row, width = _row(code, arguments, x, (first_row + r) * 2 + py)
            to = scratch + together * pitch * (2 * py)
            with code.loop(channels) as c:
                given = (row + c * plane, to + c * pitch, 0 - of("pad_x"), width, columns)
                split_row.call_apart(code, *given, together * pitch, split=2)
        with code.loop(lane_blocks) as b:
            source = scratch + b * code.lanes * pitch
            count = channels * 4 - b * code.lanes
            to = strip + (b * of("strip_plane") + r * of("strip_pitch"))
            zero = code.integer(0)
            row_to_lanes.call_apart(code, source, to, pitch, count, zero, columns, columns)


@kernel(
    panel,
    arguments=INTS,
    points=POINTER,
    w=POINTER,
    sums=POINTER,
    tiles=INT,
    panels=INT,
    first=INT,
    runs=INT,
)
def multiply(
    code: Code,
    arguments: Pointer,
    points: Pointer,
    w: Pointer,
    sums: Pointer,
    tiles: Int,
    panels: Int,
    first: Int,
    runs: Int,
    *,
    size: int,
    pixels: int,
    vectors: int,
    length: int,
    begin: str,
    prefetches: bool,
) -> None:
    """Sum over so many runs of channels, at every point, for so many panels of output channels."""

    def of(name: str) -> Int:
        return field(arguments, name)

    lanes, width = code.lanes, of("panel_width")
    offsets, counts, places = (
        code.ints(code.address(of(name))) for name in ("offsets", "counts", "places")
    )
    shape = {"pixels": pixels, "vectors": vectors, "length": length, "step": lanes}
    with code.loop(size * size) as p, code.loop(panels) as u:
        weights = w + (u * of("panel_size") + places[p])
        table, blocks = offsets + (p * of("in_blocks") + first * counts[p]), counts[p] * runs
        # The weights that come next are fetched meanwhile: this point's in the next panel.
        is_last = (u + 1).equals(panels)
        ahead = code.choose_place(is_last, w + places[p + 1], weights + of("panel_size"))
        with code.loop(tiles, step=pixels) as tile:
            v = points + (p * of("distance") + tile * lanes)
            to = sums + (p * of("sum_distance") + tile * of("sum_pitch") + u * width)
            given = (v, weights, weights, to, table, blocks, of("sum_pitch"))
            one = code.integer(lanes)
            panel.call_apart(code, *given, one, ahead, **shape, begin=begin, prefetches=prefetches)


@kernel(
    *(transform_run, multiply),
    arguments=INTS,
    points=POINTER,
    near=POINTER,
    sums=POINTER,
    group=INT,
    panel_number=INT,
    tiles=INT,
)
def multiply_given(
    code: Code,
    arguments: Pointer,
    points: Pointer,
    near: Pointer,
    sums: Pointer,
    group: Int,
    panel_number: Int,
    tiles: Int,
    *,
    outputs: int,
    kernel_size: int,
    **shape: int,
) -> None:
    """`multiply` for weights as they were given, and one panel.

    A few runs of channels at a time are transformed, and used before they leave a core's cache.
    """

    def of(name: str) -> Int:
        return field(arguments, name)

    square, width, plane = kernel_size * kernel_size, of("panel_width"), of("group_in")
    at = panel_number * width
    w = code.address(of("w")) + (group * of("group_out") + at) * plane * square
    lines, steps = near + of("near_size"), (of("point_step"), of("phase_step"), of("block_step"))
    form: dict[str, Any] = {"outputs": outputs, "kernel_size": kernel_size, "is_wide": True}
    more: dict[str, Any] = {**shape, "size": outputs + -(-kernel_size // 2) - 1}
    runs, chunk, one = of("channel_groups"), of("chunk"), code.integer(1)
    with code.loop((runs + (chunk - 1)) // chunk) as turn:
        first = turn * chunk
        here = (runs - first).at_most(chunk)
        with code.loop(here) as run:
            channel = (first + run) * code.lanes
            count = (plane - channel).at_most(code.lanes)
            given = (w + channel * square, lines, near, plane * square, count)
            left = of("group_out") - at
            transform_run.call_apart(code, *given, left, width, run, *steps, **form)
        some = (points, near, sums, tiles, one, first, here)
        with code.either(first > 0) as (later, start):
            with later:
                multiply.call_apart(code, arguments, *some, **more, begin=SUMS)
            with start:
                multiply.call_apart(code, arguments, *some, **more, begin=ZEROS)


@kernel(
    *(fill_strip, split_phases, to_points, multiply, multiply_given, from_points, row_from_lanes),
    arguments=INTS,
    block=INT,
    thread=INT,
)
def polyphase_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    outputs: int,
    kernel_size: int,
    pixels: int,
    vectors: int,
    length: int,
    prefetches: bool,
    is_wide: bool,
    is_packed: bool,
    activation: tuple[str, float, float],
    adds: bool,
) -> None:
    """One block: bring phases to their points, sum over channels at each, transform back, store."""

    def of(name: str) -> Int:
        return field(arguments, name)

    lanes, taps = code.lanes, -(-kernel_size // 2)
    form = {"outputs": outputs, "taps": taps}
    shape = {"pixels": pixels, "vectors": vectors, "length": length, "prefetches": prefetches}
    part, rest = block % of("parts"), block // of("parts")
    strip_number, rest = rest % of("strips"), rest // of("strips")
    group, first_image = rest % of("groups"), rest // of("groups") * of("images")
    images = (of("batch") - first_image).at_most(of("images"))
    first_row = strip_number * of("strip_rows")
    rows = (of("tile_rows") - first_row).at_most(of("strip_rows"))
    each, across = rows * of("tile_columns"), of("tile_columns")
    points = code.address(of("scratch")) + thread * of("scratch_size")
    sums, split = points + of("sums_offset"), points + of("split_offset")
    strip, pitch = points + of("strip_offset"), of("strip_pitch")
    in_plane, out_plane = of("height") * of("width"), of("out_height") * of("out_width")
    together = of("channels_together")
    with code.loop(images) as n, code.loop(of("channel_groups")) as g:
        channels = (of("group_in") - g * together).at_most(together)
        number = ((first_image + n) * of("groups") + group) * of("group_in") + g * together
        x = code.address(of("x")) + number * in_plane
        lines, columns = rows * outputs + (taps - 1), across * outputs + (taps - 1)
        sizes = (channels, first_row * outputs, lines, columns)
        if is_wide:
            fill_strip.call_apart(code, arguments, x, strip, *sizes)
        else:
            split_phases.call_apart(code, arguments, x, split, strip, *sizes)
        with code.loop(of("lane_blocks")) as b, code.loop(rows) as r:
            tile = (b * of("phase_pitch") + g) * of("tiles") + n * each + r * across
            # Of many channels a phase's columns are every other one of its rows'.
            first = b // 2 * of("strip_plane") + b % 2 * lanes if is_wide else b * of("strip_plane")
            source, to = strip + (first + r * outputs * pitch), points + tile * lanes
            tiles_of_row = (source, to, pitch, of("distance"), across)
            to_points.call_apart(code, *tiles_of_row, **form, spread=2 if is_wide else 1)
    first_panel = part * of("part_panels")
    last_panel = (first_panel + of("part_panels")).at_most(of("panels"))
    width = of("panel_width")
    panels_here = (last_panel - first_panel + of("together") - 1) // of("together")
    with code.loop(panels_here) as turn:
        start = first_panel + turn * of("together")
        count = (last_panel - start).at_most(of("together"))
        bias = code.address(of("bias")) + (group * of("panels") + start) * width
        tiles = images * each
        if is_packed:
            w = code.address(of("w")) + (group * of("panels") + start) * of("panel_size")
            given = (points, w, sums, tiles, count, code.integer(0), of("channel_groups"))
            size = outputs + taps - 1
            multiply.call_apart(code, arguments, *given, size=size, begin=ZEROS, **shape)
        else:
            near = points + of("near_offset")
            own = (points, near, sums, group, start, tiles)
            whole = {"outputs": outputs, "kernel_size": kernel_size, **shape}
            multiply_given.call_apart(code, arguments, *own, **whole)
        left = (of("group_out") - start * width).at_most(count * width)
        with code.loop(images) as n, code.loop(left, step=lanes) as co:
            number = ((first_image + n) * of("groups") + group) * of("group_out")
            number = number + (start * width + co)
            with code.loop(rows) as r:
                tile = n * each + r * across
                found = sums + (tile * of("sum_pitch") + co)
                apart = (of("sum_pitch"), of("sum_distance"), pitch, across)
                from_points.call_apart(code, found, strip, bias + co, *apart, **form)
                y = (first_row + r) * outputs
                at = number * out_plane + y * of("out_width")
                with code.loop((of("out_height") - y).at_most(outputs)) as line:
                    here = at + line * of("out_width")
                    out, step = code.address(of("y")) + here, code.integer(lanes)
                    source = strip + line * pitch
                    more = (out_plane, left - co, of("out_width"))
                    residual = code.address(of("residual")) + here
                    after = {"activation": activation, "adds": adds}
                    row_from_lanes.call_apart(code, source, step, out, *more, residual, **after)
