"""Many small pictures as one: tiles with a gap between them, blank where there is none."""

from __future__ import annotations

from collections.abc import Collection
from math import ceil, sqrt
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from faltung.viz.theme import Theme

Array = NDArray[Any]


def mosaic(tiles: Array, across: int | None = None, gap: int = 1) -> Array:
    """Return tiles in rows, NaN between them.

    Parameters
    ----------
    tiles : array (n, height, width) or (n, height, width, channels)
        Pictures of one size.
    across
        How many stand in a row; by default as many as make it roughly square.
    gap
        Pixels between two tiles.

    Returns
    -------
    numpy.ndarray, float64 (rows, columns) or (rows, columns, channels)

    Examples
    --------
    >>> mosaic(np.arange(3).reshape(3, 1, 1), across=2).tolist()
    [[0.0, nan, 1.0], [nan, nan, nan], [2.0, nan, nan]]
    """
    count, height, width = tiles.shape[:3]
    across = near_square(count, height, width) if across is None else across
    down = ceil(count / across)
    shape = (down * (height + gap) - gap, across * (width + gap) - gap, *tiles.shape[3:])
    whole = np.full(shape, np.nan)
    for index, tile in enumerate(tiles):
        y, x = place(index, across, height, width, gap)
        whole[y : y + height, x : x + width] = tile
    return whole


def frame_tiles(
    axes: Axes,
    count: int,
    size: tuple[int, int],
    theme: Theme,
    *,
    across: int,
    gap: int,
    chosen: Collection[int] = (),
) -> None:
    """Draw a thin frame around each tile of a mosaic, a thick one around those that are chosen.

    Parameters
    ----------
    axes
        Where the mosaic is drawn, one unit a pixel.
    count
        How many tiles there are.
    size
        Height and width of a tile.
    theme
        Its colours.
    across, gap
        As of `mosaic`.
    chosen
        Numbers of tiles.
    """
    height, width = size
    for number in range(count):
        y, x = place(number, across, height, width, gap)
        frame = Rectangle((x - 0.5, y - 0.5), width, height, fill=False, clip_on=False)
        is_chosen = number in chosen
        frame.set(
            edgecolor=theme.ink if is_chosen else theme.muted, linewidth=4 if is_chosen else 0.7
        )
        axes.add_patch(frame)


def near_square(count: int, height: int = 1, width: int = 1) -> int:
    """Return how many tiles in a row make a mosaic about as high as wide.

    >>> near_square(16), near_square(10), near_square(6, height=1, width=3)
    (4, 4, 2)
    """
    return max(1, min(count, ceil(sqrt(count * height / width) - 1e-9)))


def place(index: int, across: int, height: int, width: int, gap: int = 1) -> tuple[int, int]:
    """Return where a tile's upper left pixel lies in a mosaic.

    >>> place(3, across=2, height=5, width=4)
    (6, 5)
    """
    return (index // across) * (height + gap), (index % across) * (width + gap)
