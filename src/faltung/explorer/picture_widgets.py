"""Lab and Shift in a notebook, on pictures and kernels of one's own."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from faltung.datasets import photo
from faltung.datasets.photo import PHOTOS
from faltung.errors import ExplorerError, message
from faltung.explorer.given import LONGEST, OWN
from faltung.explorer.given_arrays import checked
from faltung.explorer.pictures import fitted, read_picture
from faltung.explorer.views import view_of
from faltung.explorer.widgets import AbstractView

Picture = ArrayLike | str | os.PathLike[str]
"""An array, a photograph that ships along by its name, or an image file."""
LARGEST_KERNEL: Final = 15


class ImageLab(AbstractView):
    """What a kernel does to a picture: filtered, searched for a template, scanned for digits.

    Parameters
    ----------
    image : array_like (H, W) or (H, W, 3), str or path, optional
        Whole numbers from 0 to 255 or reals from 0 to 1; a photograph that ships along by its
        name; or an image file. Its longer side is kept at 256 pixels or less.
    kernel : array_like (height, width) or (2, height, width), optional
        One kernel, or a pair whose outputs are combined as a gradient's; at most 15 by 15.
    **state
        Other fields of the view: ``border="reflect"``, ``flip=True``, ``task="find"`` ...

    Raises
    ------
    ExplorerError
        An array has another number of axes, no entries, too many, or values out of range.
    FaltungError
        The file cannot be read.

    Examples
    --------
    >>> lab = ImageLab("cat", [[1, 0, -1]])
    >>> lab.state["picture"], lab.kernel.tolist()
    ('own', [[[1.0, 0.0, -1.0]]])
    """

    view = "lab"

    def __init__(
        self, image: Picture | None = None, kernel: ArrayLike | None = None, **state: Any
    ) -> None:
        if kernel is not None:
            state = {"kernels": _kernels(kernel), **state}
        super().__init__(**with_picture(self.view, image, type(self).__name__), **state)

    @property
    def kernel(self) -> NDArray[Any] | None:
        """One kernel or a pair, (1 or 2, height, width); None until it is set or was seen."""
        return np.array(self.state["kernels"], float) if "kernels" in self.state else None

    @kernel.setter
    def kernel(self, given: ArrayLike) -> None:
        self.set(kernels=_kernels(given))


class ShiftLab(AbstractView):
    """What moves when the input moves: shift-then-layer beside layer-then-shift.

    Parameters
    ----------
    image : array_like (H, W) or (H, W, 3), str or path, optional
        As of `ImageLab`.
    **state
        Fields of the view.

    Raises
    ------
    ExplorerError
        An array has another number of axes, no entries, or values out of range.
    FaltungError
        The file cannot be read.

    Examples
    --------
    >>> ShiftLab("cat").state["picture"]
    'own'
    """

    view = "shift"

    def __init__(self, image: Picture | None = None, **state: Any) -> None:
        super().__init__(**with_picture(self.view, image, type(self).__name__), **state)


def _kernels(given: ArrayLike) -> list[Any]:
    largest = (2, LARGEST_KERNEL, LARGEST_KERNEL)
    found: list[Any] = checked("ImageLab: kernel", given, (2, 3), largest).tolist()
    return found


def with_picture(view: str, image: Picture | None, widget: str) -> dict[str, Any]:
    """Return what a widget is made with so that its view opens on a picture.

    Parameters
    ----------
    view
        The view's name.
    image
        The picture; None for that of the worked example.
    widget
        What messages are about.
    """
    if image is None:
        return {}
    label, pixels = _read(image, widget)
    file = base64.b64encode(_png(fitted(pixels, LONGEST))).decode()
    data = view_of(view).prepared()
    own = {"label": label, "file": file, "white": 255}
    return {"data": {**data, "pictures": {OWN: own, **data["pictures"]}}, "picture": OWN}


def _read(image: Picture, widget: str) -> tuple[str, NDArray[np.uint8]]:
    if isinstance(image, str) and image in PHOTOS and not Path(image).exists():
        return image, photo(image)
    if isinstance(image, (str, os.PathLike)):
        return Path(image).name, read_picture(Path(image))
    return "your own", _pixels(np.asarray(image), widget)


def _pixels(array: NDArray[Any], widget: str) -> NDArray[np.uint8]:
    """Return an array as pixels of 8 bits."""
    is_picture = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)
    if not is_picture or not array.size or array.dtype.kind not in "biuf":
        rule = "an image must be an array of numbers, (H, W) or (H, W, 3)"
        raise ExplorerError(message(widget, rule, {"shape": array.shape, "dtype": array.dtype}))
    white = 1.0 if array.dtype.kind in "bf" else 255.0
    values = array.astype(np.float64)
    if not (values.min() >= 0 and values.max() <= white):  # NaN is neither
        rule = "an image must hold whole numbers from 0 to 255 or reals from 0 to 1"
        limits = {"least": array.min(), "largest": array.max(), "dtype": array.dtype}
        raise ExplorerError(message(widget, rule, limits))
    return np.rint(values * (255.0 / white)).astype(np.uint8)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG", optimize=True)
    return written.getvalue()
