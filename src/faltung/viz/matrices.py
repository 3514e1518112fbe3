"""A convolution as a matrix: doubly block-Toeplitz, each weight in its own colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from faltung.constraints.drawing import names_of
from faltung.viz.cells import Words, hatch, largest, numbers, show_tied, show_values, write_cells
from faltung.viz.square import check_drawable
from faltung.viz.style import figure, themed
from faltung.viz.theme import Theme

if TYPE_CHECKING:
    from faltung.constraints import ConvMatrix

Array = NDArray[Any]


def draw(matrix: ConvMatrix, w: ArrayLike | None = None, *, theme: str = "light") -> Figure:
    """Draw the matrix of a convolution beside its kernel.

    Lines part the blocks, one for each pair of an output row and an input row; inputs that no
    window reaches are hatched.

    Parameters
    ----------
    matrix
        A `faltung.constraints.ConvMatrix`.
    w : array_like, (O, C / groups, *kernel), optional
        Filters, to colour entries by their values instead of by which weight stands there.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    PictureError
        A matrix too large to draw.
    """
    check_drawable(matrix.shape)
    rows, columns = matrix.shape
    kernel_ratio = _flat(np.empty(matrix.window.w_shape)).shape
    height = min(max(10 * rows / max(columns, 1), 2.2 * kernel_ratio[0] / kernel_ratio[1]), 12)
    with themed(theme) as colours:
        drawn = figure(colours, 13, height + 1.4)
        drawn.suptitle(
            f"{rows} × {columns}: {matrix.nonzeros:,} of {rows * columns:,} entries are not zero"
        )
        beside, axes = drawn.subplots(1, 2, width_ratios=(2.2, 10))
        entries, kernel, words, small = _shown(matrix, w)
        for panel, values in ((axes, entries), (beside, kernel)):
            if w is None:
                show_tied(panel, values, colours)
            else:
                show_values(panel, values, colours, limit=largest(np.asarray(w)))
        _part(axes, matrix, colours)
        beside.set_title("kernel" if matrix.window.w_shape[:2] == (1, 1) else "first kernel")
        axes.set_xlabel("input")
        axes.set_ylabel("output")
        write_cells(drawn, [(beside, small), (axes, words)])
    return drawn


def _shown(matrix: ConvMatrix, w: ArrayLike | None) -> tuple[Array, Array, Words, Words]:
    """The matrix and its first kernel, as numbers and as words."""
    tied = matrix.tied()
    numbered = np.arange(matrix.parameters).reshape(matrix.window.w_shape)
    if w is None:
        names = [*names_of(matrix.parameters), ""]
        letters = [[names[i] for i in row] for row in tied.tolist()]
        first = _flat(numbered)
        return tied, first, letters, [[names[i] for i in row] for row in first.tolist()]
    weights = np.asarray(w, np.float64)
    entries = np.where(tied < 0, np.nan, matrix.matrix(weights))
    return entries, _flat(weights), numbers(entries), numbers(_flat(weights))


def _flat(w: Array) -> Array:
    """The first kernel as rows and columns, whatever its number of axes."""
    kernel = w[0, 0]
    flat: Array = kernel.reshape(-1, kernel.shape[-1])
    return flat


def _part(axes: Axes, matrix: ConvMatrix, theme: Theme) -> None:
    """Draw the lines between blocks, and hatch the inputs that no window reaches."""
    (rows, columns), window = matrix.shape, matrix.window
    if len(window.space) > 1:
        down, across = window.out_space[-1], window.space[-1]
        axes.hlines(np.arange(down, rows, down) - 0.5, -0.5, columns - 0.5, color=theme.muted)
        axes.vlines(np.arange(across, columns, across) - 0.5, -0.5, rows - 0.5, color=theme.muted)
        for lines in axes.collections[-2:]:
            lines.set_linewidth(1.5)
    unused = np.flatnonzero(np.bincount(matrix.entries().columns, minlength=columns) == 0)
    for column in unused.tolist():
        hatch(axes, range(rows), range(column, column + 1))
