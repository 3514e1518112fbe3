"""What any function of an array sees: reach, stride and shift period, measured from outside.

Nothing is known of the function but what it returns. Each position of an axis is changed in turn,
in several ways, and what changes in the output depends on it. A dependence that none of these
shows (a threshold that no value reached, a weight below rounding) stays unseen; what is reported
was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import DTypeLike

from faltung.analysis.black_box import ONE_BASE, BlackBox, Function, differs, moved, random_input
from faltung.analysis.probe_report import AxisProbe as AxisProbe
from faltung.analysis.probe_report import Probe as Probe
from faltung.analysis.reach import Mask, reach_of
from faltung.analysis.shifting import shifts_along
from faltung.errors import GeometryError, message

AGAIN = 2
"""How often the first input is tried again before anything is measured."""


def probe(
    f: Function,
    shape: Sequence[int],
    *,
    seed: int = 0,
    dtype: DTypeLike = "float64",
    axes: Sequence[int] | None = None,
    out_axes: Sequence[int] | None = None,
    samples: int = 6,
    most: int = 256,
    tolerance: float | None = None,
) -> Probe:
    """Find out what a function of an array sees, and whether it moves with what it sees.

    Along each axis one position after the other is changed, in all places that share it at once,
    ``samples`` times: far up and far down among the same values, then, among others, to any other
    value and by a little.
    Output ``o`` then sees the positions from ``floor(o * stride) + lo`` to
    ``floor(o * stride) + hi``, the outermost over all phases and samples. With the stride known
    the input is shifted, and the outputs whose fields lie inside are compared.

    Parameters
    ----------
    f
        Takes an array and returns an array or a number; a `Graph`, say. It gets copies.
    shape
        Of the arrays to try. Let the axes be more than twice as long as what an output sees.
    seed
        Decides the values.
    dtype
        Of the arrays to try: floats around 0, integers from 0 to 255 or booleans.
    axes
        Which axes of the input; by default those longer than 1.
    out_axes
        Which axis of the output each of these becomes; by default the one of its number, where
        the output has as many axes as the input.
    samples
        How many times each position is changed; more see more of a function with dead zones.
    most
        So many positions of an axis are changed at most, those in its middle. ``f`` is run at most
        ``4 + samples * (1 + positions) + 11 * axes`` times.
    tolerance
        A change up to this share of the largest value is rounding; by default 64 units in the last
        place of the dtype that ``f`` returns, 0 for integers. 0 counts every bit.

    Returns
    -------
    Probe

    Raises
    ------
    GeometryError
        probe P1: sizes, axes or counts that make no sense.

    Examples
    --------
    >>> found = probe(lambda x: x[1:] - x[:-1], (16,))
    >>> found.axes[0].lo, found.axes[0].hi, found.axes[0].period, found.axes[0].compared
    (0, 1, 1, 14)
    >>> probe(np.cumsum, (16,)).axes[0].kind
    'all before'
    """
    _check(shape, axes, out_axes, samples, most)
    box = BlackBox(f, shape, dtype, tolerance)
    chosen = _chosen(box.shape, axes)
    rng = np.random.default_rng(seed)
    x = random_input(box.dtype, box.shape, rng)
    y = box(x)
    found: tuple[AxisProbe, ...] = ()
    if all(box.repeats(x, y) for _ in range(AGAIN)):
        found = _axes(box, chosen, _partners(box, chosen, out_axes), samples, most, rng)
        found = found if box.repeats(x, y) else ()
    return Probe(
        shape=box.shape,
        out_shape=y.shape,
        dtype=box.dtype.name,
        out_dtype=y.dtype.name,
        axes=found,
        deterministic=box.steady,
        mutates=box.mutates,
        evaluations=box.runs,
        rounding=box.rounding,
    )


def _check(
    shape: Sequence[int],
    axes: Sequence[int] | None,
    out_axes: Sequence[int] | None,
    samples: int,
    most: int,
) -> None:
    values = {"shape": tuple(shape), "axes": axes, "samples": samples, "most": most}
    if not shape or prod(shape) < 1 or min(shape) < 1 or min(samples, most) < 1:
        rule = "shape must have axes, all sizes and counts must be at least 1"
        raise GeometryError(message("probe", rule, values, "", "probe P1"))
    rank = len(shape)
    if any(not -rank <= axis < rank for axis in axes or ()) or len(set(axes or ())) < len(
        axes or ()
    ):
        rule = "axes must be different axes of the input"
        raise GeometryError(message("probe", rule, values, "", "probe P1"))
    if out_axes is not None and (axes is None or len(out_axes) != len(axes)):
        values = {"axes": axes, "out_axes": out_axes}
        rule = "out_axes must name an axis of the output for each of axes"
        raise GeometryError(message("probe", rule, values, "", "probe P1"))


def _chosen(shape: tuple[int, ...], axes: Sequence[int] | None) -> tuple[int, ...]:
    if axes is None:
        return tuple(axis for axis, size in enumerate(shape) if size > 1) or (0,)
    return tuple(axis % len(shape) for axis in axes)


def _partners(
    box: BlackBox, chosen: Sequence[int], out_axes: Sequence[int] | None
) -> list[int | None]:
    """The axis of the output for each axis of the input, where there is one."""
    assert box.out_shape is not None
    rank = len(box.out_shape)
    if out_axes is None:
        return [axis if rank == len(box.shape) else None for axis in chosen]
    if any(not -rank <= axis < rank for axis in out_axes):
        values = {"out_axes": tuple(out_axes), "output": box.out_shape}
        rule = "out_axes must be axes of the output"
        raise GeometryError(message("probe", rule, values, "", "probe P1"))
    return [axis % rank for axis in out_axes]


def _axes(
    box: BlackBox,
    chosen: Sequence[int],
    partners: Sequence[int | None],
    samples: int,
    most: int,
    rng: np.random.Generator,
) -> tuple[AxisProbe, ...]:
    places = {axis: _middle(box.shape[axis], most) for axis in chosen}
    seen = _dependence(box, list(zip(chosen, partners, strict=True)), places, samples, rng)
    found = []
    for axis, partner in zip(chosen, partners, strict=True):
        found.append(_axis(box, axis, partner, places[axis], seen[axis], rng))
    return tuple(found)


def _middle(size: int, most: int) -> range:
    start = max(size - most, 0) // 2
    return range(start, start + min(size, most))


def _dependence(
    box: BlackBox,
    pairs: Sequence[tuple[int, int | None]],
    places: dict[int, range],
    samples: int,
    rng: np.random.Generator,
) -> dict[int, Mask]:
    """For each axis whether an output (of one row, where it has no such axis) saw a change."""
    shape = box.out_shape or ()
    rows = {axis: 1 if out is None else shape[out] for axis, out in pairs}
    seen = {axis: np.zeros((rows[axis], len(places[axis])), bool) for axis, _ in pairs}
    for sample in range(samples):
        if sample % ONE_BASE == 0:
            x = random_input(box.dtype, box.shape, rng)
            y = box(x)
        for axis, out in pairs:
            others = tuple(i for i in range(len(shape)) if i != out)
            for column, place in enumerate(places[axis]):
                there = (slice(None),) * axis + (place,)
                other = x.copy()
                other[there] = moved(x[there], sample, rng)
                seen[axis][:, column] |= differs(box(other), y, box.rounding).any(axis=others)
    return seen


def _axis(
    box: BlackBox,
    axis: int,
    out_axis: int | None,
    places: range,
    seen: Mask,
    rng: np.random.Generator,
) -> AxisProbe:
    used, size = int(seen.any(axis=0).sum()), box.shape[axis]
    if out_axis is None:
        return AxisProbe(axis, None, size, None, len(places), used, None)
    assert box.out_shape is not None
    reach = reach_of(seen, places.start, size)
    turned, shifts = shifts_along(box, axis, out_axis, reach, rng)
    out_size = box.out_shape[out_axis]
    return AxisProbe(axis, out_axis, size, out_size, len(places), used, reach, turned, shifts)
