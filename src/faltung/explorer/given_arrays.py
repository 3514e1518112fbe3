"""Arrays that somebody hands to a widget, checked before a view shows them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.errors import ExplorerError, message


def checked(
    name: str, given: ArrayLike, ranks: tuple[int, ...], largest: tuple[int, ...]
) -> NDArray[Any]:
    """Return an array with an axis for each of ``largest``, or say what is wrong with it.

    Parameters
    ----------
    name
        What messages call it.
    given
        Real numbers.
    ranks
        How many axes it may have; those that it lacks are put before them.
    largest
        The most entries along each axis.

    Raises
    ------
    ExplorerError
        Another number of axes, no entries, too many, or values that are not finite.

    Examples
    --------
    >>> checked("image", [1, 2], (1, 2), (3, 3)).tolist()
    [[1.0, 2.0]]
    """
    array = np.asarray(given)
    if array.dtype.kind not in "biuf" or array.ndim not in ranks:
        axes = ", ".join(str(n) for n in ranks[:-1]) + " or " * (len(ranks) > 1) + str(ranks[-1])
        rule = f"it must be an array of real numbers with {axes} axes"
        raise ExplorerError(message(name, rule, {"shape": array.shape, "dtype": array.dtype}))
    array = array.reshape((1,) * (len(largest) - array.ndim) + array.shape).astype(np.float64)
    fits = all(0 < n <= most for n, most in zip(array.shape, largest, strict=True))
    if not fits or not np.isfinite(array).all():
        sizes = "×".join(str(n) for n in largest)
        rule = f"it must have 1 to {sizes} finite entries"
        raise ExplorerError(message(name, rule, {"shape": np.shape(given)}))
    return array
