"""The running median, which no convolution is: one wild pixel among many changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from faltung.errors import GeometryError, message
from faltung.imaging.kernels import check_size
from faltung.kernels.blocks import output_boxes
from faltung.ops.pad import pad

BLOCK_BYTES = 16 << 20


def median(
    image: ArrayLike, size: int = 3, *, axes: int = 2, border: str = "zeros"
) -> NDArray[Any]:
    """Return the median of the window around each position.

    Parameters
    ----------
    image : array_like, (*space) or (*space, C)
        Channels are filtered one by one.
    size : int
        Of the window along each axis, odd, so that the median is one of its values.
    axes : int
        How many of the first axes are space.
    border : str
        As in `faltung.filter_image`.

    Returns
    -------
    array
        In the image's shape and dtype. A NaN makes the windows that hold it NaN.

    Raises
    ------
    GeometryError
        median M1: an even size.

    Examples
    --------
    >>> median([10, 9, 10, 1, 10, 9], axes=1, border="replicate").tolist()
    [10, 10, 9, 10, 9, 9]
    """
    pixels = np.asarray(image)
    check_size("median", size)
    if size % 2 == 0:
        rule, cure = "the size must be odd", f"Use {size + 1}"
        raise GeometryError(message("median", rule, {"size": size}, cure, "median M1"))
    out = np.empty_like(pixels, order="C")
    if not pixels.size:
        return out
    reach = (size // 2, size // 2)
    padded = pad(pixels, (reach,) * axes + ((0, 0),) * (pixels.ndim - axes), border)
    windows = sliding_window_view(padded, (size,) * axes, axis=tuple(range(axes)))
    for box in output_boxes(out.shape, size**axes * out.itemsize, BLOCK_BYTES):
        at = tuple(slice(*span) for span in box)
        values = windows[at].reshape(*(span.size for span in box), size**axes)
        out[at] = np.sort(values, axis=-1)[..., size**axes // 2]
        if out.dtype.kind == "f":  # a sort puts NaN last, where the middle may miss it
            out[at][np.isnan(values).any(axis=-1)] = np.nan
    return out
