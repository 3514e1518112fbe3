"""Weights of a convolution with stride 2, phase by phase: ``U = G w Gᵀ``, in the order of use.

Lanes hold output channels. For one input channel and one phase (py, px) the square has the taps
``w[2a + py, 2b + px]``, and 0 past the last. For each point there is a block for each *run* of
input channels, as many as a vector has lanes, and each phase that the point sums over::

    packed[panel][p][run][phase][channel][output channel]

Few input channels are one run, without places for those that a vector could have more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from faltung.kernels.compiled import kernel
from faltung.kernels.cook_toom import CookToom, cook_toom
from faltung.kernels.interleave import row_to_lanes
from faltung.kernels.linear import times
from faltung.kernels.polyphase_cost import phases_at
from faltung.kernels.simd import INT, INTS, POINTER, Code, Int, Pointer, Vector

FIELDS: Final = (
    *("x", "packed", "scratch", "group_in", "group_out", "panels", "width", "panel_size"),
    *("runs", "point_step", "phase_step", "block_step", "scratch_size"),
)
"""What a block is told: ``x`` are the weights; distances of points, and of a point's blocks.

Every phase of the points before moves a point by a `phase_step`.
"""


class Place(NamedTuple):
    """Where a phase lies that a point sums over: `before` are the phases of the points before."""

    point: int
    before: int
    phases: int
    rank: int


@kernel(
    row_to_lanes,
    source=POINTER,
    lines=POINTER,
    out=POINTER,
    plane=INT,
    count=INT,
    channels=INT,
    width=INT,
    run=INT,
    point_step=INT,
    phase_step=INT,
    block_step=INT,
)
def transform_run(
    code: Code,
    source: Pointer,
    lines: Pointer,
    out: Pointer,
    plane: Int,
    count: Int,
    channels: Int,
    width: Int,
    run: Int,
    point_step: Int,
    phase_step: Int,
    block_step: Int,
    *,
    outputs: int,
    kernel_size: int,
    is_wide: bool,
) -> None:
    """Transform ``count`` input channels of ``channels`` output channels, a ``plane`` apart.

    ``lines`` is working memory; ``out`` is where the panel begins, ``run`` the number of the run.
    """
    lanes, square = code.lanes, kernel_size * kernel_size
    form = cook_toom(outputs, -(-kernel_size // 2))
    zero, length = code.integer(0), count * square

    def put(to: Pointer, place: Place, vector: Vector) -> None:
        block = run * place.phases + place.rank
        at = point_step * place.point + phase_step * place.before + block_step * block
        code.store(to + at, vector)

    with code.loop(width, step=lanes) as j:
        given = (source + j * plane, lines, plane, channels - j)
        row_to_lanes.call_apart(code, *given, zero, length, length)
        with code.loop(count) as c:
            to = out + (c * width + j)
            for phase in range(4):
                found = _transformed(code, lines + c * (square * lanes), form, kernel_size, phase)
                for place in _places(form, kernel_size, phase, is_wide):
                    put(to, place, found[place.point])
        if is_wide:
            with code.loop(lanes, start=count) as c:
                for phase in range(4):
                    for place in _places(form, kernel_size, phase, is_wide):
                        put(out + (c * width + j), place, code.constant(0.0))
        else:
            with code.loop(point_step // width, start=count * 4) as row:
                for point in range(form.size**2):
                    code.store(out + (point_step * point + row * width + j), code.constant(0.0))


@kernel(transform_run, arguments=INTS, block=INT, thread=INT)
def transform_phases(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    outputs: int,
    kernel_size: int,
    is_wide: bool,
) -> None:
    """Transform what a run of input channels and one panel of output channels have."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    square, width = kernel_size * kernel_size, of("width")
    run, number = block % of("runs"), block // of("runs")
    group, at = number // of("panels"), number % of("panels") * width
    first = run * code.lanes
    count = (of("group_in") - first).at_most(code.lanes)
    lines = code.address(of("scratch")) + thread * of("scratch_size")
    channel = group * of("group_out") + at
    source = code.address(of("x")) + (channel * of("group_in") + first) * square
    out = code.address(of("packed")) + number * of("panel_size")
    steps = (of("point_step"), of("phase_step"), of("block_step"))
    given = (source, lines, out, of("group_in") * square, count, of("group_out") - at)
    sizes = {"outputs": outputs, "kernel_size": kernel_size, "is_wide": is_wide}
    transform_run.call_apart(code, *given, width, run, *steps, **sizes)


def _places(form: CookToom, kernel_size: int, phase: int, is_wide: bool) -> Iterator[Place]:
    """Yield where the points that sum over a phase have it."""
    before = 0
    for point in range(form.size**2):
        there = phases_at(point, form.size, kernel_size, is_wide=is_wide)
        if phase in there:
            yield Place(point, before, len(there), there.index(phase))
        before += len(there)


def _transformed(
    code: Code, weights: Pointer, form: CookToom, kernel_size: int, phase: int
) -> list[Vector]:
    """Return ``G w Gᵀ`` for the taps of one phase, point by point; of G the columns that it has."""
    rows, columns = (range(first, kernel_size, 2) for first in divmod(phase, 2))
    by_rows, by_columns = (
        [row[: len(taps)] for row in form.from_weights] for taps in (rows, columns)
    )
    square = [
        [code.load(weights + (y * kernel_size + x) * code.lanes) for y in rows] for x in columns
    ]
    mixed = [times(code, by_rows, column) for column in square]
    return [
        vector for row in zip(*mixed, strict=True) for vector in times(code, by_columns, list(row))
    ]
