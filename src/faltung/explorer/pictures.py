"""Pictures that somebody brings along: read within limits, and only then unpacked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MOST_PIXELS: Final = 16 * 2**20
"""A picture may claim so many; a file of a few bytes may claim billions."""


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read an image, at 8 bits.

    Parameters
    ----------
    path
        PNG, JPEG, BMP, GIF or TIFF.

    Returns
    -------
    array, (H, W) or (H, W, 3)
        uint8; deeper whole numbers keep their upper 8 bits, reals are spread from 0 to 255.

    Raises
    ------
    FileFormatError
        It is no such image, is damaged, or claims more than `MOST_PIXELS`.
    """
    from faltung.files.image import read_image

    pixels: NDArray[Any] = read_image(path, max_pixels=MOST_PIXELS)
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        return (pixels >> 8).astype(np.uint8)
    values = np.nan_to_num(pixels.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    return np.rint((values - low) * (255.0 / ((high - low) or 1.0))).astype(np.uint8)


def fitted(pixels: NDArray[Any], longest: int) -> NDArray[Any]:
    """Return a picture whose longer side is no longer than so many pixels.

    It is made smaller by antialiased interpolation, and its proportions are kept.

    >>> fitted(np.zeros((40, 20), np.uint8), 10).shape
    (10, 5)
    """
    from faltung.imaging.resize import resize

    height, width = pixels.shape[:2]
    longer = max(height, width)
    if longer <= longest:
        return pixels
    size = (max(1, round(height * longest / longer)), max(1, round(width * longest / longer)))
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    smaller = np.clip(np.rint(resize(planes.astype(np.float32), size)), 0, 255).astype(pixels.dtype)
    return smaller[0] if pixels.ndim == 2 else smaller.transpose(1, 2, 0)
