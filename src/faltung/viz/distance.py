"""Correlation against distance, and what chance alone would give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from faltung.viz.style import figure, themed


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
    curves = {name: Curve(*each) for name, each in curves.items()}
    with themed(theme) as colours:
        drawn = figure(colours, 11, 6.4)
        drawn.suptitle(title)
        axes = drawn.subplots()
        for curve in [c for c in curves.values() if c.low is not None][:1]:
            low, high = np.asarray(curve.low), np.asarray(curve.high)
            axes.fill_between(
                np.asarray(curve.distances),
                low,
                high,
                color=colours.muted,
                alpha=0.35,
                linewidth=0,
                label="shuffled values",
            )
        dashes = ("-", "--", ":", "-.")
        for number, (name, curve) in enumerate(curves.items()):
            axes.plot(
                np.asarray(curve.distances),
                np.asarray(curve.correlations),
                color=colours.series[number % len(colours.series)],
                linestyle=dashes[number % len(dashes)],
                label=name,
            )
        axes.axhline(0, color=colours.muted, linewidth=1)
        axes.set_ylim(top=1.02)
        axes.grid(True, axis="both")
        axes.set_xlabel(f"distance in {unit}")
        axes.set_ylabel("correlation")
        drawn.legend(loc="outside lower center", ncols=3)
    return drawn
