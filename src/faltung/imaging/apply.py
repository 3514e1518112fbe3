"""One call for every filter: a kernel as an array, as numbers in a text, or by its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from faltung.files.depth import to_depth
from faltung.imaging.filter import slide
from faltung.imaging.kernel_text import is_numbers, kernel_of
from faltung.imaging.library import AbstractFilter, LinearFilter, named_filter


def filter_of(kernel: ArrayLike | AbstractFilter, *, axes: int = 2) -> AbstractFilter:
    """Return the filter that a name, a text of numbers or an array stands for."""
    if isinstance(kernel, AbstractFilter):
        return kernel
    if isinstance(kernel, str) and not is_numbers(kernel):
        return named_filter(kernel, axes=axes)
    array = kernel_of(kernel, axes=axes) if isinstance(kernel, str) else np.asarray(kernel)
    return LinearFilter("the given kernel", array)


def filter_image(
    image: ArrayLike,
    kernel: ArrayLike | AbstractFilter,
    *,
    mode: str = "correlate",
    border: str = "zeros",
    channels: str = "each",
    anchor: int | Sequence[int] | None = None,
    dtype: DTypeLike | None = None,
) -> NDArray[Any]:
    """Filter an image, a signal or a volume; the result has its size.

    ``correlate: y[i] = Σ_k kernel[k] · x[i + k - anchor]``,
    ``convolve:  y[i] = Σ_k kernel[k] · x[i - k + anchor]``.

    Parameters
    ----------
    image : array_like, (*space) or (*space, C)
        Booleans, integers or floats.
    kernel : array_like, str or filter
        (*space), and for mixed channels (*space, C) or (*space, C, D); numbers in a text, such as
        ``"1 2 1; 2 4 2; 1 2 1"``; or a filter of the library, such as ``"gaussian:1.5"``. A text
        is for images (H, W) or (H, W, C), or for a signal with one axis.
    mode : {"correlate", "convolve"}
        Whether the kernel is flipped along every space axis: "convolve" does.
    border : {"zeros", "reflect", "replicate", "circular", "symmetric"}
        What stands outside the image. `numpy.pad` calls them constant, reflect, edge, wrap and
        symmetric; `scipy.ndimage` calls them constant, mirror, nearest, wrap and reflect.
    channels : {"each", "mixed"}
        Each channel by itself, or all of them summed: ``y[..., d] = Σ_c x[..., c] * k[..., c, d]``,
        one output for (*space, C); a kernel (*space) is applied to the mean of the channels.
    anchor : int or one for each space axis, optional
        The kernel entry that meets the position itself; ``size // 2`` by default, so that even
        kernels agree with `scipy.ndimage`.
    dtype : integer dtype, optional
        Round the result to it, halves to the even number, and clip it to its range. From 8 bits
        to 8 bits sums with a float kernel are taken in float32, like those of OpenCV.

    Returns
    -------
    array
        A new one. Integers (and booleans) with an integer kernel: int64, exact, never wrapped
        round; integers with a float kernel: float64; a float image keeps its dtype, float16
        becomes float32, unless the kernel is a wider float. Kernels that are an outer product run
        as one pass along each axis, which changes floats by rounding alone and integers not at all.

    Raises
    ------
    GeometryError
        filter F1 to F7, library N1 to N4, kernel L1 to L5.
    DTypeError
        filter F8: other than real numbers; or values that `dtype` cannot hold.
    IntegerRangeError
        filter F9, convolve S8: a sum of integers that could pass 64 bits.

    Examples
    --------
    >>> filter_image([[1, 2, 0], [0, 1, 2], [2, 0, 1]], "sobel-x")[1, 1]
    np.int64(2)
    >>> filter_image([250, 250, 10], [1, 1, 1], dtype=np.uint8).tolist()
    [255, 255, 255]
    """
    pixels = np.asarray(image)
    chosen = filter_of(kernel, axes=1 if pixels.ndim == 1 else 2)
    how: dict[str, Any] = {"mode": mode, "border": border, "channels": channels, "anchor": anchor}
    to = None if dtype is None else np.dtype(dtype)
    if isinstance(chosen, LinearFilter) and not chosen.terms and to is not None and to.kind in "iu":
        return slide(pixels, chosen.kernel, **how, dtype=to)
    y = chosen.apply(pixels, **how)
    return y if to is None else to_depth(y, to).values
