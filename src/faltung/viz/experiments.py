"""What experiments gave: a line through the means of several seeds, a band from least to most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from math import log10
from typing import Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator
from numpy.typing import ArrayLike

from faltung.viz.bars import power
from faltung.viz.style import figure, themed, width_of

MARKERS: Final = ("o", "s", "^", "D", "v", "P")
DASHES: Final = ("-", "--", "-.", ":", "-", "--")
ROOM: Final = 7.0


class Line(NamedTuple):
    """Results at the values of what was varied.

    Parameters
    ----------
    xs : array_like (n,)
        What was varied.
    ys : array_like (seeds, n)
        What came of it.
    """

    xs: ArrayLike
    ys: ArrayLike


def draw(
    lines: Mapping[str, Line],
    *,
    x: str,
    y: str,
    percent: bool = False,
    log: bool = False,
    title: str = "",
    theme: str = "light",
) -> Figure:
    """Draw results against what was varied.

    Parameters
    ----------
    lines
        By name.
    x, y
        What the axes show.
    percent
        Whether ``ys`` are shares, to be written as percentages.
    log
        Whether the horizontal axis is logarithmic; each x that occurs is written there.
    title
        A line above.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with themed(theme) as colours:
        drawn = figure(colours, 12, 7)
        drawn.suptitle(title)
        axes = drawn.subplots()
        for number, (name, line) in enumerate(lines.items()):
            xs, ys = np.asarray(line.xs, np.float64), np.atleast_2d(np.asarray(line.ys))
            colour = colours.series[number % len(colours.series)]
            axes.fill_between(
                xs, ys.min(axis=0), ys.max(axis=0), color=colour, alpha=0.2, linewidth=0
            )
            axes.plot(
                xs,
                ys.mean(axis=0),
                color=colour,
                marker=MARKERS[number % len(MARKERS)],
                linestyle=DASHES[number % len(DASHES)],
                markersize=9,
                label=name,
            )
        _scales(axes, lines, percent=percent, log=log)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.grid(True, axis="both")
        drawn.legend(loc="outside right center")
    return drawn


def _scales(axes: Axes, lines: Mapping[str, Line], *, percent: bool, log: bool) -> None:
    if percent:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))
    if log:
        name_logarithms(axes, [x for line in lines.values() for x in np.asarray(line.xs).ravel()])


def name_logarithms(axes: Axes, places: Iterable[float]) -> None:
    """Make the horizontal axis logarithmic; write each place if there is room, else powers of 10.

    Parameters
    ----------
    axes
        Where; they are taken to be at least `ROOM` inches wide.
    places
        The positive numbers that occur.
    """
    axes.set_xscale("log")
    axes.minorticks_off()
    xs = sorted({float(x) for x in places})
    names = [f"{x:,g}" for x in xs]
    span = log10(xs[-1] / xs[0]) or 1.0
    middles = [ROOM * log10(x / xs[0]) / span for x in xs]
    halves = [width_of(name) / 2 for name in names]
    edges = pairwise(zip(middles, halves, strict=True))
    if all(x + half + 0.1 < y - other for (x, half), (y, other) in edges):
        axes.set_xticks(xs, names)
        return
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if span > 1.5 else (1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: power(x)))
