"""The time of a plan, as bars: one for each of the steps that take longest."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.figure import Figure

from faltung.plan.profile import Profile
from faltung.viz.cells import FIGURE
from faltung.viz.style import figure, shortened, themed

STEPS: Final = 20
WIDTH: Final = 13.0
LABEL: Final = 5.5
"""Inches of the longest name."""


def draw(report: Profile, *, steps: int = STEPS, theme: str = "light") -> Figure:
    """Draw the longest steps, from top to bottom, with each one's share of the roofline.

    Parameters
    ----------
    report
        What `faltung.Plan.profile` returned.
    steps
        How many.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    longest = report.longest(steps)
    at, taken = np.arange(len(longest)), np.array([1e3 * step.seconds for step in longest])
    with themed(theme) as colours:
        drawn = figure(colours, WIDTH, 0.5 * len(longest) + 1.9)
        drawn.suptitle(f"{1e3 * report.seconds:.3g} ms in {len(report.steps)} steps")
        axes = drawn.subplots()
        axes.barh(at, taken, color=colours.input, height=0.66)
        names = [f"{step.name} ({step.kernel.removesuffix('_any_nchw')})" for step in longest]
        axes.set_yticks(at, [shortened(name, LABEL) for name in names])
        axes.invert_yaxis()
        axes.grid(True, axis="x")
        axes.set_xlabel("ms; beside each bar the share of the roofline")
        beside = axes.secondary_yaxis("right")
        shares = ["" if s.roofline is None else f"{100 * s.roofline:.0f} %" for s in longest]
        beside.set_yticks(at, [text.rjust(5) for text in shares], family=FIGURE)
        for side in (axes.yaxis, beside.yaxis):
            side.set_tick_params(length=0)
        beside.spines[:].set_visible(False)
    return drawn
