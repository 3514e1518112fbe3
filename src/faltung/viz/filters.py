"""Filters of a layer, all of them or those that differ most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from faltung.viz.cells import largest, show_values
from faltung.viz.mosaic import frame_tiles, mosaic, near_square
from faltung.viz.style import bare, figure, themed
from faltung.viz.theme import Theme

Array = NDArray[Any]

MOST: Final = 64
"""Filters of a layer that are drawn; channels of a filter."""
PIXELS: Final = 8
"""Weights are enlarged to so many pixels, so that gaps can be thinner than a weight."""


def draw(w: ArrayLike, *, title: str = "", theme: str = "light") -> Figure:
    """Draw the filters of a layer on one scale: positive blue, negative vermilion, zero white.

    Parameters
    ----------
    w : array_like (O, C, *kernel)
        One to three space axes. A filter's channels lie in a block, as do the slices of a
        three-dimensional one; beyond `MOST` the rest is left out.
    title
        A line above them.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    weights = np.asarray(w, np.float64)
    blocks = filter_blocks(weights)
    with themed(theme) as colours:
        width = min(9.0, max(4.5, 2.0 * near_square(len(blocks), *blocks.shape[1:])))
        drawn = figure(colours, width, width * _ratio(blocks) + 0.9)
        drawn.suptitle(title or described(weights))
        axes = drawn.subplots()
        _tile(axes, blocks, colours, largest(weights))
    return drawn


def draw_chosen(
    w: ArrayLike, chosen: Sequence[int] | Array, *, title: str = "", theme: str = "light"
) -> Figure:
    """Draw all filters of a layer, and beside them those that were chosen, with their numbers.

    Parameters
    ----------
    w : array_like (O, C, *kernel)
        As of `draw`.
    chosen : ints
        Which ones, such as `faltung.analysis.dpp.most_different` finds.
    title
        A line above them.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    weights, numbers = np.asarray(w, np.float64), [int(each) for each in chosen]
    blocks, limit = filter_blocks(weights), largest(weights)
    columns = 3 if len(numbers) % 3 == 0 else near_square(len(numbers))
    lines = max(-(-len(numbers) // columns), 1)
    single = filter_blocks(weights[numbers])
    with themed(theme) as colours:
        height = max(5 * _ratio(blocks), 7.4 * lines / columns * _shape_ratio(single))
        drawn = figure(colours, 13, min(height, 14) + 0.5 * lines + 1.0)
        drawn.suptitle(title or f"The {len(numbers)} most different of {described(weights)}")
        left, right = drawn.subfigures(1, 2, width_ratios=(5, 8), squeeze=False)[0]
        every = left.subplots()
        _tile(every, blocks, colours, limit, numbers)
        every.set_title("all")
        panels = right.subplots(lines, columns, squeeze=False).ravel()
        for axes, number, block in zip(panels, numbers, single, strict=False):
            show_values(axes, block, colours, limit=limit, separate=0)
            axes.set_title(f"filter {number}")
        for axes in panels[len(numbers) :]:
            axes.set_axis_off()
    return drawn


def described(w: Array) -> str:
    """Return how many filters there are, and their shape.

    Parameters
    ----------
    w : array (O, C, *kernel)
        Filters.

    Examples
    --------
    >>> described(np.zeros((16, 1, 3, 3)))
    '16 filters of 1 × 3 × 3'
    """
    size = " × ".join(map(str, w.shape[1:]))
    rest = f", the first {MOST} shown" if len(w) > MOST else ""
    return f"{len(w)} filters of {size}{rest}"


def filter_blocks(w: Array) -> Array:
    """Return each filter as one small picture (n, height, width): its channels in a block.

    Parameters
    ----------
    w : array (O, C, *kernel)
        Filters; the first `MOST` of them, and of their channels, are taken.
    """
    kernel = w.shape[2:] if w.ndim > 3 else (1, *w.shape[2:])
    slices = w.reshape(len(w), -1, *kernel[-2:])[:MOST, :MOST]
    slices = slices.repeat(PIXELS, axis=2).repeat(PIXELS, axis=3)
    if slices.shape[1] == 1 or not len(slices):
        return np.asarray(slices[:, 0], np.float64)
    across = near_square(*slices.shape[1:])
    return np.stack([mosaic(each, across, gap=3) for each in slices])


def _gap(blocks: Array) -> int:
    """Filters stand further apart than the channels of one."""
    return 6 + int(max(blocks.shape[1:])) // 16


def _ratio(blocks: Array) -> float:
    """Height of the mosaic by its width, within what a figure can be."""
    high, wide = mosaic(blocks, None, _gap(blocks)).shape
    return float(min(max(high / wide, 0.2), 1.5))


def _shape_ratio(blocks: Array) -> float:
    return float(blocks.shape[1] / blocks.shape[2])


def _tile(
    axes: Axes, blocks: Array, theme: Theme, limit: float, chosen: Sequence[int] = ()
) -> None:
    gap, size = _gap(blocks), (int(blocks.shape[1]), int(blocks.shape[2]))
    across = near_square(len(blocks), *size)
    show_values(axes, mosaic(blocks, across, gap), theme, limit=limit, separate=0)
    frame_tiles(bare(axes), len(blocks), size, theme, across=across, gap=gap, chosen=chosen)
