"""One level of Toom and Cook's: four outputs and four taps at a time from 7 products, not 16.

Taps and outputs are counted in fours, ``j = 4 g + s`` and ``i = 4 t + r``::

    y[4t + r] = Σ_g Σ_s  w[4g + s] · x[4(t + g) + r + s]

For each g the inner sum is a short correlation, four outputs of four taps, and `cook_toom` has
matrices for it. The one that gathers the outputs does not know g, so it comes last, and once::

    V[p, t] = Σ_m Bᵀ[p, m] x[4t + m],    U[p, g] = Σ_s G[p, s] w[4g + s]
    M[p, t] = Σ_g U[p, g] V[p, t + g],    y[4t + r] = Σ_p Aᵀ[r, p] M[p, t]

The sum over g is a correlation again, of a quarter of the taps with a quarter of the samples, for
each of 7 points: 7/16 of the products. Along both axes of an image it is 49/256 of them.

What an output rounds depends on the whole block of four (or 4 by 4) that it is in; with u the unit
roundoff, ``|error| <= c^d · γ · max|x| · Σ|w|``, d the axes, c from the matrices
(`toom_form.GROWTH`), max|x| over all that the block reads.
"""

from __future__ import annotations

from collections.abc import Sequence

from faltung.kernels.compiled import kernel
from faltung.kernels.linear import times
from faltung.kernels.simd import INT, POINTER, Code, Int, Pointer, Vector
from faltung.kernels.toom_form import FORM, FOUR, SIZE


def dealt(code: Code, parts: Sequence[Vector]) -> list[Vector]:
    """Deal the numbers of four vectors out in turn, to four vectors."""
    lanes = code.lanes

    def split(a: Vector, b: Vector) -> tuple[Vector, Vector]:
        even, odd = ([2 * i + p for i in range(lanes)] for p in (0, 1))
        return code.shuffle(a, b, even), code.shuffle(a, b, odd)

    (even0, odd0), (even1, odd1) = split(*parts[:2]), split(*parts[2:])
    (zero, two), (one, three) = split(even0, even1), split(odd0, odd1)
    return [zero, one, two, three]


def gathered(code: Code, parts: Sequence[Vector]) -> list[Vector]:
    """Undo `dealt`."""
    lanes = code.lanes

    def merge(a: Vector, b: Vector) -> tuple[Vector, Vector]:
        both = [n for i in range(lanes) for n in (i, lanes + i)]
        return code.shuffle(a, b, both[:lanes]), code.shuffle(a, b, both[lanes:])

    zero, one, two, three = parts
    (even0, even1), (odd0, odd1) = merge(zero, two), merge(one, three)
    return [*merge(even0, odd0), *merge(even1, odd1)]


@kernel(x=POINTER, out=POINTER, distance=INT, count=INT)
def row_to_points(code: Code, x: Pointer, out: Pointer, distance: Int, count: Int) -> None:
    """Evaluate ``count`` blocks of a row at the points; ``distance`` is that of the points' rows.

    It reads and writes whole vectors.
    """
    with code.loop(count, step=code.lanes) as t:
        place = x + t * FOUR
        now, later = (
            dealt(code, [code.load(place + (i * code.lanes + shift)) for i in range(FOUR)])
            for shift in (0, FOUR)
        )
        values = times(code, FORM.from_input, [*now, *later[: SIZE - FOUR]])
        for p, value in enumerate(values):
            code.store(out + (distance * p + t), value)


@kernel(x=POINTER, out=POINTER, pitch=INT, distance=INT, count=INT)
def rows_to_points(
    code: Code, x: Pointer, out: Pointer, pitch: Int, distance: Int, count: Int
) -> None:
    """Evaluate 7 rows, ``pitch`` apart, at the points, number by number."""
    with code.loop(count, step=code.lanes) as t:
        column = [code.load(x + (pitch * i + t)) for i in range(SIZE)]
        for p, value in enumerate(times(code, FORM.from_input, column)):
            code.store(out + (distance * p + t), value)


@kernel(m=POINTER, out=POINTER, distance=INT, pitch=INT, count=INT)
def points_to_rows(
    code: Code, m: Pointer, out: Pointer, distance: Int, pitch: Int, count: Int
) -> None:
    """Turn the products at the points into four rows, ``pitch`` apart."""
    with code.loop(count, step=code.lanes) as t:
        column = [code.load(m + (distance * p + t)) for p in range(SIZE)]
        for r, value in enumerate(times(code, FORM.to_output, column)):
            code.store(out + (pitch * r + t), value)


def outputs_of(code: Code, m: Pointer, distance: Int) -> list[Vector]:
    """Return four vectors of outputs that lie side by side, from the products at the points."""
    column = [code.load(m + distance * p) for p in range(SIZE)]
    return gathered(code, times(code, FORM.to_output, column))


def not_finite(code: Code, parts: list[Vector]) -> Vector:
    """Return zeros, and NaN in lanes where a number is not finite."""
    total = parts[0] * code.constant(0.0)
    for part in parts[1:]:
        total = code.fma(part, code.constant(0.0), total)
    return total
