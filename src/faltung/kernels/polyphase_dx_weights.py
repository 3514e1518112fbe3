"""Weights of the gradient of the input with stride 2, phase by phase: ``U = G w Gᵀ``.

Lanes hold channels of dx. The phase (py, px) has of each square of weights the taps that come to
its positions, in the order in which they meet `dout`; `taps_of` says which these are. In the order
of use::

    packed[group, panel][py][px][p][block of channels of dout][channel][channel of dx]
"""

from __future__ import annotations

from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.cook_toom import cook_toom
from faltung.kernels.interleave import row_to_lanes
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer
from faltung.kernels.winograd_tiles import both_ways

FIELDS: Final = (
    *("x", "packed", "scratch", "summed", "computed", "panels", "in_blocks", "length"),
    *("width", "point_size", "panel_size", "scratch_size"),
)
"""What a block is told: ``x`` are the weights."""

Taps = tuple[tuple[int, ...], ...]


@kernel(row_to_lanes, arguments=INTS, block=INT, thread=INT)
def transform_phases(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    outputs: int,
    kernel_size: int,
    taps_y: Taps,
    taps_x: Taps,
) -> None:
    """Transform what one block of dout's channels and one panel of dx's have."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    square, width, length = kernel_size * kernel_size, of("width"), of("length")
    in_block, number = block % of("in_blocks"), block // of("in_blocks")
    group, at = number // of("panels"), number % of("panels") * width
    first = in_block * length
    count = (of("summed") - first).at_most(length)
    lines = code.address(of("scratch")) + thread * of("scratch_size")
    channel = (group * of("summed") + first) * of("computed") + at
    source = code.address(of("x")) + channel * square
    out = code.address(of("packed")) + (number * 2 * of("panel_size") + first * width)
    phases = [(rows, columns) for rows in taps_y for columns in taps_x]
    form = cook_toom(outputs, kernel_size // 2)
    points = form.size**2
    with code.loop(width, step=code.lanes) as j:
        with code.loop(count) as c:
            row, to = (c * of("computed") + j) * square, lines + c * (square * code.lanes)
            given = (source + row, to, code.integer(square), of("computed") - at - j)
            whole = (code.integer(0), code.integer(square), code.integer(square))
            row_to_lanes.call_apart(code, *given, *whole)
        # One phase of all channels after the other: so few places are written to in turn.
        for i, (rows, columns) in enumerate(phases):
            begin = out + (of("point_size") * (i * points) + j)
            with code.loop(count) as c:
                own = lines + c * (square * code.lanes)
                taken = [
                    [code.load(own + (ky * kernel_size + kx) * code.lanes) for kx in columns]
                    for ky in rows
                ]
                found = both_ways(code, form.from_weights, taken)
                for p, vector in enumerate(vector for row in found for vector in row):
                    code.store(begin + (of("point_size") * p + c * width), vector)
            with code.loop(length, start=count) as c, code.loop(points) as point:
                code.store(begin + (of("point_size") * point + c * width), code.constant(0.0))
