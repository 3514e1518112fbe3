"""What a user gave: arrays of numbers, or a word about why not."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.errors import DTypeError, GeometryError, message


def real_numbers(subject: str, name: str, given: ArrayLike, constraint: str) -> NDArray[Any]:
    """Return an array of integers or floats; booleans become integers.

    Raises
    ------
    DTypeError
        Where there is anything else.
    """
    array = np.asarray(given)
    if array.dtype.kind not in "biuf":
        rule = f"{name} must hold integers, booleans or floats"
        raise DTypeError(message(subject, rule, {"dtype": array.dtype}, "", constraint))
    return array.astype(np.int64) if array.dtype.kind == "b" else array


def finite_signal(name: str, given: ArrayLike) -> NDArray[Any]:
    """Return one axis of finite numbers, as int64 or float64.

    Raises
    ------
    GeometryError
        signal F1: any other number of axes, no samples, NaN or infinity.
    DTypeError
        signal F4: no numbers.
    """
    array = real_numbers("signal", name, given, "signal F4")
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        rule = f"{name} must be one axis of finite numbers"
        values = {"shape": array.shape, "not_finite": int((~np.isfinite(array)).sum())}
        cure = "Choose one channel, and leave out what is missing"
        raise GeometryError(message("signal", rule, values, cure, "signal F1"))
    return widened(array)


def widened(array: NDArray[Any]) -> NDArray[Any]:
    """Return numbers as int64 or float64: differences of unsigned ones would wrap round."""
    whole = array.dtype.kind in "iu" and int(array.max(initial=0)) <= np.iinfo(np.int64).max
    return array.astype(np.int64 if whole else np.float64)
