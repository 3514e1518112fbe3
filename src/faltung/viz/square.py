"""The square of four corners as matrices: tied weights in one colour, zeros blank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from faltung.constraints.corner import CORNERS
from faltung.constraints.drawing import names_of
from faltung.errors import PictureError, message
from faltung.viz.cells import Words, show_tied, write_cells
from faltung.viz.style import figure, themed
from faltung.viz.theme import Theme

if TYPE_CHECKING:
    from faltung.constraints import Square

Labels = NDArray[np.int64]

_LARGEST: Final = 4096
"""Rows or columns beyond which a matrix has more entries than the picture has pixels to show."""


def draw(square: Square, *, theme: str = "light") -> Figure:
    """Draw the weight matrices of the four corners.

    Parameters
    ----------
    square
        What `faltung.square` returns.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    PictureError
        Matrices too large to draw.

    Examples
    --------
    >>> from faltung import square
    >>> [axes.get_title(loc="left") for axes in draw(square((2, 2), window=(0, 1))).axes][-1]
    'convolution: 4 weights, 9 connections'
    """
    check_drawable(square.shape)
    size = " × ".join(map(str, square.size))
    window = ", ".join(f"{lo}..{hi}" for lo, hi in square.window).replace("-", "−")
    return draw_labels(
        {corner: aligned(square, corner) for corner in CORNERS},
        {
            corner: f"{corner}: {square.parameters(corner):,} weights, "
            f"{square.nonzeros(corner):,} connections"
            for corner in CORNERS
        },
        title=f"A layer on images of {size}, offsets {window}",
        theme=theme,
    )


def draw_labels(
    labels: Mapping[str, Labels],
    titles: Mapping[str, str],
    *,
    title: str = "",
    theme: str = "light",
) -> Figure:
    """Draw four matrices of tied weights as a square.

    Parameters
    ----------
    labels : mapping of str to int array (rows, columns)
        By corner, in the order dense, shared, local, convolution: which weight stands at each
        entry, -1 for none.
    titles
        What stands above each matrix.
    title
        What stands above all.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with themed(theme) as colours:
        rows, columns = next(iter(labels.values())).shape
        drawn = figure(colours, 11, 11 * min(max(rows / columns, 0.5), 1.6) + 0.9)
        drawn.suptitle(title)
        panels = list(drawn.subplots(2, 2).ravel())
        for axes, (corner, tied) in zip(panels, labels.items(), strict=True):
            show_tied(axes, tied, colours)
            axes.set_title(titles[corner])
        _name_the_steps(panels, colours)
        # A local corner has its weights' names from the one that it has some weights of.
        counts = [int(tied.max(initial=-1)) + 1 for tied in labels.values()]
        counts = counts[:2] * 2
        words = map(_words, labels.values(), counts)
        write_cells(drawn, zip(panels, words, strict=True))
    return drawn


def aligned(square: Square, corner: str) -> Labels:
    """Return a corner's tied entries, the same weight having the same number at every corner.

    Numbered are the entries of the dense matrix where nothing is shared, and all offsets that the
    image has where something is; a local corner has some of them.

    Parameters
    ----------
    square
        The square.
    corner
        Which corner.
    """
    whole = square.tied("shared" if corner in ("shared", "convolution") else "dense")
    return np.where(square.tied(corner) < 0, -1, whole)


def check_drawable(shape: tuple[int, int]) -> None:
    """Refuse a matrix that a picture cannot show.

    Parameters
    ----------
    shape
        Its rows and columns.

    Raises
    ------
    PictureError
        More than `_LARGEST` rows or columns.
    """
    if max(shape) > _LARGEST:
        rule = f"at most {_LARGEST} rows and columns can be drawn"
        cure = "Choose a smaller image"
        raise PictureError(message("matrix", rule, {"shape": shape}, cure))


def _words(tied: Labels, count: int) -> Words:
    """A name for each weight, letters as far as they go."""
    names = [*names_of(count), ""]
    return [[names[int(label)] for label in row] for row in tied]


def _name_the_steps(panels: list[Axes], theme: Theme) -> None:
    """Say what leads from one column to the next, and from one row to the next."""
    style: dict[str, Any] = {"color": theme.muted, "labelpad": 8}
    panels[2].set_xlabel("each weight its own", **style)
    panels[3].set_xlabel("the same weights everywhere", **style)
    panels[0].set_ylabel("all inputs", **style)
    panels[2].set_ylabel("near inputs only", **style)
