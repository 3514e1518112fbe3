"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from faltung.viz.cells import FIGURE, cell_for, write_cells
from faltung.viz.style import TEXT, figure, name_below, shortened, themed
from faltung.viz.theme import AMOUNT, Theme

Array = NDArray[Any]

LABEL: Final = 2.2
"""Inches of the longest class name."""
SMALLEST: Final = 1.4 * TEXT / 72
"""Inches of a row that has room for a name."""
WRONG: Final = LinearSegmentedColormap.from_list("wrong", ["#ffffff", "#f0a36b", "#b04a00"])


def draw(
    counts: ArrayLike, classes: Sequence[str], *, title: str = "", theme: str = "light"
) -> Figure:
    """Draw a confusion matrix: right ones green, mistakes vermilion, each by its share of a row.

    Parameters
    ----------
    counts : array_like of int (classes, classes)
        How many images of each class (row) were taken for each class (column).
    classes
        Their names.
    title
        A line above the matrix.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    table = np.asarray(counts)
    names = [shortened(name, LABEL) for name in classes]
    cell = max(0.62, cell_for(f"{table.max(initial=0)}"))
    side = min(max(cell * len(names), 3.0), 11.0)
    with themed(theme) as colours:
        drawn = figure(colours, side + 4.4, side + 2.4)
        drawn.suptitle(title)
        axes = drawn.subplots()
        axes.imshow(_coloured(table), aspect="equal")
        _frame(axes, len(names), colours)
        _name(axes, names, table, side / max(len(names), 1))
        words = [[str(count) if count else "" for count in row] for row in table.tolist()]
        write_cells(drawn, [(axes, words)])
    return drawn


def _coloured(table: Array) -> Array:
    """Each count by its share of its row; nothing where there is none."""
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    right = np.eye(len(table), dtype=bool)[..., None]
    # The eye should find a mistake that one image in a hundred makes.
    colours: Array = np.where(right, AMOUNT(share), WRONG(share**0.4))
    colours[table == 0] = 0.0
    return colours


def _frame(axes: Axes, count: int, theme: Theme) -> None:
    axes.spines[:].set_visible(True)
    edges = np.arange(count - 1) + 0.5
    axes.hlines(edges, -0.5, count - 0.5, color=theme.faint, linewidth=1)
    axes.vlines(edges, -0.5, count - 0.5, color=theme.faint, linewidth=1)
    axes.tick_params(length=0)


def _name(axes: Axes, names: list[str], table: Array, cell: float) -> None:
    """Class names on the left and below, the share that is right on the right."""
    axes.set_xlabel("taken for")
    axes.set_ylabel("true class")
    name_below(axes, names, cell)
    if cell < SMALLEST:
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
        return
    at = np.arange(len(names))
    axes.set_yticks(at, names)
    beside = axes.secondary_yaxis("right")
    totals = table.sum(axis=1).tolist()
    shares = (
        f"{100 * n / t:.1f} %" if t else "none" for n, t in zip(np.diag(table), totals, strict=True)
    )
    beside.set_yticks(at, [share.rjust(7) for share in shares], family=FIGURE)
    beside.tick_params(length=0)
    beside.set_ylabel("share that is right", labelpad=10)
