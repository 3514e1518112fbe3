"""The images that a network gets most wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from faltung.viz.images import show_image
from faltung.viz.style import bare, figure, shortened, themed, width_of

Array = NDArray[Any]

PANEL: Final = 2.5
"""Inches of a picture, and of the longest line below it."""


class Mistake(NamedTuple):
    """An image and what it was taken for.

    Parameters
    ----------
    image : array (C, H, W)
        The image.
    true, predicted
        The class that it is of, and that which it was taken for.
    confidence
        How surely, from 0 to 1; NaN if that is not known.
    """

    image: Array
    true: str
    predicted: str
    confidence: float


def draw(
    mistakes: Sequence[Mistake], *, across: int = 5, title: str = "", theme: str = "light"
) -> Figure:
    """Draw images with what they are and what they were taken for.

    Parameters
    ----------
    mistakes
        The worst first.
    across
        How many stand beside each other.
    title
        A line above them.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    columns = max(min(across, len(mistakes)), 1)
    rows = max(-(-len(mistakes) // columns), 1)
    with themed(theme) as colours:
        drawn = figure(colours, max(columns * (PANEL + 0.15), 6), rows * (PANEL + 0.85) + 0.6)
        drawn.suptitle(title or ("worst mistakes" if mistakes else "no mistakes"))
        panels = drawn.subplots(rows, columns, squeeze=False).ravel()
        for axes, mistake in zip(panels, mistakes, strict=False):
            show_image(axes, mistake.image)
            axes.set_box_aspect(1)  # so that a narrow image leaves its caption room
            axes.set_aspect("equal", adjustable="datalim")
            bare(axes).set_title(_caption(mistake))
        for axes in panels[len(mistakes) :]:
            axes.set_axis_off()
    return drawn


def _caption(mistake: Mistake) -> str:
    """Two lines that say what happened, in the room that a picture has."""
    sure = "" if np.isnan(mistake.confidence) else f", {100 * mistake.confidence:.0f} %"
    first, second = f"is {mistake.true}", f"taken for {mistake.predicted}"
    return f"{shortened(first, PANEL)}\n{shortened(second, PANEL - width_of(sure))}{sure}"
