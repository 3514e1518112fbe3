"""Winograd's convolution with channels in the lanes: from rows of an image to rows of its result.

A tile is ``m × m`` outputs; it needs ``n × n`` inputs, n = m + r - 1. With `cook_toom`'s matrices::

    V = Bᵀ x B,   U = G w Gᵀ,   y = Aᵀ [Σ over channels U ⊙ V] A

Every vector holds one pixel, or one point, of as many channels as there are lanes. So the
transforms are the same arithmetic on vectors as on numbers, and the sum over channels is, for each
of the n² points, a matrix product: tiles times output channels, in register blocks of
`micro.panel`.

Frames are the images of a batch, or the slices of a volume. A kernel that reaches through several
slices is a kernel on the plane for each: its taps in depth are more channels to sum over, those of
the slices that follow. So every slice is transformed once, for all outputs that read it.

A block of work is all tiles of some rows of some frames, and some of the output channels. It does
three things, with working memory that stays in a core's cache::

    points[p][block of channels][frame][tile][lane]    every tile's V, the input transformed
    sums[p][frame][tile][output channel]               Σ U ⊙ V for a few panels of output channels
    strip[row][pixel][lane]                            rows on their way in, or out

Tiles of one frame follow those of the one before. Then a tap in depth is one distance for all tiles
of all frames, and `panel` sums over taps as over blocks of channels.

Between two points lies one vector more than is needed: else they would lie a power of two apart,
and the cache would keep only a few of them.

With a dilation, pixels that are so far apart belong together: each phase is a convolution of
neighbours. Rows of tiles are those of one phase after those of the other, and a strip has rows of
one phase. Columns of all phases lie in it side by side, as whole rows come and go: there, tiles of
the phases take turns, and a tile's pixels are a dilation apart.

Rounding inside a tile depends on all of its inputs, so tiles begin at the output's origin; how
tiles and output channels are dealt out to blocks changes no bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from faltung.kernels.compiled import kernel
from faltung.kernels.cook_toom import cook_toom
from faltung.kernels.interleave import row_from_lanes, row_to_lanes
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer
from faltung.kernels.winograd_tiles import each_phase, fetch, from_points, to_points
from faltung.kernels.winograd_weights import transform_panel

FIELDS: Final = (
    *("x", "w", "bias", "y", "residual", "scratch"),
    *("groups", "group_in", "group_out", "pad_z", "pad_y", "pad_x", "apart"),
    *("in_frames", "height", "width", "row", "in_plane", "in_frame"),
    *("out_frames", "out_height", "out_width", "out_plane", "out_frame", "depth"),
    *("tile_rows", "phase_rows", "tile_columns", "runs", "run_frames", "strips", "strip_rows"),
    *("across", "part_columns", "cuts", "ways", "chunk", "fetches"),
    *("panel", "fetching_panel", "fetching_turns", "pixels"),
    *("length", "panel_width", "panel_size", "in_blocks"),
    *("panels", "parts", "part_panels", "together"),
    *("tiles", "distance", "sum_pitch", "sum_distance", "strip_pitch"),
    *("in_step", "out_step", "group_step", "adding_panel", "near_blocks", "near_distance"),
    *("sums_offset", "strip_offset", "table_offset", "near_offset", "lines_offset", "scratch_size"),
)
"""What a block is told, in this order: addresses, sizes, how work is cut, how memory is used.

