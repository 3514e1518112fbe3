"""Small arrays as cells: a colour for each value, and the value itself where there is room."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from faltung.viz.style import width_of
from faltung.viz.theme import DIVERGING, Theme, hues, text_on

Array = NDArray[Any]
Words = Sequence[Sequence[str]]

FIGURE: Final = "monospace"
_MARGIN: Final = 0.08
"""Inches left and right of a number in its cell."""
SEPARATE: Final = 48
"""More rows or columns than these have no lines between them."""
_SMALLEST: Final = 22 / 72
"""Inches of the smallest cell that has its number."""


def show_values(
    axes: Axes,
    values: Array,
    theme: Theme,
    *,
    limit: float | None = None,
    cmap: Colormap = DIVERGING,
    separate: int = SEPARATE,
) -> None:
    """Colour a matrix by its values, zero in white; cells that are NaN stay blank.

    Parameters
    ----------
    axes
        Where.
    values : array (rows, columns)
        Any real numbers.
    theme
        Of the lines between the cells.
    limit
        The value of the strongest colour; the largest one there is if it is left out.
    cmap
        `DIVERGING`, or one from 0 to ``limit``.
    separate
        Up to how many rows and columns there are lines between them.
    """
    top = largest(values) if limit is None else limit
    low = -top if cmap is DIVERGING else 0.0
    _show(axes, np.asarray(values, np.float64), cmap, Normalize(low, top), theme, separate)


def show_tied(axes: Axes, labels: Array, theme: Theme) -> None:
    """Give equal labels one colour; negative ones are blank.

    Parameters
    ----------
    axes
        Where.
    labels : int array (rows, columns)
        Which weight stands at each entry, -1 for none.
    theme
        As of `show_values`.
    """
    count = int(labels.max(initial=0)) + 1
    shown = np.where(labels < 0, np.nan, labels)
    _show(axes, shown, ListedColormap(hues(count)), Normalize(-0.5, count - 0.5), theme, SEPARATE)


def _show(
    axes: Axes, values: Array, cmap: Colormap, norm: Normalize, theme: Theme, separate: int
) -> None:
    axes.imshow(cmap(np.ma.masked_invalid(norm(values))), aspect="equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(theme.muted)
    rows, columns = values.shape
    if max(rows, columns) <= separate:
        across, down = np.arange(columns - 1) + 0.5, np.arange(rows - 1) + 0.5
        axes.vlines(across, -0.5, rows - 0.5, color=theme.faint, linewidth=1)
        axes.hlines(down, -0.5, columns - 0.5, color=theme.faint, linewidth=1)


def write_cells(drawn: Figure, panels: Iterable[tuple[Axes, Words]]) -> None:
    """Print a word into each cell of the panels whose cells have room for all of theirs.

    Parameters
    ----------
    drawn
        The figure with everything else in it: its layout decides how large cells are.
    panels
        Axes that `show_values` or `show_tied` coloured, and the words, row by row.
    """
    todo = list(panels)
    drawn.draw_without_rendering()
    for axes, words in todo:
        if has_room(axes, words):
            write_words(axes, words)


def has_room(axes: Axes, words: Words) -> bool:
    """Whether each word fits the cell it is for, as the axes lie now."""
    drawn = axes.get_figure(root=True)
    longest = max((word for row in words for word in row), key=len, default="")
    if drawn is None or not longest:
        return False
    box = axes.get_window_extent()
    wide = box.width / len(words[0]) / drawn.dpi
    return min(wide, box.height / len(words) / drawn.dpi) >= max(_SMALLEST, cell_for(longest))


def cell_for(word: str) -> float:
    """Return how many inches a cell needs for a word."""
    return width_of(word, family=FIGURE) + 2 * _MARGIN


def write_words(axes: Axes, words: Words) -> None:
    """Print a word into each cell, whether or not it has room.

    Parameters
    ----------
    axes
        Axes that `show_values` or `show_tied` coloured.
    words
        Row by row.
    """
    colours = np.asarray(axes.get_images()[0].get_array())
    for y, row in enumerate(words):
        for x, word in enumerate(row):
            red, green, blue, alpha = colours[y, x]
            made = axes.text(x, y, word, ha="center", va="center_baseline", family=FIGURE)
            made.set(in_layout=False, zorder=5)
            if alpha:  # else it stands on the paper
                made.set_color(text_on((red, green, blue)))


def outline(axes: Axes, rows: range, columns: range, colour: str, width: float = 3.0) -> None:
    """Draw a frame around cells.

    Parameters
    ----------
    axes
        Where.
    rows, columns
        Which cells.
    colour
        Of the frame.
    width
        Of its line, in points.
    """
    corner = (columns.start - 0.5, rows.start - 0.5)
    size = (columns.stop - columns.start, rows.stop - rows.start)
    frame = Rectangle(corner, *size, fill=False, edgecolor=colour, linewidth=width)
    frame.set(clip_on=False, zorder=4)
    axes.add_patch(frame)


def hatch(axes: Axes, rows: range, columns: range) -> None:
    """Hatch cells that nothing reaches.

    Parameters
    ----------
    axes
        Where.
    rows, columns
        Which cells.
    """
    corner = (columns.start - 0.5, rows.start - 0.5)
    size = (columns.stop - columns.start, rows.stop - rows.start)
    axes.add_patch(Rectangle(corner, *size, fill=False, hatch="////", linewidth=0, zorder=2.5))


def largest(values: Array) -> float:
    """Return the largest finite magnitude, and 1 where there is none but zero.

    >>> largest(np.array([-3.0, 2.0, np.nan])), largest(np.zeros(2))
    (3.0, 1.0)
    """
    finite = np.abs(np.asarray(values, np.float64))
    finite = finite[np.isfinite(finite)]
    return float(finite.max(initial=0.0)) or 1.0


def number(value: float) -> str:
    """Return a number in few signs, with a minus that is as wide as a plus.

    >>> [number(v) for v in (2, -1, 1 / 9, -1 / 256, 120.4, 0.5, 1e-9, -3e7, -np.inf)]
    ['2', '−1', '0.11', '−0.004', '120', '0.5', '1e−9', '−3e7', '−∞']
    """
    if not isfinite(value):
        text = f"{value:+}".replace("inf", "∞").removeprefix("+")
    elif value == round(value) and abs(value) < 1e5:
        text = f"{round(value)}"
    elif 0.0005 <= abs(value) < 1e5:
        whole, _, rest = f"{value:.{_digits(abs(value))}f}".partition(".")
        text = f"{whole}.{rest}".rstrip("0").rstrip(".") if rest else whole
    else:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        text = f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return text.replace("-", "−")


def _digits(magnitude: float) -> int:
    """How many digits after the point leave a number short."""
    return next(n for least, n in ((100, 0), (10, 1), (0.095, 2), (0, 3)) if magnitude >= least)


def numbers(values: Array) -> list[list[str]]:
    """Return a matrix as words, blank where it is NaN."""
    return [["" if np.isnan(v) else number(float(v)) for v in row] for row in np.asarray(values)]
