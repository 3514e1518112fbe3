"""Error against shift, map by map; and how many predictions stay, against the same shift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from faltung.analysis.equivariance import AxisAudit, Equivariance, LayerShift
from faltung.analysis.invariance import Invariance
from faltung.analysis.locality import AXES
from faltung.viz.experiments import DASHES, MARKERS
from faltung.viz.style import figure, shortened, themed
from faltung.viz.theme import Theme

MOST: Final = 5
"""Maps that are drawn."""
WIDTH: Final = 8.0
WIDEST: Final = 19.5
HEIGHT: Final = 6.4
NAME: Final = 3.4
"""Inches of a name in the legend."""


def draw(report: Equivariance, *, theme: str = "light") -> Figure:
    """Draw the error of a network's maps under each shift, axis by axis.

    Parameters
    ----------
    report
        What `faltung.equivariance` returns. Of many maps those are drawn at which something
        breaks, and the last.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    names = _chosen(report)
    count = len(report.axes)
    last = report.outputs[0] if len(report.outputs) == 1 else "worst output"
    with themed(theme) as colours:
        drawn = figure(colours, min(max(WIDTH * count, 11.0), WIDEST), HEIGHT)
        drawn.suptitle("How far is each map from moving along with its input?")
        panels = drawn.subplots(1, count, squeeze=False, sharey=True)[0]
        for axes, audit in zip(panels, report.axes, strict=True):
            _errors(axes, audit, names, last, colours)
        panels[0].set_ylim(0, _top(report, names))
        panels[0].set_ylabel("largest difference,\nof the largest value")
        handles, labels = panels[0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside lower center", ncols=2)
    return drawn


def _chosen(report: Equivariance) -> list[str]:
    """Return the names of the maps at which something breaks, and of the last one."""
    guilty = {culprit.node for culprit in report.culprits if culprit.kind != "border"}
    values = [layer.value for layer in report.axes[0].layers]
    broken = [name for name in values if name in guilty and name not in report.outputs]
    whole = [name for name in values if name not in guilty][:1]
    return list(dict.fromkeys([*whole, *broken[: MOST - 2], *report.outputs[-1:]]))


def _top(report: Equivariance, names: Sequence[str]) -> float:
    """Return where the scale ends; rounding alone would fill the picture."""
    shown = [each for audit in report.axes for each in audit.layers if each.value in names]
    worst = max((each.measured.worst or 0.0 for each in shown), default=0.0)
    blurred = max((e for audit in report.axes for e in audit.blurred.values()), default=0.0)
    top = 1.08 * max(worst, blurred)
    return top if top > 1e-6 else 1.0


def _errors(axes: Axes, audit: AxisAudit, names: Sequence[str], last: str, theme: Theme) -> None:
    layers = {layer.value: layer for layer in audit.layers}
    for number, name in enumerate(names):
        if name in layers:
            _line(axes, layers[name], number, theme)
    if audit.blurred:
        places, errors = [*audit.blurred], [*audit.blurred.values()]
        label = f"{shortened(last, NAME)}, with blur pooling"
        style: dict[str, Any] = {"marker": "x", "markersize": 9, "linestyle": ":"}
        axes.plot(places, errors, color=theme.ink, clip_on=False, zorder=4, label=label, **style)
    axes.set_title(f"along {AXES[len(audit.input_shape) - 2][audit.axis]}")
    axes.set_xlabel("shift of the input, in positions")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.grid(True, axis="both")


def _line(axes: Axes, layer: LayerShift, number: int, theme: Theme) -> None:
    measured = layer.measured
    known = [(each.shift, each.error) for each in measured.under if each.error is not None]
    period = "no period" if measured.period is None else f"period {measured.period}"
    if not known or not measured.varies:
        known, period = [], "no figure"
    name = shortened(layer.value, NAME)
    axes.plot(
        [shift for shift, _ in known],
        [error / measured.largest for _, error in known],
        color=theme.series[number % len(theme.series)],
        marker=MARKERS[number % len(MARKERS)],
        linestyle=DASHES[number % len(DASHES)],
        markersize=8,
        clip_on=False,
        zorder=3,
        label=f"{name}: {period}",
    )


def draw_invariance(report: Invariance, *, theme: str = "light") -> Figure:
    """Draw the share of predictions that stay the same, against the shift.

    Parameters
    ----------
    report
        What `faltung.invariance` returns.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with themed(theme) as colours:
        drawn = figure(colours, 11.0, HEIGHT)
        drawn.suptitle("How many predictions stay when the image moves?")
        axes = drawn.subplots()
        los, his = zip(*report.intervals, strict=True)
        band = "95 % interval"
        axes.fill_between(report.shifts, los, his, color=colours.output, alpha=0.2, label=band)
        style: dict[str, Any] = {"marker": "o", "markersize": 9, "linewidth": 3, "clip_on": False}
        label = f"all directions, {report.images:,} images"
        axes.plot(report.shifts, report.shares, color=colours.output, label=label, **style)
        others = (colours.input, colours.kernel, colours.other, colours.wrong, colours.muted)
        for number, name in enumerate(report.directions):
            shares = [counts[number] / report.images for counts in report.unchanged]
            dashes = DASHES[1 + number % (len(DASHES) - 1)]
            hue = others[number % len(others)]
            axes.plot(
                *(report.shifts, shares), color=hue, linestyle=dashes, linewidth=1.6, label=name
            )
        axes.set_ylim(0, 1)
        axes.set_xlabel("shift in positions")
        axes.set_ylabel("predictions that stay the same")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.4g} %"))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
        axes.grid(True, axis="both")
        drawn.legend(loc="outside lower center", ncols=3)
    return drawn
