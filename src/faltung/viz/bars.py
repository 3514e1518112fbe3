"""Counts that differ by factors, as bars on a log scale with the exact number beside each."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log10
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from faltung.viz.cells import FIGURE
from faltung.viz.style import figure, shortened, themed

_RAISED: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
WIDTH: Final = 12.0
LABEL: Final = 4.5
"""Inches of the longest name."""


def draw(
    counts: Mapping[str, int | float],
    *,
    unit: str,
    highlighted: str = "",
    title: str = "",
    theme: str = "light",
) -> Figure:
    """Draw one bar for each count, in the given order from top to bottom.

    Parameters
    ----------
    counts
        Positive numbers by name; a zero has no bar.
    unit
        What is counted.
    highlighted
        The name whose bar is orange, such as the convolution among dense layers.
    title
        A line above them.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    names, values = list(counts), np.array([float(v) for v in counts.values()])
    positive = values[values > 0]
    least = 10.0 ** floor(log10(positive.min())) if positive.size else 1.0
    with themed(theme) as colours:
        drawn = figure(colours, WIDTH, 0.52 * len(names) + 1.9)
        drawn.suptitle(title)
        axes = drawn.subplots()
        at = np.arange(len(names))
        fill = [colours.kernel if name == highlighted else colours.input for name in names]
        axes.barh(at, np.maximum(values, least) - least, left=least, color=fill, height=0.66)
        axes.set_xscale("log")
        axes.set_xlim(least, max(values.max(initial=0.0), 10 * least) * 1.3)
        axes.set_yticks(at, [shortened(name, LABEL) for name in names])
        axes.invert_yaxis()
        axes.xaxis.set_major_locator(LogLocator(numticks=8))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: power(x)))
        axes.grid(True, axis="x")
        axes.set_xlabel(f"{unit} (log scale)")
        beside = axes.secondary_yaxis("right")
        exact = [f"{v:,.0f}" if v >= 100 or v == round(v) else f"{v:,.3g}" for v in values]
        longest = max(map(len, exact), default=0)
        beside.set_yticks(at, [text.rjust(longest) for text in exact], family=FIGURE)
        for side in (axes.yaxis, beside.yaxis):
            side.set_tick_params(length=0)
        beside.spines[:].set_visible(False)
    return drawn


def power(value: float) -> str:
    """Return a power of ten, or a small multiple of one, as it is written.

    Parameters
    ----------
    value
        A positive number.

    Examples
    --------
    >>> power(1000), power(1e6), power(2e5), power(1e-3)
    ('1,000', '10⁶', '2·10⁵', '10⁻³')
    """
    exponent = floor(log10(value) + 1e-9)
    if 0 <= exponent <= 4:
        return f"{value:,.0f}"
    factor = value / 10.0**exponent
    times = "" if abs(factor - 1) < 1e-6 else f"{factor:.3g}·"
    return f"{times}10{str(exponent).translate(_RAISED)}"
