"""Convolution of functions, ``∫ f(z) g(x-z) dz``, by sums in steps: boxes and Gaussians."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import exp, hypot, pi, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.signal import convolve

Array = NDArray[Any]

BOXES: Final = (1, 1, 1, 1)
STEPS: Final = (2.0, 1.0, 0.5)
SIGMAS: Final = (1.0, 2.0)
REACH: Final = 9.0
"""Standard deviations after which a Gaussian is cut: what is lost is below 1e-18."""
UNIT_ROUNDOFF: Final = 2.0**-53


@dataclass(frozen=True)
class Gaussians:
    """Two Gaussians, sampled and convolved in steps, against the one whose variance is the sum.

    Parameters
    ----------
    sigmas
        Their standard deviations.
    step
        The distance of the samples.
    variances
        Of both sampled Gaussians and of their convolution.
    largest
        The largest difference from the sum's density, as a share of its peak.
    bound
        What the step and rounding may do to it.
    """

    sigmas: tuple[float, float]
    step: float
    variances: tuple[float, float, float]
    largest: float
    bound: float

    @property
    def sigma(self) -> float:
        """The standard deviation of the sum."""
        return hypot(*self.sigmas)

    def to_dict(self) -> dict[str, Any]:
        """Return every figure."""
        return {**asdict(self), "sigma_of_sum": self.sigma}


def triangle(width: int) -> Array:
    """Return two boxes of ones convolved, in whole numbers.

    Times the step, they are the integral at the samples' distances: exactly, as both functions are
    constant over each step.

    Parameters
    ----------
    width
        Samples of each box.

    Examples
    --------
    >>> triangle(4)
    array([1, 2, 3, 4, 3, 2, 1])
    """
    box = np.ones(width, np.int64)
    return convolve(box, box)


def gaussian_sums(
    first: float = SIGMAS[0], second: float = SIGMAS[1], steps: tuple[float, ...] = STEPS
) -> tuple[Gaussians, ...]:
    """Convolve two Gaussians in steps: their variances add but for an error that is stated.

    By Poisson's formula a sum in steps h of a Gaussian of standard deviation s misses its integral
    by at most the share ``2 Σ_k exp(-2 (π k s / h)²)``; here, at every x, the integrand has
    ``s = σ1 σ2 / √(σ1² + σ2²)``.

    Parameters
    ----------
    first, second
        Standard deviations.
    steps
        Distances of the samples.

    Returns
    -------
    tuple of Gaussians
        One for each step.

    Examples
    --------
    >>> [each.largest <= each.bound for each in gaussian_sums()]
    [True, True, True]
    """
    return tuple(_at_step(first, second, step) for step in steps)


def _at_step(first: float, second: float, step: float) -> Gaussians:
    a, b = (_sampled(sigma, step) for sigma in (first, second))
    both = convolve(a, b) * step
    at = (np.arange(len(both)) - len(both) // 2) * step
    total = hypot(first, second)
    exact = _density(at, total)
    peak = 1 / (total * sqrt(2 * pi))
    variances = (_variance(a, step), _variance(b, step), _variance(both, step))
    largest = float(abs(both - exact).max()) / peak
    narrow = first * second / total
    share = 2 * sum(exp(-2 * (pi * k * narrow / step) ** 2) for k in range(1, 20))
    # Each density is rounded some ten times, mostly in the argument of exp; then the products are
    # summed, and what lies beyond the reach is missing.
    rounding = 2 * (20 + REACH**2 + len(a)) * UNIT_ROUNDOFF
    return Gaussians((first, second), step, variances, largest, share + rounding)


def _sampled(sigma: float, step: float) -> Array:
    reach = int(np.ceil(REACH * sigma / step))
    return _density(np.arange(-reach, reach + 1) * step, sigma)


def _density(x: Array, sigma: float) -> Array:
    return np.asarray(np.exp(-0.5 * (x / sigma) ** 2) / (sigma * sqrt(2 * pi)))


def _variance(values: Array, step: float) -> float:
    at = (np.arange(len(values)) - len(values) // 2) * step
    return float((values * at**2).sum() / values.sum())