From one channel to the next it is a plane, from one frame to the next a frame."""


def field(arguments: Pointer, name: str) -> Int:
    """Read one of the `FIELDS`."""
    return arguments[FIELDS.index(name)]


@kernel(
    *(row_to_lanes, to_points, fetch),
    arguments=INTS,
    x=POINTER,
    strip=POINTER,
    points=POINTER,
    channels=INT,
    height=INT,
    first_row=INT,
    rows=INT,
    first_column=INT,
    columns=INT,
)
def transform_input(
    code: Code,
    arguments: Pointer,
    x: Pointer,
    strip: Pointer,
    points: Pointer,
    channels: Int,
    height: Int,
    first_row: Int,
    rows: Int,
    first_column: Int,
    columns: Int,
    *,
    outputs: int,
    taps: int,
    apart: int,
) -> None:
    """Transform so many tiles of one block of channels, a chunk of columns at a time."""

    def of(name: str) -> Int:
        return field(arguments, name)

    chunk, pitch, plane = of("chunk"), of("strip_pitch"), of("in_plane")
    lanes = code.lanes
    with code.loop((columns + (chunk - 1)) // chunk) as number:
        column = number * chunk
        here = (columns - column).at_most(chunk)
        first = (first_column + column) * outputs - of("pad_x")
        lead = (0 - first).at_least(0)
        # Whole squares where the row goes on, so that no masks are needed.
        wanted = (here + (apart - 1)) // apart * (apart * outputs) + apart * (taps - 1)
        squares = (wanted + (lanes - 1) - lead).at_least(0) // lanes
        count = (lead + squares * lanes).at_most(pitch // lanes - lanes)
        with each_phase(code, of("phase_rows"), first_row, rows) as part:
            with code.loop(part.many * outputs + (taps - 1)) as r:
                at_y = (part.first * outputs + r) * of("apart") + part.phase - of("pad_y")
                is_inside = code.build.and_(at_y >= 0, at_y < height)
                # A row outside is one of no size: everything that is read of it is padding.
                width = code.choose(is_inside, of("width"), code.integer(0))
                row = code.choose_place(is_inside, x + at_y * of("row"), x)
                given = (strip + r * pitch, plane, channels, first, width, count)
                row_to_lanes.call_apart(code, row, *given)
                # The same row of the next block of channels is on its way meanwhile.
                with code.when(of("fetches") > 0):
                    soon = row + (plane * channels + first)
                    fetch.call(code, soon, plane, channels, count, writes=False)
            with code.loop(part.many) as r:
                to = points + ((part.before + r) * columns + column) * lanes
                tiles = (strip + r * pitch * outputs, to, pitch, of("distance"), here)
                to_points.call_apart(code, *tiles, outputs=outputs, taps=taps, apart=apart)


@kernel(
    arguments=INTS,
    points=POINTER,
    w=POINTER,
    sums=POINTER,
    table=POINTER,
    tiles=INT,
    panels=INT,
    blocks=INT,
    size=INT,
    kind=INT,
)
def multiply(
    code: Code,
    arguments: Pointer,
    points: Pointer,
    w: Pointer,
    sums: Pointer,
    table: Pointer,
    tiles: Int,
    panels: Int,
    blocks: Int,
    size: Int,
    kind: Int,
    *,
    outputs: int,
    taps: int,
) -> None:
    """Sum over so many blocks of channels and depth, at every point, for so many panels.

    ``size`` numbers of weights has each point. `micro.panel` is compiled by itself, so that its
    sizes do not multiply what else is compiled: `kind` is its code.
    """

    def of(name: str) -> Int:
        return field(arguments, name)

    lanes, width, pixels = code.lanes, of("panel_width"), of("pixels")
    count, pitch = cook_toom(outputs, taps).size ** 2, of("sum_pitch")
    offsets = code.ints(table)
    with code.loop(count) as p, code.loop(panels) as number:
        inputs, to = points + p * of("distance"), sums + (p * of("sum_distance") + number * width)
        here = w + (number * count + p) * size
        is_last = number.equals(panels - 1)
        # The next weights are those of the next panel, or of the next point's first.
        soon = code.choose_place(is_last, w + (p + 1) * size, here + size * count)
        with code.loop((tiles + (pixels - 1)) // pixels) as turn:
            t = turn * pixels
            some = (inputs + t * lanes, here, here, to + t * pitch, offsets, blocks, pitch)
            now = code.choose(turn < of("fetching_turns"), of("fetching_panel"), kind)
            code.call(now, *some, code.integer(lanes), soon + turn * lanes)


@kernel(
    *(transform_panel, multiply),
    arguments=INTS,
    scratch=POINTER,
    table=POINTER,
    group=INT,
    panel=INT,
    tiles=INT,
)
def multiply_given(
    code: Code,
    arguments: Pointer,
    scratch: Pointer,
    table: Pointer,
    group: Int,
    panel: Int,
    tiles: Int,
    *,
    outputs: int,
    taps: int,
) -> None:
    """`multiply` for one panel of weights as they were given.

    Those of a few blocks of channels are transformed at a time, and used before they leave the
    core's cache.
    """

    def of(name: str) -> Int:
        return field(arguments, name)

    form: dict[str, Any] = {"outputs": outputs, "taps": taps}
    length, width, depth, size = of("length"), of("panel_width"), of("depth"), of("near_distance")
    near, lines = scratch + of("near_offset"), scratch + of("lines_offset")
    at = panel * width
    w = code.address(of("w")) + (group * of("group_step") + at * of("out_step"))
    some, blocks = of("near_blocks"), of("in_blocks")
    with code.loop((blocks + (some - 1)) // some) as turn:
        first = turn * some
        here = (blocks - first).at_most(some)
        with code.loop(here) as b:
            channel = (first + b) * length
            given = (w + channel * of("in_step"), lines, near + b * (length * depth * width))
            left = ((of("group_in") - channel).at_most(length), of("group_out") - at)
            steps = (length, width, depth, of("in_step"), of("out_step"), size)
            transform_panel.call_apart(code, *given, *left, *steps, **form, flips=False)
        kind = code.choose(first > 0, of("adding_panel"), of("panel"))
        offsets = code.ints(table) + first * depth
        own = (scratch, near, scratch + of("sums_offset"), offsets, tiles)
        sizes = (code.integer(1), here * depth, size, kind)
        multiply.call_apart(code, arguments, *own, *sizes, **form)


@kernel(
    *(from_points, row_from_lanes, fetch),
    arguments=INTS,
    sums=POINTER,
    strip=POINTER,
    bias=POINTER,
    y=POINTER,
    residual=POINTER,
    channels=INT,
    first_row=INT,
    rows=INT,
    first_column=INT,
    columns=INT,
)
def transform_output(
    code: Code,
    arguments: Pointer,
    sums: Pointer,
    strip: Pointer,
    bias: Pointer,
    y: Pointer,
    residual: Pointer,
    channels: Int,
    first_row: Int,
    rows: Int,
    first_column: Int,
    columns: Int,
    *,
    outputs: int,
    taps: int,
    apart: int,
    activation: tuple[str, float, float],
    adds: bool,
) -> None:
    """Transform so many tiles of a vector of output channels, and write them."""

    def of(name: str) -> Int:
        return field(arguments, name)

    chunk, pitch, down = of("chunk"), of("strip_pitch"), of("apart")
    plane, width, lanes = of("out_plane"), of("out_width"), code.lanes
    follows: dict[str, Any] = {"activation": activation, "adds": adds}
    with each_phase(code, of("phase_rows"), first_row, rows) as part, code.loop(part.many) as r:
        first = (part.first + r) * outputs * down + part.phase
        # Some phases may have a row of tiles less than the first one.
        there = (of("out_height") - first + (down - 1)).at_least(0) // down
        with code.loop((columns + (chunk - 1)) // chunk) as number:
            column = number * chunk
            here = (columns - column).at_most(chunk)
            tiles = sums + ((part.before + r) * columns + column) * of("sum_pitch")
            given = (of("sum_pitch"), of("sum_distance"), pitch, here)
            form = {"outputs": outputs, "taps": taps, "apart": apart}
            from_points.call_apart(code, tiles, strip, bias, *given, **form)
            x, turns = (first_column + column) * outputs, (here + (apart - 1)) // apart
            count = (turns * (apart * outputs)).at_most(width - x)
            with code.loop(there.at_most(outputs)) as i:
                at = (first + i * down) * width + x
                row = (strip + i * pitch, code.integer(lanes), y + at, plane, channels, count)
                row_from_lanes.call_apart(code, *row, residual + at, **follows)
                with code.when(of("fetches") > 0):
                    fetch.call(code, y + (plane * lanes + at), plane, channels, count, writes=True)


@kernel(
    *(transform_input, multiply, multiply_given, transform_output),
    arguments=INTS,
    block=INT,
    thread=INT,
)
def winograd_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    outputs: int,
    taps: int,
    apart: int = 1,
    activation: tuple[str, float, float] = ("", 0.0, 0.0),
    adds: bool = False,
    is_packed: bool = True,
) -> None:
    """One block: transform its input, then for a few panels at a time multiply, transform back."""

    def of(name: str) -> Int:
        return field(arguments, name)

    form: dict[str, Any] = {"outputs": outputs, "taps": taps}
    tile = form | {"apart": apart}
    lanes, width, length = code.lanes, of("panel_width"), of("length")
    part, rest = block % of("parts"), _apart(of, block // of("parts"))
    part_column, rest = rest % of("across"), rest // of("across")
    strip_number, rest = rest % of("strips"), rest // of("strips")
    group, rest = rest % of("groups"), rest // of("groups")
    first_frame, volume = rest % of("runs") * of("run_frames"), rest // of("runs")
    frames = (of("out_frames") - first_frame).at_most(of("run_frames"))
    first_row, first_column = strip_number * of("strip_rows"), part_column * of("part_columns")
    rows = (of("tile_rows") - first_row).at_most(of("strip_rows"))
    columns = (of("tile_columns") - first_column).at_most(of("part_columns"))
    each, place = rows * columns, (first_row, rows, first_column, columns)
    points = code.address(of("scratch")) + thread * of("scratch_size")
    sums, strip = points + of("sums_offset"), points + of("strip_offset")
    table, depth = points + of("table_offset"), of("depth")
    first_group = volume * of("groups") + group
    with code.loop(of("in_blocks")) as b:
        channel, tiles = b * length, b * of("tiles")
        source = code.address(of("x")) + (first_group * of("group_in") + channel) * of("in_plane")
        some = (of("group_in") - channel).at_most(length)
        with code.loop(frames + depth - 1) as f:
            at = first_frame + f - of("pad_z")
            is_inside = code.build.and_(at >= 0, at < of("in_frames"))
            # A frame outside is one without rows: everything that is read of it is padding.
            height = code.choose(is_inside, of("height"), code.integer(0))
            frame = source + at * of("in_frame")
            given = (frame, strip, points + (tiles + f * each) * lanes, some, height, *place)
            transform_input.call_apart(code, arguments, *given, **tile)
        with code.loop(depth) as z:
            offset = (tiles + z * each) * lanes
            code.store_number(code.ints(table) + (b * depth + z), offset.value)
    count = cook_toom(outputs, taps).size ** 2
    panels, first_panel = of("panels"), part * of("part_panels")
    last_panel = (first_panel + of("part_panels")).at_most(panels)
    together = of("together")
    with code.loop((last_panel - first_panel + (together - 1)) // together) as turn:
        at = first_panel + turn * together
        here = (last_panel - at).at_most(together)
        if is_packed:
            w = code.address(of("w")) + (group * panels + at) * (of("panel_size") * count)
            sizes = (of("in_blocks") * depth, of("panel_size"), of("panel"))
            packed = (points, w, sums, table, each * frames, here, *sizes)
            multiply.call_apart(code, arguments, *packed, **form)
        else:
            raw = (points, table, group, at, each * frames)
            multiply_given.call_apart(code, arguments, *raw, **form)
        left = (of("group_out") - at * width).at_most(here * width)
        with code.loop(left, step=lanes) as k, code.loop(frames) as f:
            channel = at * width + k
            plane = (first_group * of("group_out") + channel) * of("out_plane")
            plane += (first_frame + f) * of("out_frame")
            bias = code.address(of("bias")) + (group * panels * width + channel)
            to, more = (code.address(of(name)) + plane for name in ("y", "residual"))
            found = (sums + (f * each * of("sum_pitch") + k), strip, bias, to, more)
            some = (left - k).at_most(lanes)
            follows: dict[str, Any] = {"activation": activation, "adds": adds}
            transform_output.call_apart(code, arguments, *found, some, *place, **tile, **follows)


def _apart(of: Callable[[str], Int], cut: Int) -> Int:
    """Return which cut is done in its turn: threads that take turns stay in places of their own."""
    ways, cuts = of("ways"), of("cuts")
    way = cut % ways
    return way * (cuts // ways) + way.at_most(cuts % ways) + cut // ways
