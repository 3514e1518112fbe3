"""Images made larger or smaller: linear interpolation that leaves out no pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung import ops
from faltung.errors import GeometryError, message

MOST_PIXELS = 100_000_000
METHOD = "linear, antialiased"


def resize(image: ArrayLike, size: Sequence[int]) -> NDArray[np.float32]:
    """Resize the last two axes of an image.

    The borders of both images lie on each other. Made smaller, an axis is weighted by a triangle
    as wide as two new pixels, so that all old ones count; made larger, two neighbours are mixed.
    These are Pillow's ``BILINEAR`` on float images, and ONNX's antialiased linear Resize that
    excludes what is outside.

    Parameters
    ----------
    image : array_like, (..., H, W)
        Real numbers.
    size : (int, int)
        The new height and width.

    Returns
    -------
    array, (..., height, width)
        float32, not rounded.

    Raises
    ------
    GeometryError
        resize Z1: no such size, or an image without pixels.

    Examples
    --------
    >>> resize([[0, 4, 8, 12]], (1, 2)).tolist()
    [[2.857142925262451, 9.14285659790039]]
    >>> resize([[0, 4]], (1, 4)).tolist()
    [[0.0, 1.0, 3.0, 4.0]]
    """
    pixels: NDArray[Any] = np.asarray(image, np.float32)
    height, width = size
    if min(size) < 1 or height * width > MOST_PIXELS or pixels.ndim < 2 or not pixels.size:
        rule = f"an image of pixels becomes one of at least 1 and at most {MOST_PIXELS:,}"
        values = {"image": pixels.shape, "size": f"{height}x{width}"}
        raise GeometryError(message("resize", rule, values, "", "resize Z1"))
    axes = (pixels.ndim - 2, pixels.ndim - 1)
    options: dict[str, Any] = {"mode": "linear", "antialias": True, "exclude_outside": True}
    operator = ops.Resize(sizes=(height, width), axes=axes, **options)
    (resized,), _, _ = operator.forward([pixels])
    return np.ascontiguousarray(resized, np.float32)
