"""Sums of runs to the gradient of the weights: added in their order, in float64, then stored.

What a run has summed lies as ``[channel of x][tap][channels of dout]``, so that vectors are side by
side; the gradient is ``[channel of dout][channel of x][tap]``.
"""

from __future__ import annotations

from llvmlite import ir

from faltung.kernels.compiled import kernel
from faltung.kernels.interleave import row_from_lanes
from faltung.kernels.simd import I64, INT, POINTER, Code, Int, Pointer, Variable, Vector


def widened(code: Code, vector: Vector) -> Vector:
    """Return the same numbers in float64, in as many registers as that takes."""
    wide = ir.VectorType(ir.DoubleType(), code.lanes)
    if vector.value.type == wide:
        return vector
    return Vector(code.build, code.build.fpext(vector.value, wide))


def narrowed(code: Code, vector: Vector) -> Vector:
    """Return numbers of float64 in the kernel's own type, rounded once."""
    if vector.value.type == code.vector:
        return vector
    return Vector(code.build, code.build.fptrunc(vector.value, code.vector))


def across(code: Code, total: Vector) -> Vector:
    """Return in all lanes the sum of them, as a tree."""
    half = code.lanes // 2
    while half:
        turned = [(lane + half) % code.lanes for lane in range(code.lanes)]
        total, half = total + code.shuffle(total, total, turned), half // 2
    # Lanes that were added the other way round may differ in the last bit.
    return code.shuffle(total, total, [0] * code.lanes)


def is_last(code: Code, count: Pointer, of: Int) -> object:
    """Count one more, in memory that threads share; whether nobody is left of so many.

    What the others wrote before they counted can be read then. The last one sets it to 0 again.
    """
    build = code.build
    before = Int(build, build.atomic_rmw("add", count.value, I64(1), "seq_cst"))
    found = (before + 1).equals(of)
    with code.when(found):
        build.atomic_rmw("xchg", count.value, I64(0), "seq_cst")
    return found


@kernel(
    row_from_lanes,
    sums=POINTER,
    lines=POINTER,
    dw=POINTER,
    runs=INT,
    run=INT,
    channels_in=INT,
    channels_out=INT,
    taps=INT,
    width=INT,
    plane=INT,
)
def fold(
    code: Code,
    sums: Pointer,
    lines: Pointer,
    dw: Pointer,
    runs: Int,
    run: Int,
    channels_in: Int,
    channels_out: Int,
    taps: Int,
    width: Int,
    plane: Int,
) -> None:
    """``dw[co, ci, t] = Σ over runs of sums[run, ci, t, co]``.

    Runs are ``run`` numbers apart, vectors of one tap ``width`` in all; in ``dw`` output channels
    are a ``plane`` apart, and a channel's taps follow those of the one before, as in the sums. So
    whole squares are turned, of as many taps as a vector has lanes: ``lines`` is memory for one.
    """
    size, step = channels_in * taps, code.integer(code.lanes)
    with code.loop(size, step=code.lanes) as first, code.loop(channels_out, step=code.lanes) as co:
        count = (size - first).at_most(code.lanes)
        with code.loop(count) as t:
            place = sums + ((first + t) * width + co)
            total: Variable = code.variable(widened(code, code.load(place)))
            with code.loop(runs, start=1) as r:
                total.set(total.get() + widened(code, code.load(place + r * run)))
            code.store(lines + t * code.lanes, narrowed(code, total.get()))
        out = dw + (co * plane + first)
        left = channels_out - co
        row_from_lanes.call_apart(code, lines, step, out, plane, left, count, out)
