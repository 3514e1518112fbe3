"""What an experiment found: panels of curves, each through the means of its seeds."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from faltung.experiments import Curve, Findings, Panel
from faltung.viz.experiments import DASHES, MARKERS
from faltung.viz.style import figure, themed
from faltung.viz.theme import Theme

WIDTH: Final = 12.0
PANEL: Final = 8.0
HEIGHT: Final = 8.0
FEW: Final = 5
BESIDE: Final = 0.12
"""How far curves stand beside each other where places are things of their own."""


def draw(findings: Findings, theme: str = "light") -> Figure:
    """Draw the panels of an experiment beside each other.

    A curve goes through the means over the seeds, in a band from the least to the greatest. Where
    the places are things of their own, it is a mark at each, on a line from least to greatest.

    Parameters
    ----------
    findings
        What an experiment of `faltung.experiments` returned.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    count = len(findings.panels)
    with themed(theme) as colours:
        drawn = figure(colours, WIDTH if count == 1 else PANEL * count, HEIGHT)
        drawn.suptitle(findings.question)
        all_axes = drawn.subplots(1, count, squeeze=False)[0]
        for axes, panel in zip(all_axes, findings.panels, strict=True):
            _panel(axes, panel, colours)
    return drawn


def _panel(axes: Axes, panel: Panel, theme: Theme) -> None:
    groups = list(dict.fromkeys(curve.group or curve.label for curve in panel.curves))
    for number, curve in enumerate(panel.curves):
        hue = theme.series[groups.index(curve.group or curve.label) % len(theme.series)]
        if panel.is_apart:
            _marks(axes, curve, number, len(panel.curves), hue)
        else:
            _line(axes, curve, number, hue)
    for name, level in panel.levels.items():
        axes.axhline(level, color=theme.muted, linestyle=":", label=name)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))
    axes.set_xlabel(panel.x_label)
    axes.set_ylabel(panel.y_label)
    axes.grid(True, axis="y")
    _places(axes, panel)
    # Below the label of the axis: each panel has curves of its own.
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)


def _line(axes: Axes, curve: Curve, number: int, colour: str) -> None:
    least, most = zip(*((min(v), max(v)) for v in curve.values), strict=True)
    axes.fill_between(curve.x, least, most, color=colour, alpha=0.2, linewidth=0)
    axes.plot(
        curve.x,
        curve.means,
        color=colour,
        marker=MARKERS[number % len(MARKERS)],
        linestyle=DASHES[number % len(DASHES)],
        markersize=9,
        label=curve.label,
    )


def _marks(axes: Axes, curve: Curve, number: int, count: int, colour: str) -> None:
    at = np.array(curve.x) + (number - (count - 1) / 2) * BESIDE
    axes.vlines(at, [min(v) for v in curve.values], [max(v) for v in curve.values], color=colour)
    axes.plot(
        at,
        curve.means,
        color=colour,
        marker=MARKERS[number % len(MARKERS)],
        linestyle="",
        markersize=12,
        label=curve.label,
    )


def _places(axes: Axes, panel: Panel) -> None:
    """Write the places, or powers of ten where there are many or each curve has its own."""
    places = panel.curves[0].x
    is_shared = all(curve.x == places for curve in panel.curves)
    if panel.names:
        axes.set_xticks(range(len(panel.names)), panel.names)
        axes.set_xlim(-0.5, len(panel.names) - 0.5)
    elif panel.is_log:
        axes.set_xscale("log")
        if is_shared and len(places) <= FEW:
            axes.set_xticks(places)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
        axes.minorticks_off()
    else:
        axes.set_xticks(places)
