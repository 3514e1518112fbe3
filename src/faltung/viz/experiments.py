"""What experiments gave: a line through the means of several seeds, a band from least to most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike

from faltung.viz.style import figure, themed

MARKERS: Final = ("o", "s", "^", "D", "v", "P")
DASHES: Final = ("-", "--", "-.", ":", "-", "--")


class Line(NamedTuple):
    """Results ``ys`` (seeds, n) at ``xs`` (n,)."""

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
        axes.set_xscale("log")
        xs = sorted({float(x) for line in lines.values() for x in np.asarray(line.xs).ravel()})
        axes.set_xticks(xs, [f"{x:,g}" for x in xs])
        axes.minorticks_off()
