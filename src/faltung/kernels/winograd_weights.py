"""Weights of Winograd's convolution: ``U = G w Gᵀ``, in the order in which it reads them.

Lanes hold output channels, as they do where U is used. Rows of weights, one for each output
channel, become vectors as rows of an image do; then nine (or 25) vectors are one pair of channels'
weights, for as many output channels as there are lanes. A kernel with depth is transformed square
by square: block after block of channels, and in each, depth after depth.

For the gradient of the input, channels change places and taps come in reverse. Both are only
another way to walk through the same array: a distance between two output channels, one between two
input channels, and taps that are counted from the end.
"""

from __future__ import annotations

from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.cook_toom import cook_toom
from faltung.kernels.interleave import row_to_lanes
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer
from faltung.kernels.winograd_tiles import both_ways

FIELDS: Final = (
    *("x", "packed", "scratch", "length", "width", "panel_size", "in_blocks", "panels"),
    *("group_in", "group_out", "depth"),
    *("in_step", "out_step", "group_step", "scratch_size"),
)
"""What a block is told: ``x`` are the weights."""


def field(arguments: Pointer, name: str) -> Int:
    """Read one of the `FIELDS`."""
    return arguments[FIELDS.index(name)]


@kernel(
    row_to_lanes,
    source=POINTER,
    lines=POINTER,
    packed=POINTER,
    count=INT,
    channels=INT,
    length=INT,
    width=INT,
    depth=INT,
    in_step=INT,
    out_step=INT,
    distance=INT,
)
def transform_panel(
    code: Code,
    source: Pointer,
    lines: Pointer,
    packed: Pointer,
    count: Int,
    channels: Int,
    length: Int,
    width: Int,
    depth: Int,
    in_step: Int,
    out_step: Int,
    distance: Int,
    *,
    outputs: int,
    taps: int,
    flips: bool,
) -> None:
    """Transform what ``count`` input channels and one panel of output channels have.

    ``lines`` is working memory; from one point to the next it is a ``distance``. Output channels
    past those that there are get zeros, and so do input channels up to the ``length`` of a block.
    """
    lanes, square, points = code.lanes, taps * taps, cook_toom(outputs, taps).size ** 2
    # Turned round, input channels lie apart: one at a time.
    run = code.integer(1) if flips else count
    with code.loop(width, step=lanes) as j, code.loop(count // run) as turn:
        channel, numbers = turn * run, run * depth * square
        begin = source + (j * out_step + channel * in_step)
        given = (begin, lines, out_step, channels - j, code.integer(0), numbers, numbers)
        row_to_lanes.call_apart(code, *given)
        with code.loop(run * depth) as s:
            z = depth - 1 - s % depth if flips else s % depth
            to = packed + ((z * length + channel + s // depth) * width + j)
            _one(code, lines + s * (square * lanes), to, distance, outputs, taps, flips)
    with code.loop(length, start=count) as c, code.loop(depth) as z, code.loop(points) as p:
        to = packed + (p * distance + (z * length + c) * width)
        with code.loop(width, step=lanes) as j:
            code.store(to + j, code.constant(0.0))


@kernel(transform_panel, arguments=INTS, block=INT, thread=INT)
def transform_weights(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    outputs: int,
    taps: int,
    flips: bool,
) -> None:
    """Transform what one block of input channels and one panel of output channels have."""

    def of(name: str) -> Int:
        return field(arguments, name)

    length, width, depth, distance = (of("length"), of("width"), of("depth"), of("panel_size"))
    in_block, number = block % of("in_blocks"), block // of("in_blocks")
    group, at = number // of("panels"), number % of("panels") * width
    first = in_block * length
    source = code.address(of("x")) + (group * of("group_step") + first * of("in_step"))
    lines = code.address(of("scratch")) + thread * of("scratch_size")
    points = cook_toom(outputs, taps).size ** 2
    packed = code.address(of("packed")) + (number * points * distance + first * depth * width)
    given = (source + at * of("out_step"), lines, packed)
    left = ((of("group_in") - first).at_most(length), of("group_out") - at)
    steps = (length, width, depth, of("in_step"), of("out_step"), distance)
    form = {"outputs": outputs, "taps": taps, "flips": flips}
    transform_panel.call_apart(code, *given, *left, *steps, **form)


def _one(
    code: Code,
    weights: Pointer,
    to: Pointer,
    distance: Int,
    outputs: int,
    taps: int,
    flips: bool,
) -> None:
    """Transform one pair of channels' weights, for a vector of output channels."""
    form = cook_toom(outputs, taps)
    places = [taps * taps - 1 - k if flips else k for k in range(taps * taps)]
    read = [code.load(weights + k * code.lanes) for k in places]
    square = [read[k : k + taps] for k in range(0, len(read), taps)]
    for i, row in enumerate(both_ways(code, form.from_weights, square)):
        for j, vector in enumerate(row):
            code.store(to + distance * (i * form.size + j), vector)
