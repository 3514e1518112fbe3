"""The gradient of the input with stride 2 in Winograd's form: its four phases are output channels.

Positions of dx with the same remainder modulo the stride are a *phase*: a correlation of `dout`
with stride 1, and with every other tap alone (`kernels.reaches`)::

    dx[ci, 2m + py, 2n + px] = Σ_co Σ_a,b  w[co, ci, ky(py, a), kx(px, b)] · dout[co, m + a, n + b]

So a kernel of an even number k of taps has four kernels of ``r = k/2`` by r taps, and each of them
has Winograd's form, with `cook_toom`'s matrices for tiles of ``outputs`` by ``outputs`` positions.
A transposed convolution is this gradient.

Vectors hold channels. A block is some rows of tiles of an image and some panels of dx's channels,
and nothing of it is shared with another. It takes one phase of rows after the other::

    points[phase of columns][p][block of channels][tile][lane]   dout transformed
    sums[phase of columns][p][tile][channel of dx]               for one panel of channels
    strip[row][pixel][lane]                                      rows on their way in, or out

Where the phases of columns read dout from the same column on, they share their points; where those
of rows do, they are transformed once. On their way back tiles of both phases of columns are written
in turn, so whole rows leave.
"""

from __future__ import annotations

from typing import Any, Final

from faltung.kernels.compiled import kernel
from faltung.kernels.interleave import row_from_lanes, row_to_lanes
from faltung.kernels.micro import ZEROS, panel
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer
from faltung.kernels.winograd_tiles import from_points, to_points

FIELDS: Final = (
    *("x", "w", "bias", "y", "residual", "scratch", "offsets"),
    *("groups", "summed", "computed", "height", "width", "out_height", "out_width"),
    *("lead_y", "lead_x", "later_y", "later_x"),
    *("tile_rows", "tile_columns", "strips", "strip_rows", "tiles"),
    *("length", "in_blocks", "panels", "parts", "part_panels", "point_size", "panel_size"),
    *("distance", "apart", "sum_distance", "sum_size", "strip_pitch"),
    *("sums_offset", "strip_offset", "scratch_size"),
)
"""What a block is told. ``x`` is dout, of `summed` channels, ``y`` is dx.

Phase 0 reads dout from ``-lead`` on, phase 1 from ``later`` positions after that; points of the two
phases of columns are ``apart``, by 0 where they share them.
"""


def field(arguments: Pointer, name: str) -> Int:
    """Read one of the `FIELDS`."""
    return arguments[FIELDS.index(name)]


@kernel(
    *(row_to_lanes, to_points),
    arguments=INTS,
    x=POINTER,
    strip=POINTER,
    points=POINTER,
    first_row=INT,
    rows=INT,
    shift=INT,
)
def transform_rows(
    code: Code,
    arguments: Pointer,
    x: Pointer,
    strip: Pointer,
    points: Pointer,
    first_row: Int,
    rows: Int,
    shift: Int,
    *,
    outputs: int,
    taps: int,
) -> None:
    """Transform rows of tiles of all channels, ``shift`` rows below where phase 0 begins."""

    def of(name: str) -> Int:
        return field(arguments, name)

    plane, across, pitch = of("height") * of("width"), of("tile_columns"), of("strip_pitch")
    columns = across * outputs + (taps - 1) + of("later_x")
    with code.loop(of("in_blocks")) as b:
        channel = b * of("length")
        source = x + channel * plane
        channels = (of("summed") - channel).at_most(of("length"))
        with code.loop(rows * outputs + (taps - 1)) as r:
            at = first_row * outputs + r + shift - of("lead_y")
            is_inside = code.build.and_(at >= 0, at < of("height"))
            # A row outside is one of no size: everything that is read of it is padding.
            width = code.choose(is_inside, of("width"), code.integer(0))
            row = code.choose_place(is_inside, source + at * of("width"), source)
            across_row = (plane, channels, 0 - of("lead_x"), width, columns)
            row_to_lanes.call_apart(code, row, strip + r * pitch, *across_row)
        with code.loop(of("later_x") + 1) as phase, code.loop(rows) as r:
            tile = b * of("tiles") + r * across
            to = points + (phase * of("apart") + tile * code.lanes)
            source = strip + (r * outputs * pitch + phase * code.lanes)
            given = (source, to, pitch, of("distance"), across)
            to_points.call_apart(code, *given, outputs=outputs, taps=taps)


