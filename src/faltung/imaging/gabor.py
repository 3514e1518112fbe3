"""The visual cortex: simple cells as Gabor filters, complex cells as pairs of them.

A grating of wavelength λ at angle θ is ``cos(κ·x + φ)``, κ of length 2π/λ pointing along θ. With
``x'`` and ``y'`` the offsets along and across κ and ``G = exp(-(x'² + γ² y'²) / (2σ²))``::

    even = G (cos κx' - c) / E     c such that even sums to 0
    odd  = G sin κx' / O           which sums to 0 by symmetry
    complex cell = √(even² + odd²) of the two answers

E and O are chosen so that both answer with amplitude 1 to a grating of amplitude 1 at their own λ
and θ. To a grating of any wave vector k and phase ψ at the middle the answers are ``E(k) cos ψ``
and ``-O(k) sin ψ``, with ``E(k) = Σ even cos k·x`` and ``O(k) = Σ odd sin k·x``, because even is
even, odd is odd and both are blind to the mean. So the complex cell's answer lies between |E(k)|
and |O(k)| whatever the phase: that is the stated bound, `gains` has both numbers, and at the
cell's own λ and θ both are 1: moving the grating changes nothing but the rounding.

Source: J. G. Daugman, *Uncertainty relation for resolution in space, spatial frequency, and
orientation optimized by two-dimensional visual cortical filters* (1985); E. H. Adelson and J. R.
Bergen, *Spatiotemporal energy models for the perception of motion* (1985), section 2.
"""

from __future__ import annotations

from math import ceil, cos, pi, radians, sin
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.errors import GeometryError, message
from faltung.imaging.kernels import check_positive

Array = NDArray[Any]


class Pair(NamedTuple):
    """A Gabor filter in both phases: (n, n) each, n odd."""

    even: Array
    odd: Array


def gabor_pair(
    wavelength: float = 8.0,
    theta: float = 0.0,
    sigma: float | None = None,
    gamma: float = 1.0,
) -> Pair:
    """Return the even and the odd Gabor kernel of a wavelength and a direction.

    Parameters
    ----------
    wavelength : float
        In pixels, at least 2: what is finer no image has.
    theta : float
        The direction across the stripes in degrees, counterclockwise; 0 answers to upright ones.
    sigma : float, optional
        Standard deviation of the envelope, half a wavelength by default.
    gamma : float
        The envelope is ``sigma / gamma`` long along the stripes.

    Raises
    ------
    GeometryError
        kernel L2: sigma or gamma not positive. L3: a wavelength below 2.
    """
    if not wavelength >= 2:
        rule, cure = "the wavelength must be at least 2 pixels", "Use 8"
        raise GeometryError(message("gabor", rule, {"wavelength": wavelength}, cure, "kernel L3"))
    sigma = wavelength / 2 if sigma is None else sigma
    check_positive("gabor", "sigma", sigma)
    check_positive("gabor", "gamma", gamma)
    check_positive("gabor", "sigma / gamma", sigma / gamma)
    radius = ceil(3 * sigma / min(gamma, 1.0))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    along = x * cos(radians(theta)) - y * sin(radians(theta))
    across = x * sin(radians(theta)) + y * cos(radians(theta))
    envelope = np.exp(-0.5 * (along**2 + (gamma * across) ** 2) / sigma**2)
    phase = 2 * pi / wavelength * along
    even = envelope * np.cos(phase)
    even -= envelope * (even.sum() / envelope.sum())
    odd = envelope * np.sin(phase)
    # At 2 pixels a wave the sine is 0 on every pixel: there is no odd filter to scale.
    odd_gain = float((odd * np.sin(phase)).sum())
    return Pair(
        even / (even * np.cos(phase)).sum(),
        odd / odd_gain if odd_gain > 1e-9 * envelope.sum() else np.zeros_like(odd),
    )


def gabor(
    wavelength: float = 8.0,
    theta: float = 0.0,
    sigma: float | None = None,
    gamma: float = 1.0,
    phase: float = 0.0,
) -> Array:
    """One simple cell: ``cos(phase) even + sin(phase) odd``, phase in degrees.

    0 is positive on a bright stripe in the middle, 90 where it is brighter along `theta`.
    """
    even, odd = gabor_pair(wavelength, theta, sigma, gamma)
    kernel: Array = cos(radians(phase)) * even + sin(radians(phase)) * odd
    return kernel


def gabor_bank(
    orientations: int = 8, wavelength: float = 8.0, sigma: float | None = None, gamma: float = 1.0
) -> tuple[Pair, ...]:
    """Pairs at `orientations` directions, evenly from 0 up to 180 degrees."""
    if orientations < 1:
        rule, got = "there must be an orientation", {"orientations": orientations}
        raise GeometryError(message("gabor bank", rule, got, "Use 8", "kernel L4"))
    step = 180 / orientations
    return tuple(gabor_pair(wavelength, i * step, sigma, gamma) for i in range(orientations))


def gains(pair: Pair, wavelength: float, theta: float) -> tuple[float, float]:
    """``|E(k)|`` and ``|O(k)|``: between the two lies the complex cell's answer to that grating.

    >>> pair = gabor_pair(8, 30)
    >>> [round(gain, 12) for gain in gains(pair, 8, 30)]
    [1.0, 1.0]
    """
    radius = len(pair.even) // 2
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    phase = 2 * pi / wavelength * (x * cos(radians(theta)) - y * sin(radians(theta)))
    return abs(float((pair.even * np.cos(phase)).sum())), abs(
        float((pair.odd * np.sin(phase)).sum())
    )
