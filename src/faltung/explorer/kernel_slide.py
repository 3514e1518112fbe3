"""Slide in a notebook, on arrays of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.errors import ExplorerError, message
from faltung.explorer.given_arrays import checked
from faltung.explorer.widgets import AbstractView

_WORDS: Final = ("valid", "same", "same_lower", "full", "each")
_SIDES: Final = (("top", "bottom"), ("left", "right"))


class KernelSlide(AbstractView):
    """What one output adds up, and where each input goes.

    Parameters
    ----------
    image : array_like (width,), (height, width) or (channels, height, width), optional
        At most 32 by 32, and 4 channels.
    kernel : array_like (width,), (height, width) or (out, channels, height, width), optional
        At most 9 by 9, and 4 output channels.
    stride, dilation : int or ints, optional
        For all axes, or one for each.
    padding : str, int, or one pair for each axis, optional
        As of `faltung.conv`.
    **state
        Other fields of the view: ``flip=True``, ``transposed=True``, ``groups=2`` ...

    Raises
    ------
    ExplorerError
        An array has another number of axes, no entries, too many, or values that are not finite;
        or the padding is none.

    Examples
    --------
    >>> slide = KernelSlide([[1, 2, 0], [0, 1, 2]], [[1, -1]], stride=2)
    >>> slide.state["height"], slide.state["kernel_width"], slide.state["stride"]
    (2, 2, [2, 2])
    >>> slide.image = [3, 1, 2]
    >>> slide.image.tolist()
    [[[3.0, 1.0, 2.0]]]
    """

    view = "slide"

    def __init__(
        self,
        image: ArrayLike | None = None,
        kernel: ArrayLike | None = None,
        *,
        stride: int | Sequence[int] | None = None,
        padding: Any = None,
        dilation: int | Sequence[int] | None = None,
        **state: Any,
    ) -> None:
        given: dict[str, Any] = {}
        if image is not None:
            given |= _of_image(image)
        if kernel is not None:
            given |= _of_kernel(kernel, state)
        given |= {} if stride is None else {"stride": _pair(stride)}
        given |= {} if dilation is None else {"dilation": _pair(dilation)}
        given |= {} if padding is None else _of_padding(padding)
        super().__init__(**given, **state)

    @property
    def image(self) -> NDArray[Any] | None:
        """The input, (channels, height, width); None until it is set or was seen."""
        return np.array(self.state["x"], float) if "x" in self.state else None

    @image.setter
    def image(self, given: ArrayLike) -> None:
        self.set(**_of_image(given))

    @property
    def kernel(self) -> NDArray[Any] | None:
        """The weights, (out, channels, height, width); None until they are set or were seen."""
        return np.array(self.state["w"], float) if "w" in self.state else None

    @kernel.setter
    def kernel(self, given: ArrayLike) -> None:
        self.set(**_of_kernel(given, self.state))


def _of_image(image: ArrayLike) -> dict[str, Any]:
    x = checked("KernelSlide: image", image, (1, 2, 3), (4, 32, 32))
    sizes = {"in_channels": len(x), "height": x.shape[1], "width": x.shape[2]}
    return {"x": x.tolist(), **sizes, "axes": "1" if np.ndim(image) == 1 else "2"}


def _of_kernel(kernel: ArrayLike, state: Any) -> dict[str, Any]:
    w = checked("KernelSlide: kernel", kernel, (1, 2, 4), (4, 4, 9, 9))
    given = {"w": w.tolist(), "kernel_height": w.shape[2], "kernel_width": w.shape[3]}
    if state.get("transposed"):
        return {**given, "out_channels": w.shape[1] * state.get("groups", 1)}
    return {**given, "out_channels": len(w)}


def _pair(given: int | Sequence[int]) -> list[int]:
    values = [int(n) for n in np.atleast_1d(given)]
    return values if len(values) == 2 else [values[0], values[0]]


def _of_padding(given: Any) -> dict[str, Any]:
    if isinstance(given, str) and given in _WORDS:
        return {"padding": given}
    try:
        amounts = np.asarray(given, dtype=np.int64)
        amounts = amounts[:, None] if amounts.ndim == 1 else amounts
        pads = np.broadcast_to(amounts, (2, 2)).tolist()
    except (TypeError, ValueError):
        rule = "padding must be a word, an amount, one for each axis, or a pair for each axis"
        values, cure = {"padding": repr(given)}, f"Use one of {', '.join(_WORDS[:-1])}, or 1"
        raise ExplorerError(message("KernelSlide", rule, values, cure)) from None
    named = zip(_SIDES, pads, strict=True)
    sides = {side: n for names, pair in named for side, n in zip(names, pair, strict=True)}
    return {"padding": "each", **sides}
