"""Convolution of signals of many channels in Winograd's form, with channels in the lanes.

A kernel of ``g·r`` taps is g short ones of r taps. With `cook_toom`'s matrices for tiles of as many
outputs as these have taps, n = 2r - 1::

    y[tile] = Aᵀ [Σ over channels and parts k of the kernel  (G w[k]) ⊙ V[tile + k]],   V = Bᵀ x

since what the part k reads for a tile is what the first part reads for the k-th tile after it. So
every tile is transformed once, however long the kernel is, and to `micro.panel` parts are what
taps are to a convolution: distances in one table.

A block is some tiles of one signal and some panels of output channels. In a core's cache it has::

    points[p][block of channels][tile][lane]
    sums[p][tile][output channel]               for one panel of output channels
    strip[sample][lane]                         samples on their way in, or out
"""

from __future__ import annotations

from typing import Any, Final

from faltung.kernels.compiled import kernel
from faltung.kernels.cook_toom import cook_toom
from faltung.kernels.interleave import row_from_lanes, row_to_lanes
from faltung.kernels.linear import times
from faltung.kernels.micro import ZEROS, panel
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer

FIELDS: Final = (
    *("x", "w", "bias", "y", "residual", "scratch", "offsets"),
    *("groups", "group_in", "group_out", "size", "out_size", "pad"),
    *("tiles", "cuts", "cut_tiles", "more_tiles", "length", "in_blocks", "blocks"),
    *("panels", "parts", "part_panels", "point_size", "panel_size"),
    *("distance", "block_distance", "sum_distance", "sums_offset", "strip_offset", "scratch_size"),
)
"""What a block is told. A cut reads `more_tiles` behind its own; panels sum over `blocks`."""

WEIGHT_FIELDS: Final = (
    *("x", "packed", "group_in", "group_out", "panels", "in_blocks", "length", "width"),
    *("point_size", "panel_size", "scratch", "scratch_size"),
)
"""What `transform_taps` is told: ``x`` are the weights."""


@kernel(row_to_lanes, arguments=INTS, block=INT, thread=INT)
def transform_taps(
    code: Code, arguments: Pointer, block: Int, thread: Int, *, taps: int, parts: int
) -> None:
    """Transform what a block of input channels and a panel of output channels have.

    They lie as they are used: ``[panel][p][block][part][channel][output channel]``.
    """

    def of(name: str) -> Int:
        return arguments[WEIGHT_FIELDS.index(name)]

    form, size, length = cook_toom(taps, taps), taps * parts, of("length")
    in_block, number = block % of("in_blocks"), block // of("in_blocks")
    group, at = number // of("panels"), number % of("panels") * of("width")
    first, apart = in_block * length, of("group_in") * size
    count = (of("group_in") - first).at_most(length)
    lines = code.address(of("scratch")) + thread * of("scratch_size")
    source = code.address(of("x")) + ((group * of("group_out") + at) * apart + first * size)
    to = code.address(of("packed")) + number * of("panel_size")
    to = to + first * parts * of("width")
    with code.loop(of("width"), step=code.lanes) as j:
        channels, numbers = of("group_out") - at - j, count * size
        given = (source + j * apart, lines, apart, channels, code.integer(0), numbers, numbers)
        row_to_lanes.call_apart(code, *given)
        with code.loop(parts) as part, code.loop(count) as c:
            own = lines + (c * size + part * taps) * code.lanes
            column = [code.load(own + k * code.lanes) for k in range(taps)]
            place = to + ((part * length + c) * of("width") + j)
            for p, vector in enumerate(times(code, form.from_weights, column)):
                code.store(place + of("point_size") * p, vector)
        with code.loop(parts) as part, code.loop(length, start=count) as c:
            place = to + ((part * length + c) * of("width") + j)
            for p in range(form.size):
                code.store(place + of("point_size") * p, code.constant(0.0))


@kernel(strip=POINTER, points=POINTER, distance=INT, count=INT)
def to_points(
    code: Code, strip: Pointer, points: Pointer, distance: Int, count: Int, *, taps: int
) -> None:
    """``V = Bᵀ x`` for so many tiles, whose points lie a ``distance`` apart."""
    form = cook_toom(taps, taps)
    with code.loop(count) as tile:
        first = strip + tile * (taps * code.lanes)
        column = [code.load(first + i * code.lanes) for i in range(form.size)]
        for p, vector in enumerate(times(code, form.from_input, column)):
            code.store(points + (distance * p + tile * code.lanes), vector)


