"""Drawn digits made as MNIST's are: boxed to 20x20, their centre of mass in the middle of 28x28.

Everything is computed in integers, so that the same drawing gives the same pixels everywhere: the
explorer does it in a browser, to the bit.

Source: LeCun, Cortes, Burges, *The MNIST database of handwritten digits*: "size normalized to fit
in a 20x20 pixel box while preserving their aspect ratio", then "centered in a 28x28 image by
computing the center of mass of the pixels, and translating the image so as to position this point
at the center". The files themselves show which pixel that is: (14, 14), counted from 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.errors import PictureError, message

BOX: Final = 20
"""The longer side of a digit, in pixels."""
SIDE: Final = 28
"""The side of the image that it stands in."""
CENTRE: Final = 14
"""Row and column of its centre of mass, as near as whole pixels come."""
LARGEST: Final = 1024
"""The longest side of a drawing: its sums stay below 2**53, which a browser counts to."""

Integers = NDArray[np.int64]


def centred_digit(ink: ArrayLike) -> NDArray[np.uint8]:
    """Return a drawn digit as MNIST would have it.

    What is drawn is cut out, scaled until its longer side has 20 pixels, each the mean of what it
    covers, and put into 28x28 so that its centre of mass is at (14, 14). Nothing of it is cut off:
    a digit whose mass is far from its middle stops at the border.

    Parameters
    ----------
    ink : array_like (H, W), integers from 0 to 255
        Bright on dark, as MNIST's; sides up to 1024.

    Returns
    -------
    array (28, 28), uint8
        All zero if nothing is drawn.

    Raises
    ------
    PictureError
        digit G1: not such an array.

    Examples
    --------
    >>> drawn = np.zeros((100, 60), int)
    >>> drawn[10:90, 5:15] = 255
    >>> digit = centred_digit(drawn)
    >>> np.flatnonzero(digit.any(axis=1))[[0, -1]], np.flatnonzero(digit.any(axis=0))[[0, -1]]
    (array([ 5, 24]), array([13, 15]))
    """
    drawn = _checked(ink)
    image = np.zeros((SIDE, SIDE), np.uint8)
    rows, cols = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    if not rows.size:
        return image
    cut = drawn[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    boxed = _rounded_means(cut, _boxed(cut.shape))
    top, left = (_start(boxed, axis) for axis in (0, 1))
    image[top : top + boxed.shape[0], left : left + boxed.shape[1]] = boxed
    return image


def averaged(ink: ArrayLike, size: Sequence[int]) -> NDArray[np.float64]:
    """Return an image of another size, each pixel the mean of what it covers.

    Parameters
    ----------
    ink : array_like (H, W), integers from 0 to 255
        Sides up to 1024.
    size : (int, int)
        The new height and width, at least 1.

    Returns
    -------
    array (height, width), float64
        Exact sums, divided and rounded once.

    Raises
    ------
    PictureError
        digit G1: not such an array.

    Examples
    --------
    >>> averaged([[0, 4, 8, 12]], (1, 2)).tolist()
    [[2.0, 10.0]]
    """
    given = _checked(ink)
    height, width = size
    means: NDArray[np.float64] = _sums(given, (height, width)) / float(given.size)
    return means


def _checked(ink: ArrayLike) -> Integers:
    given: NDArray[Any] = np.asarray(ink)
    fits = given.ndim == 2 and given.size > 0 and max(given.shape) <= LARGEST
    if not fits or given.dtype.kind not in "bui" or given.min() < 0 or given.max() > 255:
        rule = f"a digit is drawn on at most {LARGEST} by {LARGEST} pixels of 0 to 255"
        values = {"shape": given.shape, "dtype": given.dtype}
        cure = "Use one channel of uint8, the ink bright"
        raise PictureError(message("digit", rule, values, cure, "digit G1"))
    return given.astype(np.int64)


def _boxed(shape: tuple[int, ...]) -> tuple[int, int]:
    """The size whose longer side is 20, the other one rounded half up, at least 1."""
    longer = max(shape)
    height, width = (max(1, (2 * BOX * side + longer) // (2 * longer)) for side in shape)
    return height, width


def _sums(image: Integers, size: tuple[int, int]) -> Integers:
    """Return the means of what each new pixel covers, times the number of old pixels."""
    rows, cols = (_overlaps(old, new) for old, new in zip(image.shape, size, strict=True))
    sums: Integers = rows @ image @ cols.T
    return sums


def _overlaps(old: int, new: int) -> Integers:
    """How much of each old pixel lies in each new one, where an old one is ``new`` long."""
    start_new, start_old = np.arange(new)[:, None] * old, np.arange(old) * new
    ends = np.minimum(start_new + old, start_old + new)
    overlaps: Integers = np.maximum(ends - np.maximum(start_new, start_old), 0)
    return overlaps


def _rounded_means(image: Integers, size: tuple[int, int]) -> Integers:
    """Return the means, rounded half up."""
    rounded: Integers = (2 * _sums(image, size) + image.size) // (2 * image.size)
    return rounded


def _start(boxed: Integers, axis: int) -> int:
    """Where the first row or column goes, so that the mass is at the centre, rounded half up."""
    line = boxed.sum(axis=1 - axis)
    mass, moment = int(line.sum()), int(line @ np.arange(len(line)))
    room = SIDE - len(line)
    if not mass:  # so little ink that every mean is rounded to 0
        return room // 2
    return min(max(((2 * CENTRE + 1) * mass - 2 * moment) // (2 * mass), 0), room)
