"""A library of kernels. Each says its formula, its sign and its scale.

All are meant for *correlation*, where nothing is flipped: a kernel that is positive on the right
answers to what is brighter on the right. ``x`` counts to the right, ``y`` downwards, both from the
middle. Angles are in degrees, counterclockwise as one sees the picture. ``axes`` is 2 for images, 1
for signals, 3 for volumes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import cos, radians, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.errors import GeometryError, message

Array = NDArray[Any]
TRUNCATE = 4.0
"""How many standard deviations a Gaussian reaches, as in `scipy.ndimage`."""
LARGEST = 500
"""Of a width in pixels; the square of a Gaussian of that width takes 128 MB."""


def box(size: int = 3, *, axes: int = 2) -> Array:
    """Mean over a square: every entry ``1 / size**axes``.

    >>> box(2).tolist()
    [[0.25, 0.25], [0.25, 0.25]]
    """
    check_size("box", size)
    return np.full((size,) * axes, 1 / size**axes)


def gaussian(sigma: float = 1.0, *, axes: int = 2) -> Array:
    """``exp(-|x|²/(2σ²))``, up to the radius ``round(4σ)``, divided by its sum.

    >>> gaussian(0.3, axes=1).round(4).tolist()
    [0.0038, 0.9923, 0.0038]
    """
    check_positive("gaussian", "sigma", sigma)
    radius = int(TRUNCATE * sigma + 0.5)
    line = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return _outer([line / line.sum()] * axes)


def sobel_x() -> Array:
    """Brighter to the right is positive: ``[1, 2, 1]`` down times ``[-1, 0, 1]`` across.

    A slope of 1 a pixel gives 8, a step of 1 gives 4. Its central difference skips the pixel in
    the middle, so a chequerboard of single pixels is invisible to it.
    """
    return np.outer([1, 2, 1], [-1, 0, 1])


def sobel_y() -> Array:
    """Brighter downwards is positive: `sobel_x` transposed."""
    return sobel_x().T


def prewitt_x() -> Array:
    """``[1, 1, 1]`` down times ``[-1, 0, 1]`` across: a slope of 1 a pixel gives 6."""
    return np.outer([1, 1, 1], [-1, 0, 1])


def prewitt_y() -> Array:
    """Brighter downwards is positive: `prewitt_x` transposed."""
    return prewitt_x().T


def scharr_x() -> Array:
    """``[3, 10, 3]`` down times ``[-1, 0, 1]`` across: a slope of 1 a pixel gives 32."""
    return np.outer([3, 10, 3], [-1, 0, 1])


def scharr_y() -> Array:
    """Brighter downwards is positive: `scharr_x` transposed."""
    return scharr_x().T


def laplacian(*, axes: int = 2) -> Array:
    """Second differences added up: 1 beside the middle on every axis, ``-2 axes`` in it.

    Negative on a bright spot.

    >>> laplacian().tolist()
    [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    """
    kernel = np.zeros((3,) * axes, np.int64)
    for axis in range(axes):
        for end in (0, 2):
            kernel[tuple(end if a == axis else 1 for a in range(axes))] = 1
    kernel[(1,) * axes] = -2 * axes
    return kernel


def laplacian_of_gaussian(sigma: float = 1.4, *, axes: int = 2) -> Array:
    """``(|x|²/σ⁴ - axes/σ²) G(x)``, its mean taken off so that flat images give 0.

    Negative on a bright spot, as `laplacian`; the answer is largest for spots of radius
    ``σ √axes``.
    """
    return _total(laplacian_of_gaussian_terms(sigma, axes=axes))


def laplacian_of_gaussian_terms(sigma: float = 1.4, *, axes: int = 2) -> tuple[Array, ...]:
    """Outer products whose sum it is: a second derivative along each axis, and the mean."""
    line = gaussian(sigma, axes=1)
    offsets = np.arange(len(line)) - len(line) // 2
    bent = (offsets**2 / sigma**4 - 1 / sigma**2) * line
    terms = [_outer([bent if a == axis else line for a in range(axes)]) for axis in range(axes)]
    mean = np.full_like(terms[0], -float(_total(terms).mean()))
    return (*terms, mean)


def difference_of_gaussians(sigma: float = 1.0, ratio: float = 1.6, *, axes: int = 2) -> Array:
    """``G(σ) - G(ratio σ)``: positive on a bright spot.

    About ``-(ratio - 1) σ²`` times `laplacian_of_gaussian` (Marr and Hildreth 1980, appendix B).
    """
    return _total(difference_of_gaussians_terms(sigma, ratio, axes=axes))


def difference_of_gaussians_terms(
    sigma: float = 1.0, ratio: float = 1.6, *, axes: int = 2
) -> tuple[Array, ...]:
    """The two Gaussians, each with its sign."""
    check_positive("dog", "ratio - 1", ratio - 1)
    wide = gaussian(ratio * sigma, axes=axes)
    return _embedded(gaussian(sigma, axes=axes), wide.shape), -wide


def sharpen(*, axes: int = 2) -> Array:
    """The picture less its `laplacian`; the entries sum to 1.

    >>> sharpen().tolist()
    [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]
    """
    return _embedded(np.ones((1,) * axes, np.int64), (3,) * axes) - laplacian(axes=axes)


def unsharp(sigma: float = 1.0, amount: float = 1.0, *, axes: int = 2) -> Array:
    """``δ + amount (δ - G(σ))``: the picture and what a Gaussian takes from it; sums to 1."""
    return _total(unsharp_terms(sigma, amount, axes=axes))


def unsharp_terms(sigma: float = 1.0, amount: float = 1.0, *, axes: int = 2) -> tuple[Array, ...]:
    """The picture, and the Gaussian, each with its share."""
    g = gaussian(sigma, axes=axes)
    return _embedded(np.full((1,) * axes, 1.0 + amount), g.shape), -amount * g


def emboss() -> Array:
    """Light from the upper left: bright where the picture falls off to the lower right; sums to 1.

    >>> emboss().tolist()
    [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]
    """
    return np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])


def motion(length: float = 9.0, angle: float = 0.0) -> Array:
    """Mean along a line through the middle, `length` pixels long, at `angle`; sums to 1.

    Points along the line, eight to a pixel, each count for the pixel that they lie in.

    >>> (3 * motion(3)).tolist()
    [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    """
    check_positive("motion", "length", length)
    count = max(round(8 * length), 1)
    along = ((np.arange(count) + 0.5) / count - 0.5) * length
    rows = np.rint(-along * sin(radians(angle))).astype(int)
    columns = np.rint(along * cos(radians(angle))).astype(int)
    radius = int(max(abs(rows).max(), abs(columns).max()))
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1))
    np.add.at(kernel, (rows + radius, columns + radius), 1 / count)
    return kernel


def check_size(name: str, size: float) -> None:
    """Refuse a kernel without entries, or with more than anybody has memory for."""
    if not 1 <= size <= 8 * LARGEST or size != int(size):
        rule = f"the size must be a whole number from 1 to {8 * LARGEST}"
        raise GeometryError(message(name, rule, {"size": size}, "Use 3", "kernel L1"))


def check_positive(name: str, parameter: str, value: float) -> None:
    """Refuse a width that is not above 0, or absurd."""
    if not 0 < value <= LARGEST:
        rule = f"{parameter} must be above 0 and at most {LARGEST}"
        raise GeometryError(message(name, rule, {parameter: value}, "Use 1", "kernel L2"))


def _outer(lines: Sequence[Array]) -> Array:
    return reduce(np.multiply.outer, lines)


def _total(terms: Sequence[Array]) -> Array:
    total: Array = np.sum(terms, axis=0)
    return total


def _embedded(kernel: Array, shape: Sequence[int]) -> Array:
    """A kernel in the middle of zeros; all sizes are odd."""
    return np.pad(
        kernel, [((n - k) // 2, (n - k + 1) // 2) for n, k in zip(shape, kernel.shape, strict=True)]
    )
