"""A small scene with a template hidden in it, made from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Place = tuple[int, int]

SHIRT: Final = ((220, 40, 50), (245, 245, 240))
FACE: Final = (235, 190, 150)
HAT: Final = (200, 30, 40)
TROUSERS: Final = (40, 70, 160)


class Scene(NamedTuple):
    """A template (h, w, 3), and an image (H, W, 3) that has copies of it; uint8."""

    template: Array
    image: Array


def somebody() -> Array:
    """Return somebody in a striped shirt, 12 pixels high and 8 wide."""
    figure = np.empty((12, 8, 3), np.uint8)
    figure[:2] = HAT
    figure[2:4] = FACE
    for row in range(4, 9):
        figure[row] = SHIRT[row % 2]
    figure[9:] = TROUSERS
    figure[2:4, [0, 7]] = figure[9:, 3:5] = (30, 30, 30)
    return figure


def hidden(
    size: Place,
    copies: Sequence[Place],
    decoys: Sequence[Place],
    gain: float,
    offset: float,
    noise: float,
) -> Scene:
    """Return a scene of coloured boxes with copies of somebody, and decoys of the same pixels.

    Parameters
    ----------
    size
        Rows and columns.
    copies, decoys
        Upper left corners; a copy may hang over the border. A decoy has the template's pixels in
        another order.
    gain, offset, noise
        A copy is ``gain · template + offset``; everything gets noise of this standard deviation.
    """
    rng, template = np.random.RandomState(7), somebody()
    image = _boxes(rng, size)
    for place in copies:
        _paste(image, gain * template + offset, place)
    for place in decoys:
        pixels = rng.permutation(template.reshape(-1, 3)).reshape(template.shape)
        _paste(image, gain * pixels + offset, place)
    image += noise * rng.randn(*image.shape)
    return Scene(template, np.rint(image).clip(0, 255).astype(np.uint8))


def _boxes(rng: np.random.RandomState, size: Place) -> Array:
    image = np.full((*size, 3), 120.0)
    for _ in range(60):
        top, left = rng.randint(-4, size[0]), rng.randint(-4, size[1])
        bottom, right = top + rng.randint(4, 14), left + rng.randint(4, 18)
        image[max(top, 0) : bottom, max(left, 0) : right] = rng.randint(30, 226, 3)
    return image


def _paste(image: Array, part: Array, place: Place) -> None:
    """Put a part where it belongs, as far as it lies inside."""
    rows, columns = (
        slice(max(at, 0), min(at + n, whole))
        for at, n, whole in zip(place, part.shape, image.shape, strict=False)
    )
    top, left = place
    image[rows, columns] = part[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