@kernel(panel, arguments=INTS, points=POINTER, w=POINTER, sums=POINTER, tiles=INT)
def multiply(
    code: Code,
    arguments: Pointer,
    points: Pointer,
    w: Pointer,
    sums: Pointer,
    tiles: Int,
    *,
    size: int,
    pixels: int,
    vectors: int,
    length: int,
) -> None:
    """Sum over all channels, at every point, for both phases of columns of one panel.

    Weights of one phase, and of one point, follow those of the other: what comes next is fetched.
    """

    def of(name: str) -> Int:
        return field(arguments, name)

    lanes, offsets = code.lanes, code.ints(code.address(of("offsets")))
    pitch, square = vectors * lanes, size * size
    shape = {"pixels": pixels, "vectors": vectors, "length": length, "step": lanes}
    with code.loop(2) as phase, code.loop(square) as p:
        here = w + (phase * square + p) * of("point_size")
        source = points + (phase * of("apart") + p * of("distance"))
        to = sums + (phase * of("sum_size") + p * of("sum_distance"))
        ahead = here + of("point_size")
        with code.loop(tiles, step=pixels) as t:
            given = (source + t * lanes, here, here, to + t * pitch, offsets, of("in_blocks"))
            more = (code.integer(pitch), code.integer(lanes), ahead)
            panel.call_apart(code, *given, *more, **shape, begin=ZEROS, prefetches=True)


@kernel(
    *(from_points, row_from_lanes),
    arguments=INTS,
    sums=POINTER,
    strip=POINTER,
    bias=POINTER,
    y=POINTER,
    residual=POINTER,
    channels=INT,
    first_row=INT,
    rows=INT,
    phase=INT,
)
def write_rows(
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
    phase: Int,
    *,
    outputs: int,
    taps: int,
    vectors: int,
    **store: Any,
) -> None:
    """Transform a vector of channels back, and write the rows of one phase."""

    def of(name: str) -> Int:
        return field(arguments, name)

    lanes, across, pitch = code.lanes, of("tile_columns"), of("strip_pitch")
    plane, width = of("out_height") * of("out_width"), of("out_width")
    with code.loop(rows) as r:
        for px in (0, 1):
            tiles = sums + (of("sum_size") * px + r * across * (vectors * lanes))
            given = (tiles, strip + px * lanes, bias, code.integer(vectors * lanes))
            sizes = (of("sum_distance"), pitch, across)
            form: dict[str, Any] = {"outputs": outputs, "taps": taps, "spread": 2}
            from_points.call_apart(code, *given, *sizes, **form)
        first = (first_row + r) * (2 * outputs) + phase
        there = (of("out_height") - first + 1).at_least(0) // 2
        with code.loop(there.at_most(outputs)) as i:
            at = (first + i * 2) * width
            row = (strip + i * pitch, code.integer(lanes), y + at, plane, channels, width)
            row_from_lanes.call_apart(code, *row, residual + at, **store)


@kernel(transform_rows, multiply, write_rows, arguments=INTS, block=INT, thread=INT)
def polyphase_dx_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    outputs: int,
    taps: int,
    pixels: int,
    vectors: int,
    length: int,
    activation: tuple[str, float, float],
    adds: bool,
) -> None:
    """One block: for each phase of rows bring dout to its points, multiply, transform back."""

    def of(name: str) -> Int:
        return field(arguments, name)

    form: dict[str, Any] = {"outputs": outputs, "taps": taps}
    lanes, width = code.lanes, vectors * code.lanes
    part, rest = block % of("parts"), block // of("parts")
    strip_number, image = rest % of("strips"), rest // of("strips")
    group, first_row = image % of("groups"), strip_number * of("strip_rows")
    rows = (of("tile_rows") - first_row).at_most(of("strip_rows"))
    points = code.address(of("scratch")) + thread * of("scratch_size")
    sums, strip = points + of("sums_offset"), points + of("strip_offset")
    x = code.address(of("x")) + image * of("summed") * of("height") * of("width")
    plane, tiles = of("out_height") * of("out_width"), rows * of("tile_columns")
    first = part * of("part_panels")
    last = (first + of("part_panels")).at_most(of("panels"))
    with code.loop(2) as phase:
        shift = phase * of("later_y")
        with code.when(code.build.or_(phase.equals(0), shift > 0)):
            given = (x, strip, points, first_row, rows, shift)
            transform_rows.call_apart(code, arguments, *given, **form)
        with code.loop(last, start=first) as number:
            at = (group * of("panels") + number) * 2 + phase
            w = code.address(of("w")) + at * of("panel_size")
            shape: dict[str, Any] = {"pixels": pixels, "vectors": vectors, "length": length}
            size = outputs + taps - 1
            multiply.call_apart(code, arguments, points, w, sums, tiles, size=size, **shape)
            left = (of("computed") - number * width).at_most(width)
            with code.loop(left, step=lanes) as c:
                bias = code.address(of("bias")) + ((group * of("panels") + number) * width + c)
                channel = image * of("computed") + number * width + c
                y, residual = (code.address(of(n)) + channel * plane for n in ("y", "residual"))
                found = (sums + c, strip, bias, y, residual, left - c, first_row, rows, phase)
                after: dict[str, Any] = {"activation": activation, "adds": adds}
                write_rows.call_apart(code, arguments, *found, **form, vectors=vectors, **after)
