"""Slide in a notebook, on arrays of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from faltung.errors import ExplorerError, message
from faltung.explorer.widgets import AbstractView


class KernelSlide(AbstractView):
    """What one output adds up, and where each input goes.

    Parameters
    ----------
    image : array_like (width,), (height, width) or (channels, height, width), optional
        At most 32 by 32, and 4 channels.
    kernel : array_like (width,), (height, width) or (out, channels, height, width), optional
        At most 9 by 9, and 4 output channels.
    **state
        Other fields of the view: ``stride=[2, 2]``, ``padding="same"``, ``flip=True`` ...

    Raises
    ------
    ExplorerError
        An array has another number of axes, no entries, too many, or values that are not finite.

    Examples
    --------
    >>> slide = KernelSlide([[1, 2, 0], [0, 1, 2]], [[1, -1]])
    >>> slide.state["height"], slide.state["kernel_width"]
    (2, 2)
    """

    view = "slide"

    def __init__(
        self, image: ArrayLike | None = None, kernel: ArrayLike | None = None, **state: Any
    ) -> None:
        given: dict[str, Any] = {}
        if image is not None:
            x = _checked("image", image, (1, 2, 3), (4, 32, 32))
            given |= {"x": x.tolist(), "in_channels": len(x)}
            given |= {"height": x.shape[1], "width": x.shape[2]}
            given |= {"axes": "1"} if np.ndim(image) == 1 else {}
        if kernel is not None:
            w = _checked("kernel", kernel, (1, 2, 4), (4, 4, 9, 9))
            given |= {"w": w.tolist(), "out_channels": len(w)}
            given |= {"kernel_height": w.shape[2], "kernel_width": w.shape[3]}
        super().__init__(**given, **state)


def _checked(
    name: str, given: ArrayLike, ranks: tuple[int, ...], largest: tuple[int, ...]
) -> np.ndarray[Any, Any]:
    """Return an array with an axis for each of ``largest``, or say what is wrong with it."""
    array = np.asarray(given)
    if array.dtype.kind not in "biuf" or array.ndim not in ranks:
        rule = f"{name} must be an array of real numbers with {_listed(ranks)} axes"
        values = {"shape": array.shape, "dtype": array.dtype}
        raise ExplorerError(message("KernelSlide", rule, values))
    array = array.reshape((1,) * (len(largest) - array.ndim) + array.shape).astype(np.float64)
    fits = all(0 < n <= most for n, most in zip(array.shape, largest, strict=True))
    if not fits or not np.isfinite(array).all():
        sizes = "×".join(str(n) for n in largest)
        rule = f"{name} must have 1 to {sizes} finite entries"
        raise ExplorerError(message("KernelSlide", rule, {"shape": np.shape(given)}))
    return array


def _listed(ranks: tuple[int, ...]) -> str:
    return ", ".join(str(n) for n in ranks[:-1]) + f" or {ranks[-1]}"
