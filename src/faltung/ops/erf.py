"""The error function of arrays: Cody's rational approximations, which NumPy does not have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from faltung.ops.operator import Array

_NEAR: Final = (
    (
        0.18577770618460315,
        3.1611237438705655,
        113.86415415105016,
        377.485237685302,
        3209.3775891384694,
    ),
    (
        1.0,
        23.601290952344122,
        244.02463793444417,
        1282.6165260773723,
        2844.236833439171,
    ),
)
_MIDDLE: Final = (
    (
        2.1531153547440383e-08,
        0.5641884969886701,
        8.883149794388377,
        66.11919063714163,
        298.6351381974001,
        881.952221241769,
        1712.0476126340707,
        2051.0783778260716,
        1230.3393547979972,
    ),
    (
        1.0,
        15.744926110709835,
        117.6939508913125,
        537.1811018620099,
        1621.3895745666903,
        3290.7992357334597,
        4362.619090143247,
        3439.3676741437216,
        1230.3393548037495,
    ),
)
_FAR: Final = (
    (
        0.016315387137302097,
        0.30532663496123236,
        0.36034489994980445,
        0.12578172611122926,
        0.016083785148742275,
        0.0006587491615298378,
    ),
    (
        1.0,
        2.568520192289822,
        1.8729528499234673,
        0.5279051029514285,
        0.06051834131244132,
        0.0023352049762686918,
    ),
)
ONE_FROM: Final = 6.0
"""From here on erf is 1 in float64."""


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
    y = np.where(near, small * _quotient(_NEAR, small * small), y)
    return np.asarray(y, x.dtype)


def _quotient(polynomials: tuple[Sequence[float], Sequence[float]], x: Array) -> Array:
    above, below = (np.polyval(np.array(p), x) for p in polynomials)
    return np.asarray(above / below)


def _complement(y: Array) -> Array:
    """Return ``1 - erf(y)`` for y from 0.46875 on."""
    inverse = 1 / (y * y)
    far = (1 / math.sqrt(math.pi) - inverse * _quotient(_FAR, inverse)) / y
    scaled = np.where(y <= 4, _quotient(_MIDDLE, y), far)
    # exp(-y**2) in two factors: rounding y**2 would cost the last digits.
    coarse = np.trunc(y * 16) / 16
    return np.asarray(scaled * np.exp(-coarse * coarse) * np.exp(-(y - coarse) * (y + coarse)))
