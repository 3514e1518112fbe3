"""Correlation against distance, and what chance alone would give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from faltung.viz.style import figure, themed
from faltung.viz.theme import Theme

if TYPE_CHECKING:
    from faltung.analysis.data import DataReport

DASHES: Final = ("-", "--", ":", "-.")


class Curve(NamedTuple):
    """Correlations at distances, with the interval of the same values shuffled if it is known.

    Parameters
    ----------
    distances, correlations : array_like (n,)
        One correlation for each distance.
    low, high : array_like (n,), optional
        Where it would lie by chance.
    """

    distances: ArrayLike
    correlations: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None


def draw(
    curves: Mapping[str, Curve],
    *,
    unit: str = "pixels",
    title: str = "",
    theme: str = "light",
) -> Figure:
    """Draw how similar values are that lie some way apart.

    Parameters
    ----------
    curves
        By name, such as the axis; tuples of what a curve has will do. The first one's interval is
        drawn as a grey band.
    unit
        Of the distances.
    title
        A line above.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    given = [(name, Curve(*each)) for name, each in curves.items()]
    with themed(theme) as colours:
        drawn = figure(colours, 11, 6.4)
        drawn.suptitle(title)
        axes = drawn.subplots()
        _band(axes, [curve for _, curve in given], colours)
        for number, (name, curve) in enumerate(given):
            colour = colours.series[number % len(colours.series)]
            distances, values = (np.asarray(each) for each in curve[:2])
            axes.plot(distances, values, DASHES[number % len(DASHES)], color=colour, label=name)
        axes.axhline(0, color=colours.muted, linewidth=1)
        axes.set_ylim(top=1.02)
        axes.grid(True, axis="both")
        axes.set_xlabel(f"distance in {unit}")
        axes.set_ylabel("correlation")
        drawn.legend(loc="outside lower center", ncols=3)
    return drawn


def draw_report(report: DataReport, *, title: str = "", theme: str = "light") -> Figure:
    """Draw the curves of a report on data.

    Parameters
    ----------
    report
        What `faltung.data_report` returns.
    title
        A line above; by default what the data are called.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    curves = {}
    for curve in report.curves:
        at = curve.shown
        curves[curve.axis] = Curve(at, curve.values[at], curve.low[at], curve.high[at])
    name = Path(report.material.name).name + (", shuffled" if report.is_shuffled else "")
    return draw(curves, unit=report.material.unit, title=title or name, theme=theme)


def _band(axes: Axes, curves: Sequence[Curve], theme: Theme) -> None:
    """Where the first curve that knows it would lie by chance."""
    for curve in [each for each in curves if each.low is not None and each.high is not None][:1]:
        distances, low, high = (np.asarray(each) for each in (curve[0], curve.low, curve.high))
        apart = distances > 0  # a value is like itself however it is shuffled
        style: dict[str, Any] = {"color": theme.muted, "alpha": 0.35, "linewidth": 0}
        axes.fill_between(
            distances[apart], low[apart], high[apart], label="shuffled values", **style
        )
