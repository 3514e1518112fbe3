"""Weights of a convolution with stride 2, phase by phase: ``U = G w Gᵀ``, in the order of use.

Lanes hold output channels. For one input channel and one phase (py, px) the square has the taps
``w[2a + py, 2b + px]``, and 0 past the last.
"""

from __future__ import annotations

from typing import Final

from faltung.kernels.compiled import kernel
from faltung.kernels.cook_toom import CookToom, cook_toom
from faltung.kernels.interleave import row_to_lanes
from faltung.kernels.polyphase_cost import phases_at
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer, Vector
from faltung.kernels.winograd import both_ways
from faltung.kernels.winograd_weights import Precise

FIELDS: Final = (
    *("x", "packed", "scratch", "group_in", "group_out", "panels", "width", "panel_size"),
    *("run", "channel_groups", "phase_step", "point_step", "scratch_size"),
)
"""What a block is told: ``x`` are the weights, ``run`` input channels are taken together."""


@kernel(row_to_lanes, arguments=INTS, block=INT, thread=INT)
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
    """Transform what some input channels and one panel of output channels have."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    lanes, square = code.lanes, kernel_size * kernel_size
    form = cook_toom(outputs, -(-kernel_size // 2))
    part, number = block % of("channel_groups"), block // of("channel_groups")
    group, at = number // of("panels"), number % of("panels") * of("width")
    first = part * of("run")
    count = (of("group_in") - first).at_most(of("run"))
    lines = code.address(of("scratch")) + thread * of("scratch_size")
    channel = group * of("group_out") + at
    source = code.address(of("x")) + (channel * of("group_in") + first) * square
    out = code.address(of("packed")) + (number * of("panel_size") + first * of("width"))
    with code.loop(of("width"), step=lanes) as j:
        plane, left = of("group_in") * square, of("group_out") - at - j
        length, zero = count * square, code.integer(0)
        row_to_lanes.call_apart(code, source + j * plane, lines, plane, left, zero, length, length)
        with code.loop(count) as c:
            to = out + (c * of("width") + j)
            for phase in range(4):
                found = _transformed(code, lines + c * (square * lanes), form, kernel_size, phase)
                before = 0
                for p, vector in enumerate(found):
                    there = phases_at(p, form.size, kernel_size, is_wide=is_wide)
                    if phase in there:
                        rank = before + there.index(phase)
                        place = of("point_step") * p + of("phase_step") * rank
                        code.store(to + place, vector)
                    before += len(there) if is_wide else 0


def _transformed(
    code: Code, weights: Pointer, form: CookToom, kernel_size: int, phase: int
) -> list[Vector]:
    """Return ``G w Gᵀ`` for the taps of one phase, point by point; rounded once, from float64."""
    precise, (py, px) = Precise(code), divmod(phase, 2)

    def tap(a: int, b: int) -> Vector:
        ky, kx = 2 * a + py, 2 * b + px
        if max(ky, kx) >= kernel_size:
            return precise.constant(0.0)
        return precise.widened(code.load(weights + (ky * kernel_size + kx) * code.lanes))

    taps = range(form.taps)
    square = [[tap(a, b) for b in taps] for a in taps]
    found = both_ways(precise, form.from_weights, square)
    return [precise.rounded(vector) for row in found for vector in row]
