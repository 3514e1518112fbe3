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

from llvmlite import ir

from faltung.kernels.compiled import kernel
from faltung.kernels.cook_toom import cook_toom
from faltung.kernels.interleave import row_to_lanes
from faltung.kernels.simd import DOUBLE, INT, INTS, NUMBERS, Code, Int, Pointer, Vector
from faltung.kernels.winograd import both_ways

FIELDS: Final = (
    *("x", "packed", "scratch", "length", "width", "panel_size", "in_blocks", "panels"),
    *("group_in", "group_out", "depth"),
    *("in_step", "out_step", "group_step", "run", "scratch_size"),
)
"""What a block is told: ``x`` are the weights, and ``run`` input channels lie side by side."""


def field(arguments: Pointer, name: str) -> Int:
    """Read one of the `FIELDS`."""
    return arguments[FIELDS.index(name)]


class Precise:
    """Arithmetic on vectors of numbers in float64, whatever the kernel's numbers are."""

    def __init__(self, code: Code) -> None:
        self.code, self.build = code, code.build
        self.vector = ir.VectorType(NUMBERS[DOUBLE], code.lanes)

    def widened(self, vector: Vector) -> Vector:
        """Return a vector's numbers in float64."""
        if self.code.number == DOUBLE:
            return vector
        return Vector(self.build, self.build.fpext(vector.value, self.vector))

    def rounded(self, vector: Vector) -> Vector:
        """Return numbers as the kernel's, rounded once."""
        if self.code.number == DOUBLE:
            return vector
        return Vector(self.build, self.build.fptrunc(vector.value, self.code.vector))

    def constant(self, value: float) -> Vector:
        """Return a vector with one number in all lanes."""
        return Vector(self.build, ir.Constant(self.vector, [float(value)] * self.code.lanes))

    def fma(self, a: Vector, b: Vector, c: Vector) -> Vector:
        """Return ``a * b + c``."""
        return a * b + c


@kernel(row_to_lanes, arguments=INTS, block=INT, thread=INT)
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

    lanes, square = code.lanes, taps * taps
    length, width = of("length"), of("width")
    in_block, number = block % of("in_blocks"), block // of("in_blocks")
    group, at = number // of("panels"), number % of("panels") * width
    first = in_block * length
    here = (of("group_in") - first).at_most(length)
    lane_rows = code.address(of("scratch")) + thread * of("scratch_size")
    weights = code.address(of("x")) + (group * of("group_step") + first * of("in_step"))
    distance, depth = of("panel_size"), of("depth")
    points = cook_toom(outputs, taps).size ** 2
    packed = code.address(of("packed")) + (number * points * distance + first * depth * width)
    run = of("run").at_most(here)
    with code.loop(width, step=lanes) as j:
        channels = of("group_out") - at - j
        source = weights + (at + j) * of("out_step")
        with code.loop((here + (run - 1)) // run) as turn:
            channel = turn * run
            count = (here - channel).at_most(run) * depth * square
            given = (source + channel * of("in_step"), lane_rows, of("out_step"), channels)
            row_to_lanes.call_apart(code, *given, code.integer(0), count, count)
            with code.loop(count // square) as s:
                z = depth - 1 - s % depth if flips else s % depth
                to = packed + ((z * length + channel + s // depth) * width + j)
                _one(code, lane_rows + s * (square * lanes), to, distance, outputs, taps, flips)
        with code.loop(length, start=here) as c, code.loop(depth) as z, code.loop(points) as p:
            to = packed + (p * distance + (z * length + c) * width + j)
            code.store(to, code.constant(0.0))


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
    precise, form = Precise(code), cook_toom(outputs, taps)
    places = [taps * taps - 1 - k if flips else k for k in range(taps * taps)]
    read = [precise.widened(code.load(weights + k * code.lanes)) for k in places]
    square = [read[k : k + taps] for k in range(0, len(read), taps)]
    for i, row in enumerate(both_ways(precise, form.from_weights, square)):
        for j, vector in enumerate(row):
            code.store(to + distance * (i * form.size + j), precise.rounded(vector))
