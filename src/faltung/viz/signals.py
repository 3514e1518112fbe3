"""Signals on one axis: what goes in, the kernel at the same scale, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from faltung.viz.cells import number
from faltung.viz.style import figure, themed, width_of
from faltung.viz.theme import Theme

WIDTH: Final = 11.0
MARKED: Final = 60
"""Samples up to which each has a marker."""


class Output(NamedTuple):
    """What was made of a signal.

    Parameters
    ----------
    values : array_like (m,)
        The samples.
    start
        At which of the signal's positions they begin.
    """

    values: ArrayLike
    start: int = 0


def draw(
    signal: ArrayLike,
    kernel: ArrayLike,
    outputs: Mapping[str, Output],
    *,
    title: str = "",
    theme: str = "light",
) -> Figure:
    """Draw a signal, the kernel that slides over it, and one output or several.

    Parameters
    ----------
    signal : array_like (n,)
        The input.
    kernel : array_like (k,)
        Its weights, in the order in which they lie on the signal.
    outputs
        By name; the first one is the convolution, others (a median, say) are compared with it.
    title
        A line above all.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    values, weights = np.asarray(signal, np.float64), np.asarray(kernel, np.float64)
    with themed(theme) as colours:
        drawn = figure(colours, WIDTH, 8.4)
        if title:
            drawn.suptitle(title)
        above, middle, below = drawn.subplots(3, 1, sharex=True, height_ratios=(3, 2, 3.4))
        _line(above, 0, values, colours.input)
        above.set_title("signal")
        _weights(middle, weights, colours)
        _line(below, 0, values, colours.input, linewidth=1.2, alpha=0.5, marker="", label="signal")
        styles = zip((colours.output, colours.other, colours.wrong), ("-", "--", ":"), strict=True)
        for (name, output), (colour, dashes) in zip(outputs.items(), styles, strict=False):
            made = np.asarray(output.values, np.float64)
            _line(below, output.start, made, colour, linestyle=dashes, label=name)
        _legend(below)
        for axes in (above, middle, below):
            axes.grid(True)
        below.set_xlabel("position")
    return drawn


def _line(axes: Axes, start: int, values: NDArray[np.float64], colour: str, **style: Any) -> None:
    style = {"marker": "o" if len(values) <= MARKED else "", "markersize": 8, **style}
    axes.plot(np.arange(start, start + len(values)), values, color=colour, **style)


def _weights(axes: Axes, weights: NDArray[np.float64], theme: Theme) -> None:
    """Bars at the signal's own scale, and the numbers above them if there is room."""
    axes.bar(np.arange(len(weights)), weights, width=0.8, color=theme.kernel)
    axes.axhline(0, color=theme.muted, linewidth=1)
    axes.margins(y=0.2)
    listed = ", ".join(number(weight) for weight in weights.tolist())
    fits = width_of(listed) < WIDTH - 3
    axes.set_title(f"kernel: {listed}" if fits else f"kernel of {len(weights)} weights")


def _legend(axes: Axes) -> None:
    """Names above the axes, where no line can run through them."""
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=4, borderaxespad=0.2)
