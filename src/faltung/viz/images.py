"""Images as they are: grey ones grey, those of three channels in colour."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

Array = NDArray[Any]


def show_image(axes: Axes, image: Array) -> None:
    """Draw an image, its darkest value black and its lightest white; uint8 from 0 to 255.

    Parameters
    ----------
    axes
        Where.
    image : array (H, W), (C, H, W)
        Three channels are red, green and blue; of other numbers the mean is drawn.
    """
    axes.imshow(as_rgb(image), aspect="equal")


def as_rgb(image: Array) -> Array:
    """Return an image as (H, W, 3) from 0 to 1.

    >>> as_rgb(np.array([[0, 51]], np.uint8)).tolist()
    [[[0.0, 0.0, 0.0], [0.2, 0.2, 0.2]]]
    """
    planes = image[None] if image.ndim == 2 else image
    if len(planes) != 3:
        planes = planes.mean(axis=0, keepdims=True)
    values = planes.astype(np.float64)
    low, high = (0.0, 255.0) if image.dtype == np.uint8 else (values.min(), values.max())
    scaled = (values - low) / ((high - low) or 1.0)
    return np.moveaxis(np.broadcast_to(scaled, (3, *scaled.shape[1:])), 0, -1)
