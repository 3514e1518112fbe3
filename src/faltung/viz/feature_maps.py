"""An image on its way through a network: a row of maps for each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from faltung.viz.cells import largest, show_values
from faltung.viz.field import WINDOWED
from faltung.viz.images import show_image
from faltung.viz.mosaic import frame_tiles, mosaic
from faltung.viz.style import bare, figure, name_below, shortened, themed
from faltung.viz.theme import Theme

if TYPE_CHECKING:
    from faltung.analysis.feature_maps import LayerMaps

Array = NDArray[Any]

MOST: Final = 12
"""Maps of a layer that are drawn."""
ROWS: Final = 8
"""Layers that are drawn."""
LABEL: Final = 2.0
WIDTH: Final = 13.0


def draw(
    image: ArrayLike,
    layers: Sequence[LayerMaps],
    *,
    classes: Sequence[str] = (),
    title: str = "",
    theme: str = "light",
) -> Figure:
    """Draw an image and the maps that each layer makes of it, each layer on its own scale.

    Parameters
    ----------
    image : array_like (C, H, W)
        What was put in.
    layers
        What `faltung.analysis.feature_maps.feature_maps` returns; of many, those that
        `representative` chooses. If the last has no space axes, its scores are drawn as bars.
    classes
        Names of the scores.
    title
        A line above all.
    theme
        ``"light"`` or ``"dark"``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    spatial = representative(layers)
    last = layers[-1].values if layers else np.zeros((0, 0))
    scores = last if last.ndim == 1 and last.size else None
    heights = [1.9, *(_height(layer.values) for layer in spatial)]
    heights += [] if scores is None else [2.2]
    with themed(theme) as colours:
        drawn = figure(colours, WIDTH, sum(heights) + 0.45 * len(heights) + 0.6)
        drawn.suptitle(title)
        rows = drawn.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        show_image(rows[0], np.asarray(image))
        _left(rows[0], f"image: {_size(np.asarray(image))}")
        for axes, layer in zip(rows[1:], spatial, strict=False):
            _maps(axes, layer, colours)
        if scores is not None:
            _scores(rows[-1], scores, classes, colours)
    return drawn


def representative(layers: Sequence[LayerMaps], most: int = ROWS) -> list[LayerMaps]:
    """Return layers that show the way: those with two space axes that change something.

    Left out are layers ahead of the first convolution, and dropout; of more than ``most``, evenly
    many are kept, the last always.

    Parameters
    ----------
    layers
        All layers, in computing order.
    most
        How many come back at most.
    """
    first = next((i for i, layer in enumerate(layers) if layer.operator in WINDOWED), 0)
    shown = [
        layer
        for layer in layers[first:]
        if layer.values.ndim == 3 and layer.operator not in ("Dropout", "Identity")
    ]
    if len(shown) <= most:
        return shown
    return [shown[i] for i in np.linspace(0, len(shown) - 1, most).round().astype(int)]


def _height(maps: Array) -> float:
    """Inches of a row whose tiles fill the width."""
    _, height, width = maps.shape
    return float(min(max(WIDTH / MOST * height / max(width, 1), 0.35), 1.6))


def _maps(axes: Axes, layer: LayerMaps, theme: Theme) -> None:
    count, height, width = layer.values.shape
    shown, gap = min(count, MOST), max(1, width // 12)
    row = mosaic(layer.values[:MOST], shown, gap)
    show_values(axes, row, theme, limit=largest(layer.values), separate=0)
    axes.set_xlim(-0.5, MOST * (width + gap) - gap - 0.5)
    more = f", the first {MOST} shown" if count > MOST else ""
    _left(axes, f"{layer.name} ({layer.operator}): {count} × {_size(layer.values[0])}{more}")
    frame_tiles(axes, shown, (height, width), theme, across=shown, gap=gap)


def _size(values: Array) -> str:
    return " × ".join(map(str, values.shape))


def _left(axes: Axes, title: str) -> None:
    bare(axes).set_anchor("W")
    axes.set_title(title)


def _scores(axes: Axes, scores: Array, classes: Sequence[str], theme: Theme) -> None:
    """A bar for each class, the largest one in green."""
    names = classes if len(classes) == len(scores) else [str(i) for i in range(len(scores))]
    best = int(np.argmax(scores))
    colours = [theme.output if i == best else theme.muted for i in range(len(scores))]
    axes.bar(np.arange(len(scores)), scores, color=colours, width=0.7)
    axes.axhline(0, color=theme.muted, linewidth=1)
    axes.set_title("scores")
    name_below(axes, [shortened(name, LABEL) for name in names], (WIDTH - 1.2) / len(names))
