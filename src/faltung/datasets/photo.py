"""Real photographs that ship with the package, to try things on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from faltung.errors import DatasetError, message

FOLDER: Final = Path(__file__).with_name("photos")
PHOTOS: Final = ("cat", "coffee", "camera")
"""A cat's face and a cup of coffee in colour, a man with a camera in grey."""


def photo(name: str) -> NDArray[Any]:
    """Return one of the photographs that ship with the package.

    Parameters
    ----------
    name : str
        ``"cat"`` (300, 451, 3), ``"coffee"`` (400, 600, 3) or ``"camera"`` (512, 512). NOTICE
        says who took them; all three are in the public domain (CC0).

    Returns
    -------
    array, (H, W, 3) or (H, W)
        uint8.

    Raises
    ------
    DatasetError
        Where there is no such photograph.

    Examples
    --------
    >>> photo("camera").shape
    (512, 512)
    """
    if name not in PHOTOS:
        rule, cure = "there is no such photograph", f"Use one of {', '.join(PHOTOS)}"
        raise DatasetError(message("photo", rule, {"name": repr(name)}, cure))
    # Pillow is loaded only where there are images to read.
    from faltung.files.image import read_image

    return read_image(FOLDER / f"{name}.jpg")
