"""The effective receptive field: a map of what matters, in the frame of what is seen."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from faltung.analysis.effective_field import EffectiveField
from faltung.analysis.locality import AXES
from faltung.viz.style import bare, figure, shortened, themed
from faltung.viz.theme import AMOUNT, Theme

TALLEST: Final = 5.2
PROFILE: Final = 6.4
"""Inches of the map, and of the profiles beside it."""


def draw(report: EffectiveField, *, theme: str = "light") -> Figure:
    """Draw how much each position of the input matters to one output, and along each axis.

    Parameters
    ----------
    report
        What `faltung.effective_field` returns. Of three axes the map is the middle slice.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    count = report.energy.ndim
    side = TALLEST + 1.4 if count > 1 else 0.0
    width = side + PROFILE + 1.6 if side else 11.0
    with themed(theme) as colours:
        drawn = figure(colours, width, max(6.6, 3.1 * count + 1.0))
        drawn.suptitle(shortened(_title(report), 0.8 * (width - 0.4)))
        right: Any = drawn
        if side:
            parts: Any = drawn.subfigures(1, 2, width_ratios=(side, PROFILE + 1.6))
            right = parts[1]
            _map(parts[0], report, colours)
        panels = right.subplots(count, 1, squeeze=False)[:, 0]
        for axis, axes in enumerate(panels):
            _profile(axes, report, axis, colours)
        panels[-1].set_xlabel("position of the input")
        _legend(drawn, colours)
    return drawn


def _legend(drawn: Figure, theme: Theme) -> None:
    seen = Patch(facecolor=theme.kernel, alpha=0.3, label="what it sees, exactly")
    matters = Patch(facecolor=theme.output, alpha=0.5, label="share of the squared gradient")
    drawn.legend(handles=[seen, matters], loc="outside lower center", ncols=2)


def _title(report: EffectiveField) -> str:
    share = report.share_of_area
    held = "no gradient" if np.isnan(share) else f"95 % in {100 * share:.0f} % of its field"
    return f"What one output of {report.value} depends on: {held}"


def _map(place: Any, report: EffectiveField, theme: Theme) -> None:
    """Weights on white to green, the exact field framed in the kernel's colour."""
    weights = report.weights
    while weights.ndim > 2:
        weights = weights[weights.shape[0] // 2]
    rows, columns = weights.shape
    axes = place.subplots()
    norm = Normalize(0.0, float(weights.max()) or 1.0)
    # A long strip would leave no room for the numbers of the scale.
    aspect: Any = "equal" if 0.4 < rows / columns < 2.5 else "auto"
    axes.imshow(AMOUNT(norm(weights)), aspect=aspect)
    slice_of = ", middle slice" if report.energy.ndim > 2 else ""
    bare(axes).set_title(f"root mean square gradient{slice_of}")
    (top, bottom), (first, last) = report.theoretical[-2:]
    frame = Rectangle(
        (max(first, 0) - 0.5, max(top, 0) - 0.5),
        min(last, columns) - max(first, 0),
        min(bottom, rows) - max(top, 0),
        fill=False,
    )
    frame.set(edgecolor=theme.kernel, linewidth=3, clip_on=False)
    axes.add_patch(frame)
    beside = axes.inset_axes((1.04, 0, 0.05, 1))
    scale = place.colorbar(ScalarMappable(norm, AMOUNT), cax=beside)
    scale.outline.set_visible(False)
    scale.ax.yaxis.set_major_locator(MaxNLocator(4))


def _profile(axes: Axes, report: EffectiveField, axis: int, theme: Theme) -> None:
    """The share of the energy along an axis, what is seen shaded, one deviation marked."""
    shares = report.profile(axis)
    interval = report.theoretical[axis]
    places = np.arange(shares.size)
    lo, hi = max(interval.lo, 0), min(interval.hi, shares.size)
    axes.axvspan(lo - 0.5, hi - 0.5, color=theme.kernel, alpha=0.18, linewidth=0)
    axes.step(places, shares, where="mid", color=theme.output)
    axes.fill_between(places, shares, step="mid", color=theme.output, alpha=0.3, linewidth=0)
    seen = f"{interval.hi - interval.lo:,} seen"
    axes.set_title(
        f"along {AXES[report.energy.ndim][axis]}: {seen}, standard deviation {report.std[axis]:.1f}"
    )
    axes.set_xlim(-0.5, shares.size - 0.5)
    axes.set_ylim(0, float(shares.max()) * 1.1 or 1.0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g} %"))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.grid(True, axis="y")
