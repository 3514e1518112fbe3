"""What a function makes of a shifted input, beside its output shifted as far as its stride says.

Away from the border: the input is cut from a longer array, so that what moves in is as new as what
was there, and those outputs are compared whose fields lie inside both times. Where an output sees
the whole axis there are none; then the axis is turned like a circle, and all are compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from faltung.analysis.black_box import Array, BlackBox, differs, largest, random_input
from faltung.analysis.reach import Reach

TRIED = 8
"""Shifts that are tried: so many multiples of the least that moves the output by whole steps.

Where what is seen repeats after more outputs than that, these and twice as many are tried, too.
"""


@dataclass(frozen=True)
class Shift:
    """One shift along one axis.

    Parameters
    ----------
    shift
        By how many positions the input moved.
    moved
        By how many the output should.
    compared
        How many positions of the output were compared; 0 where none lies away from the border.
    error
        The largest difference, as a share of the largest value; None where none was compared.
    is_equal
        Whether that is no more than rounding.
    """

    shift: int
    moved: int
    compared: int
    error: float | None
    is_equal: bool


def period_of(shifts: tuple[Shift, ...]) -> int | None:
    """Return the least shift all of whose multiples leave the output shifted and nothing else.

    Examples
    --------
    >>> period_of(tuple(Shift(t, t, 9, 0.0, t % 2 == 0) for t in range(1, 9)))
    2
    """
    tested = [each for each in shifts if each.compared]
    for each in tested:
        if all(other.is_equal for other in tested if other.shift % each.shift == 0):
            return each.shift
    return None


def shifts_along(
    box: BlackBox, axis: int, out_axis: int, reach: Reach, rng: np.random.Generator
) -> tuple[bool, tuple[Shift, ...]]:
    """Return whether the axis was turned like a circle, and what each shift did."""
    assert box.out_shape is not None
    sizes = box.shape[axis], box.out_shape[out_axis]
    is_turned = reach.wraps or reach.is_whole
    ratio = Fraction(*sizes) if sizes[1] and reach.is_whole else Fraction(0)
    stride = reach.stride if reach.stride is not None and not reach.is_whole else ratio
    if not stride or reach.empty:
        return False, ()
    steps = [step for step in _steps(stride, reach.phases) if step[0] < sizes[0]]
    if not steps:
        return is_turned, ()
    if is_turned:
        return True, tuple(_turned(box, axis, out_axis, steps, rng))
    return False, tuple(_slid(box, axis, out_axis, reach, steps, rng))


def _steps(stride: Fraction, phases: int) -> list[tuple[int, int]]:
    """Shifts that move the output by whole steps, the period of a longer pattern among them.

    >>> _steps(Fraction(-2), 1)[:2], _steps(Fraction(1), 12)[-2:]
    ([(2, -1), (4, -2)], [(12, 12), (24, 24)])
    """
    whole = stride.denominator
    moves = [whole * m for m in range(1, TRIED + 1)]
    moves += [m for m in (phases, 2 * phases) if m > moves[-1] and m % whole == 0]
    sign = 1 if stride > 0 else -1
    return [(int(abs(stride) * m), sign * m) for m in moves]


def _slid(
    box: BlackBox,
    axis: int,
    out_axis: int,
    reach: Reach,
    steps: list[tuple[int, int]],
    rng: np.random.Generator,
) -> Iterator[Shift]:
    size, more = box.shape[axis], steps[-1][0]
    shape = (*box.shape[:axis], size + more, *box.shape[axis + 1 :])
    long = random_input(box.dtype, shape, rng)
    still = box(_part(long, axis, more, more + size))
    places = _inner(reach, still.shape[out_axis], size)
    for shift, moved in steps:
        pairs = [o for o in places if o + moved in places]
        after = box(_part(long, axis, more - shift, more - shift + size)) if pairs else still
        a = np.take(still, pairs, axis=out_axis)
        b = np.take(after, [o + moved for o in pairs], axis=out_axis)
        yield _compared(box, shift, moved, a, b, len(pairs))


def _turned(
    box: BlackBox,
    axis: int,
    out_axis: int,
    steps: list[tuple[int, int]],
    rng: np.random.Generator,
) -> Iterator[Shift]:
    x = random_input(box.dtype, box.shape, rng)
    still = box(x)
    for shift, moved in steps:
        after = box(np.roll(x, shift, axis=axis))
        expected = np.roll(still, moved, axis=out_axis)
        yield _compared(box, shift, moved, expected, after, still.shape[out_axis])


def _part(x: Array, axis: int, start: int, stop: int) -> Array:
    index: list[Any] = [slice(None)] * x.ndim
    index[axis] = slice(start, stop)
    part: Array = x[tuple(index)]
    return part


def _inner(reach: Reach, outputs: int, size: int) -> range:
    """The outputs whose fields lie inside; they are neighbours, because fields move one way."""
    inner = [o for o in range(outputs) if _is_inside(reach.fields(o), size)]
    return range(inner[0], inner[-1] + 1) if inner else range(0)


def _is_inside(field: tuple[int, int], size: int) -> bool:
    return field[0] >= 0 and field[1] < size


def _compared(box: BlackBox, shift: int, moved: int, a: Array, b: Array, count: int) -> Shift:
    if not count or not a.size:
        return Shift(shift, moved, 0, None, False)
    is_equal = not bool(differs(a, b, box.rounding).any())
    return Shift(shift, moved, count, _error(a, b), is_equal)


def _error(a: Array, b: Array) -> float | None:
    """The largest finite difference as a share of the largest value."""
    with np.errstate(all="ignore"):
        wide = "c16" if "c" in (a.dtype.kind, b.dtype.kind) else "f8"
        difference = largest(a.astype(wide) - b.astype(wide))
    return difference / (max(largest(a), largest(b)) or 1.0)
