"""From computed values to whole numbers of so many bits: rounded and clipped, and counted."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from faltung.errors import DTypeError, message


class Fitted(NamedTuple):
    """Values of an integer dtype, and how many of them had to be clipped to fit."""

    values: NDArray[Any]
    clipped: int


def to_depth(values: ArrayLike, dtype: DTypeLike) -> Fitted:
    """Round values to the nearest integer, halves to the even one, and clip them to a dtype.

    Never wraps round: 256 becomes 255 in uint8, and is counted.

    Parameters
    ----------
    values : array_like
        Integers, booleans or finite floats.
    dtype : integer dtype
        What to fit them to.

    Returns
    -------
    Fitted
        The values, a new array, and how many were outside the dtype's range after rounding.

    Raises
    ------
    DTypeError
        If `dtype` is no integer dtype, or the values are not real numbers, or not finite.

    Examples
    --------
    >>> to_depth([-3, 0.5, 1.5, 300.0], np.uint8)
    Fitted(values=array([  0,   0,   2, 255], dtype=uint8), clipped=2)
    """
    array, to = np.asarray(values), np.dtype(dtype)
    if to.kind not in "iu":
        rule = "must be an integer dtype"
        raise DTypeError(message("depth", rule, {"dtype": to}, "Use uint8 or uint16"))
    if array.dtype.kind not in "biuf":
        rule, cure = "values must be real numbers", "Take the magnitude of complex values"
        raise DTypeError(message("depth", rule, {"dtype": array.dtype}, cure))
    if not np.isfinite(array).all():
        rule, count = "NaN and infinity are no whole numbers", int((~np.isfinite(array)).sum())
        raise DTypeError(message("depth", rule, {"values": count}, "Write floats, to .npy"))
    whole = np.rint(array) if array.dtype.kind == "f" else array
    limits = np.iinfo(to)
    below, above = whole < int(limits.min), whole > int(limits.max)
    with np.errstate(invalid="ignore"):  # what does not fit is put right on the next line
        fitted = whole.astype(to)
    fitted[below], fitted[above] = limits.min, limits.max
    return Fitted(fitted, int(np.count_nonzero(below) + np.count_nonzero(above)))
