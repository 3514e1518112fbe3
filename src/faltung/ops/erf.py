"""The error function of arrays: Cody's rational approximations, which NumPy does not have."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from faltung.kernels.error_function import FAR, MIDDLE, NEAR, ONE_FROM
from faltung.ops.operator import Array


def erf(x: Array) -> Array:
    """The error function, ``2 / sqrt(pi)`` times the integral of ``exp(-t**2)`` from 0 to x.

    Parameters
    ----------
    x : array of floats

    Returns
    -------
    array
        In the dtype of x, within 4 units in the last place of float64 before it is rounded to it.

    References
    ----------
    W. J. Cody, *Rational Chebyshev approximations for the error function*, Mathematics of
    Computation 23 (1969), pages 631 to 637.

    Examples
    --------
    >>> erf(np.array([-np.inf, 0.0, 0.5])).round(6).tolist()
    [-1.0, 0.0, 0.5205]
    """
    wide = np.asarray(x, np.float64)
    size = np.minimum(np.abs(wide), ONE_FROM)
    y = np.copysign(1 - _complement(np.maximum(size, 0.46875)), wide)
    near = size <= 0.46875
    small = np.where(near, wide, 0.0)
    y = np.where(near, small * _quotient(NEAR, small * small), y)
    return np.asarray(y, x.dtype)


def _quotient(polynomials: tuple[Sequence[float], Sequence[float]], x: Array) -> Array:
    above, below = (np.polyval(np.array(p), x) for p in polynomials)
    return np.asarray(above / below)


def _complement(y: Array) -> Array:
    """Return ``1 - erf(y)`` for y from 0.46875 on."""
    inverse = 1 / (y * y)
    far = (1 / math.sqrt(math.pi) - inverse * _quotient(FAR, inverse)) / y
    scaled = np.where(y <= 4, _quotient(MIDDLE, y), far)
    # exp(-y**2) in two factors: rounding y**2 would cost the last digits.
    coarse = np.trunc(y * 16) / 16
    return np.asarray(scaled * np.exp(-coarse * coarse) * np.exp(-(y - coarse) * (y + coarse)))