@kernel(sums=POINTER, strip=POINTER, bias=POINTER, distance=INT, pitch=INT, count=INT)
def from_points(
    code: Code,
    sums: Pointer,
    strip: Pointer,
    bias: Pointer,
    distance: Int,
    pitch: Int,
    count: Int,
    *,
    taps: int,
) -> None:
    """``y = Aᵀ S + bias`` for so many tiles, whose sums are a ``pitch`` apart."""
    form, start = cook_toom(taps, taps), code.load(bias)
    with code.loop(count) as tile:
        own = sums + tile * pitch
        column = [code.load(own + distance * p) for p in range(form.size)]
        for i, vector in enumerate(times(code, form.to_output, column)):
            code.store(strip + (tile * taps + i) * code.lanes, vector + start)


@kernel(
    *(row_to_lanes, to_points, panel, from_points, row_from_lanes),
    arguments=INTS,
    block=INT,
    thread=INT,
)
def signal_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    taps: int,
    pixels: int,
    vectors: int,
    length: int,
    prefetches: bool,
    activation: tuple[str, float, float],
    adds: bool,
) -> None:
    """One block: bring its samples to their points, sum at each, transform back, store."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    lanes, width, form = code.lanes, vectors * code.lanes, cook_toom(taps, taps)
    part, rest = block % of("parts"), block // of("parts")
    cut, image = rest % of("cuts"), rest // of("cuts")
    group, first_tile = image % of("groups"), cut * of("cut_tiles")
    tiles = (of("tiles") - first_tile).at_most(of("cut_tiles"))
    points = code.address(of("scratch")) + thread * of("scratch_size")
    sums, strip = points + of("sums_offset"), points + of("strip_offset")
    size, read = of("size"), tiles + of("more_tiles")
    with code.loop(of("in_blocks")) as b:
        channel = b * of("length")
        source = code.address(of("x")) + (image * of("group_in") + channel) * size
        channels = (of("group_in") - channel).at_most(of("length"))
        across = (first_tile * taps - of("pad"), size, read * taps + (taps - 1))
        row_to_lanes.call_apart(code, source, strip, size, channels, *across)
        to = points + b * of("block_distance")
        to_points.call_apart(code, strip, to, of("distance"), read, taps=taps)
    offsets = code.ints(code.address(of("offsets")))
    shape: dict[str, Any] = {"pixels": pixels, "vectors": vectors, "length": length, "step": lanes}
    first = part * of("part_panels")
    last = (first + of("part_panels")).at_most(of("panels"))
    with code.loop(last, start=first) as number:
        at = group * of("panels") + number
        w = code.address(of("w")) + at * of("panel_size")
        with code.loop(form.size) as p, code.loop(tiles, step=pixels) as t:
            here, ahead = w + p * of("point_size"), w + (p + 1) * of("point_size")
            source, to = points + (p * of("distance") + t * lanes), sums + p * of("sum_distance")
            given = (source, here, here, to + t * width, offsets, of("blocks"))
            more = (code.integer(width), code.integer(lanes), ahead)
            panel.call_apart(code, *given, *more, **shape, begin=ZEROS, prefetches=prefetches)
        left = (of("group_out") - number * width).at_most(width)
        with code.loop(left, step=lanes) as c:
            bias = code.address(of("bias")) + (at * width + c)
            sizes = (of("sum_distance"), code.integer(width), tiles)
            from_points.call_apart(code, sums + c, strip, bias, *sizes, taps=taps)
            channel, begin = image * of("group_out") + number * width + c, first_tile * taps
            place = channel * of("out_size") + begin
            count = (of("out_size") - begin).at_most(tiles * taps)
            y, residual = (code.address(of(name)) + place for name in ("y", "residual"))
            row = (strip, code.integer(lanes), y, of("out_size"), left - c, count, residual)
            row_from_lanes.call_apart(code, *row, activation=activation, adds=adds)
