"""Pictures of what was found: frames around places, and maps of signed values in colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
FRAME = (230, 159, 0)
"""Orange, the kernel's colour: a template is one."""
NEGATIVE, POSITIVE = (0, 114, 178), (213, 94, 0)


def eight_bit_colour(pixels: NDArray[Any]) -> Pixels:
    """(H, W) or (H, W, C) as (H, W, 3) of 8 bits; 16 bits are rounded, floats stretched."""
    if pixels.dtype == np.uint16:
        pixels = (pixels.astype(np.int64) + 128) // 257
    elif pixels.dtype != np.uint8:
        low, high = float(pixels.min(initial=0.0)), float(pixels.max(initial=1.0))
        pixels = np.rint((pixels - low) * (255 / (high - low)))
    colour = np.atleast_3d(pixels)
    return np.broadcast_to(colour[..., :3], (*colour.shape[:2], 3)).astype(np.uint8)


def framed(
    scene: NDArray[Any], boxes: Sequence[tuple[float, float]], size: tuple[int, int]
) -> Pixels:
    """Return a copy of a scene with a frame around boxes, given by their upper left corners.

    A frame is drawn outside its box, orange within black, so that it shows on any ground.
    """
    picture = eight_bit_colour(scene).copy()
    width = max(1, min(picture.shape[:2]) // 250)
    for top, left in boxes:
        for reach, colour in ((2 * width, (0, 0, 0)), (width, FRAME)):
            _frame(picture, round(top), round(left), size, reach, colour)
    return picture


def _frame(
    picture: Pixels,
    top: int,
    left: int,
    size: tuple[int, int],
    reach: int,
    colour: tuple[int, int, int],
) -> None:
    rows = np.arange(picture.shape[0])[:, np.newaxis]
    columns = np.arange(picture.shape[1])
    bottom, right = top + size[0], left + size[1]
    outer = (rows >= top - reach) & (rows < bottom + reach)
    outer = outer & (columns >= left - reach) & (columns < right + reach)
    inner = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
    picture[outer & ~inner] = colour


def signed_colours(values: NDArray[Any], largest: float = 1.0) -> Pixels:
    """Return values as colours: white at 0, blue at ``-largest``, orange red at ``largest``.

    >>> signed_colours(np.array([[-1.0, 0.0, 1.0]])).tolist()
    [[[0, 114, 178], [255, 255, 255], [213, 94, 0]]]
    """
    share = np.clip(np.asarray(values, float) / largest, -1, 1)[..., np.newaxis]
    ends = np.where(share < 0, np.array(NEGATIVE), np.array(POSITIVE))
    colours: Pixels = np.rint(255 + np.abs(share) * (ends - 255)).astype(np.uint8)
    return colours
