"""Pictures made of letters, for terminals: the darker the letter, the larger the value."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

SHADES: Final = " .:-=+*#%@"


def picture(values: ArrayLike, *, top: float | None = None) -> str:
    r"""Return an image as lines of letters; two rows of pixels make one line.

    Letters are about twice as high as wide, so that squares stay squares.

    Parameters
    ----------
    values : array_like (H, W)
        At least 0.
    top
        The value of the darkest letter; the largest there is if it is left out.

    Examples
    --------
    >>> print(picture([[9, 0, 5], [9, 0, 5]]))
    @ +
    """
    image: NDArray[Any] = np.asarray(values, np.float64)
    if len(image) % 2:
        image = np.vstack([image, image[-1:]])
    rows = (image[::2] + image[1::2]) / 2
    limit = top if top is not None else float(rows.max(initial=0.0))
    levels = np.rint(rows * (len(SHADES) - 1) / (limit or 1.0)).astype(int)
    lines = ("".join(SHADES[n] for n in row) for row in levels.clip(0, len(SHADES) - 1))
    return "\n".join(line.rstrip() for line in lines).rstrip("\n")


def beside(titled: dict[str, str], *, gap: int = 4) -> str:
    """Return pictures beside each other under their titles.

    >>> print(beside({"one": "@", "two": "##"}))
    one    two
    @      ##
    """
    columns = [[title, *text.split("\n")] for title, text in titled.items()]
    widths = [max(len(line) for line in column) + gap for column in columns]
    rows = zip_longest(*columns, fillvalue="")
    return "\n".join(
        "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
