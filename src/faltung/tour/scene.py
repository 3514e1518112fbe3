"""Pictures that cards look at: small photographs, and somebody to look for."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.datasets import photo
from faltung.functional import avg_pool

Array = NDArray[Any]

HAT: Final = (200, 30, 40)
FACE: Final = (235, 190, 150)
SHIRT: Final = ((220, 40, 50), (245, 245, 240))
TROUSERS: Final = (40, 70, 160)
BLACK: Final = (30, 30, 30)


def small_photo(name: str, pooled: int) -> Array:
    """Return a photograph whose blocks of pixels became their means.

    Parameters
    ----------
    name
        As of `faltung.datasets.photo`.
    pooled
        Height and width of a block.

    Returns
    -------
    array, (H, W, C)
        uint8.
    """
    image = np.atleast_3d(photo(name))
    means = avg_pool(np.moveaxis(image, -1, 0)[None], pooled)[0]
    rounded: Array = np.rint(np.moveaxis(means, 0, -1)).astype(np.uint8)
    return rounded


def somebody() -> Array:
    """Return somebody in a striped shirt, 12 pixels high and 8 wide, in colour."""
    figure = np.empty((12, 8, 3), np.uint8)
    figure[:2] = HAT
    figure[2:4] = FACE
    for row in range(4, 9):
        figure[row] = SHIRT[row % 2]
    figure[9:] = TROUSERS
    figure[2:4, [0, 7]] = figure[9:, 3:5] = BLACK
    return figure
