"""The figures of a report as tables and lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from math import inf, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.analysis.data.curves import Curve
from faltung.analysis.data.material import Material
from faltung.analysis.data.places import Places
from faltung.report import Table

Floats = NDArray[np.float64]


def curve_table(curves: Sequence[Curve]) -> Table:
    """Correlations at some distances, each beside its interval."""
    most = max(len(curve.values) for curve in curves) - 1
    header = ["distance"]
    for curve in curves:
        header += [curve.axis, "shuffled"]
    rows = [[f"{at:,}", *cells_at(curves, at)] for at in distances(most)]
    unit = curves[0].unit
    return Table(header, rows, title=f"Correlation against distance in {unit}", left=())


def cells_at(curves: Sequence[Curve], at: int) -> Iterator[str]:
    """The correlation and its interval, of each curve that goes so far."""
    for curve in curves:
        if at >= len(curve.values):
            yield from ("", "")
            continue
        low, high = float(curve.low[at]), float(curve.high[at])
        yield coefficient(float(curve.values[at]))
        yield f"{coefficient(low)} to {coefficient(high)}"


def distances(most: int) -> list[int]:
    """1, 2, 5, 10, 20, 50 and so on, and the largest one there is.

    >>> distances(30)
    [1, 2, 5, 10, 20, 30]
    """
    series = (digit * 10**power for power in count() for digit in (1, 2, 5))
    shown: list[int] = []
    for at in series:
        if at >= most:
            return [*shown, most]
        shown.append(at)
    return shown


def coefficient(value: float) -> str:
    """A correlation with four decimals.

    >>> coefficient(-0.01401), coefficient(float("nan"))
    ('-0.0140', '-')
    """
    return f"{value:.4f}" if isfinite(value) else "-"


def lengths(curves: Sequence[Curve], material: Material) -> str:
    """The correlation length along each axis, and from where on chance does as much."""
    told = [f"{curve.axis} {length_of(curve, material)}" for curve in curves]
    met = [f"{curve.axis} {'nowhere' if curve.reach is None else curve.reach}" for curve in curves]
    return (
        f"Correlation length, where it has fallen to 1/e: {', '.join(told)}. First distance "
        f"inside the shuffled interval: {', '.join(met)}."
    )


def length_of(curve: Curve, material: Material) -> str:
    """A correlation length with its unit, and in milliseconds if it is one of time."""
    length = curve.length
    if length == inf:
        return f"more than {len(curve.values) - 1:,} {curve.unit}"
    if not isfinite(length):
        return "not defined"
    if length < 1:
        return f"below 1 {curve.unit.removesuffix('s')}"
    in_time = f" ({1000 * length / material.rate:.3g} ms)" if material.rate else ""
    return f"{length:.1f} {curve.unit}{in_time}"


def said(curves: Sequence[Curve]) -> str:
    """What is often said of far pixels, beside what is so here."""
    told = []
    for curve in curves:
        at = min(100, len(curve.values) - 1)
        told.append(f"{curve.axis} {coefficient(float(curve.values[at]))} at {at} pixels")
    return f"Often said: far pixels have almost no correlation. Here: {', '.join(told)}."


def place_blocks(places: Places) -> list[Table | str]:
    """Blocks as they lie, or one after the other; drifts."""
    (low, high), (least, most) = places.shuffled_means, places.shuffled_variances
    means = f"Means of blocks; shuffled {span(low, high)}"
    variances = f"Variances in blocks; shuffled {span(least, most)}"
    alike = "Correlation of neighbours in blocks"
    named = {means: places.means, variances: places.variances, alike: places.neighbours}
    made: list[Table | str] = [grid(title, values) for title, values in named.items()]
    told = [f"{d.axis} {d.rise:+.3f} (shuffled ±{d.high:.3f})" for d in places.drifts]
    return [*made, f"Drift from end to end, in standard deviations: {', '.join(told)}."]


def span(low: Floats, high: Floats) -> str:
    """The widest of intervals.

    >>> span(np.array([-0.1, -0.2]), np.array([0.1, 0.2]))
    '-0.200 to 0.200'
    """
    return f"{np.nanmin(low):.3f} to {np.nanmax(high):.3f}"


def grid(title: str, values: Floats) -> Table:
    """Blocks: rows and columns as they lie for two axes, else all in a row."""
    rows: Any = values if values.ndim == 2 else values.reshape(1, -1)
    header = ["", *(str(n + 1) for n in range(rows.shape[1]))]
    cells = [[f"{v:.3f}" if isfinite(v) else "-" for v in row] for row in rows.tolist()]
    lines = [[str(n + 1) if len(rows) > 1 else "", *row] for n, row in enumerate(cells)]
    return Table(header, lines, title=title, left=())
