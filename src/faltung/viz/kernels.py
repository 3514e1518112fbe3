"""Kernels as numbers on a diverging scale: positive blue, negative vermilion, zero white."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from faltung.viz.cells import cell_for, number, numbers, show_values, write_cells
from faltung.viz.style import figure, themed, width_of

_FEW: Final = 11
"""Rows up to which a kernel has lines between them."""
_NARROWEST: Final = 1.8
_WIDEST: Final = 4.4
"""Inches of a panel with numbers, at least and at most."""


def draw(
    kernels: Mapping[str, ArrayLike], *, across: int = 4, title: str = "", theme: str = "light"
) -> Figure:
    """Draw kernels beside each other, each on its own scale, numbers printed where they fit.

    Parameters
    ----------
    kernels
        One- or two-dimensional arrays by name.
    across
        How many stand beside each other at most.
    title
        A line above them.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    arrays = {name: np.atleast_2d(np.asarray(k, np.float64)) for name, k in kernels.items()}
    columns = min(across, max(len(arrays), 1))
    size = max(_panel(name, k) for name, k in arrays.items())
    high = [size * k.shape[0] / max(k.shape) for k in arrays.values()]
    heights = [max(high[i : i + columns]) + 0.95 for i in range(0, len(high), columns)]
    with themed(theme) as colours:
        drawn = figure(colours, columns * (size + 0.25), sum(heights) + (0.5 if title else 0))
        if title:
            drawn.suptitle(title)
        shape = (len(heights), columns)
        panels = drawn.subplots(*shape, squeeze=False, height_ratios=heights).ravel()
        for axes in panels[len(arrays) :]:
            axes.set_axis_off()
        shown = list(zip(panels, arrays.items(), strict=False))
        for axes, (name, kernel) in shown:
            show_values(axes, kernel, colours, separate=_FEW)
            axes.set_title(name)
        write_cells(drawn, [(axes, numbers(kernel)) for axes, (_, kernel) in shown])
        for axes, (_, kernel) in shown:
            if len(axes.texts) < kernel.size:
                axes.set_xlabel(f"{number(kernel.min())} to {number(kernel.max())}")
    return drawn


def _panel(name: str, kernel: NDArray[np.float64]) -> float:
    """Inches that a kernel's numbers need, if that is a size to have, and its name."""
    cell = max(cell_for(word) for row in numbers(kernel) for word in row)
    wide = max(kernel.shape) * max(cell, 0.42)
    wanted = wide if wide <= _WIDEST else 2.6
    return max(_NARROWEST, wanted, width_of(name))
