"""Halo and total stride: what locality says beside what was found to influence local outputs."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import floor

import numpy as np

from faltung.analysis.inspect import Inspection
from faltung.analysis.locality import AxisLocality
from faltung.analysis.recount import Sight
from faltung.analysis.verification.report import LeftOut, Row
from faltung.ops.operator import Array

LAYER = "(local part)"


def halo_rows(sight: Sight, said: Inspection) -> Iterator[Row | LeftOut]:
    """Compare the halo and the stride of the local part along the axis of a sight.

    Parameters
    ----------
    sight
        What was found to influence what.
    said
        The inspection of the network for the sight's input.
    """
    local = said.locality.get(sight.source)
    if local is None or len(local.axes) <= sight.axis:
        return
    axis = local.axes[sight.axis]
    figure = f"halo and stride of {sight.source!r}, axis {sight.axis}"
    found = [_outputs(sight, name) for name in local.local_outputs if name in sight.lo]
    strides = {_stride(lo, hi, axis) for lo, hi in found}
    if len(found) < len(local.local_outputs) or strides != {axis.stride}:
        wrong = len(found) == len(local.local_outputs) == 1 and None not in strides
        if wrong:
            yield Row(LAYER, figure, _place(sight), str(axis.stride), str(*strides), False)
        else:
            yield LeftOut(LAYER, figure, "too few local outputs are seen whole")
        return
    before, after = zip(*(_halo(lo, hi, axis.stride) for lo, hi in found), strict=True)
    text = f"{axis.halo_lo} before, {axis.halo_hi} after, every {axis.stride}"
    counted = f"{max(0, *before)} before, {max(0, *after)} after, every {axis.stride}"
    yield Row(LAYER, figure, _place(sight), text, counted, text == counted)


def _place(sight: Sight) -> str:
    return f"an input of {'×'.join(map(str, sight.input_shapes[sight.source][2:]))}"


def _outputs(sight: Sight, value: str) -> tuple[Array, Array]:
    """What each position along the axis sees, 0 where the border of the input cuts that off."""
    lo, hi = sight.lo[value], sight.hi[value]
    source = sight.input_shapes[sight.source]
    length = source[2 + sight.axis]
    if lo.ndim != len(source) - 1:
        return np.zeros(0, int), np.zeros(0, int)
    others = tuple(a for a in range(lo.ndim) if a != 1 + sight.axis)
    first = np.where(hi > lo, lo, length).min(axis=others)
    last = hi.max(axis=others)
    whole = (first > 0) & (last < length) & (last > 0)
    return np.where(whole, first, 0), np.where(whole, last, 0)


def _stride(lo: Array, hi: Array, axis: AxisLocality) -> Fraction | None:
    """The mean step over a period in the middle; None where none was seen whole."""
    inside = np.flatnonzero(hi)
    if len(inside) <= axis.period:
        return None
    first = int(inside[(len(inside) - axis.period) // 2])  # away from where borders still count
    return Fraction(int(lo[first + axis.period]) - int(lo[first]), axis.period)


def _halo(lo: Array, hi: Array, stride: Fraction) -> tuple[int, int]:
    """How far positions are read before and after the place of an output, at most."""
    inside = [int(at) for at in np.flatnonzero(hi)]
    places = [floor(at * stride) for at in inside]
    before = max(place - int(lo[at]) for at, place in zip(inside, places, strict=True))
    after = max(int(hi[at]) - 1 - place for at, place in zip(inside, places, strict=True))
    return before, after
