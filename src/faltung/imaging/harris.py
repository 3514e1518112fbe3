"""Corners from products of edge maps.

With ``Ix`` and ``Iy`` the slopes (Sobel, a slope of 1 a pixel is 1) and ``<>`` a Gaussian mean::

    M = [[<Ix²>, <Ix Iy>], [<Ix Iy>, <Iy²>]]      R = det M - k (trace M)²

R is near 0 on flat ground, negative along an edge, positive at a corner: there both eigenvalues of
M are large. No convolution makes it, because it multiplies edge maps. Colours add up in M.

Source: C. Harris and M. Stephens, *A combined corner and edge detector* (1988), sections 3 and 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.errors import GeometryError, message
from faltung.imaging.filter import slide
from faltung.imaging.kernels import gaussian, sobel_x, sobel_y
from faltung.imaging.peaks import Peak, peaks

Array = NDArray[Any]


def harris(
    image: ArrayLike, *, sigma: float = 1.5, k: float = 0.05, border: str = "replicate"
) -> Array:
    """Return the corner response R of every pixel.

    Parameters
    ----------
    image : array_like, (H, W) or (H, W, C)
        Integers or floats. R grows with the fourth power of the contrast.
    sigma : float
        Of the Gaussian that products are averaged with.
    k : float
        How strongly edges count against corners.
    border : str
        As in `faltung.filter_image`. Zeros would make a corner of each of the image's own.

    Returns
    -------
    array, (H, W), float64
    """
    pixels = np.asarray(image)
    if pixels.ndim not in (2, 3):
        rule = "the image must be (H, W) or (H, W, C)"
        raise GeometryError(message("harris", rule, {"shape": pixels.shape}, "", "harris H1"))
    pixels = np.atleast_3d(pixels).astype(np.float64)
    ix, iy = (slide(pixels, each / 8, border=border) for each in (sobel_x(), sobel_y()))
    products = np.stack([(a * b).sum(axis=2) for a, b in ((ix, ix), (iy, iy), (ix, iy))], axis=2)
    xx, yy, xy = np.moveaxis(slide(products, gaussian(sigma), border=border), 2, 0)
    response: Array = xx * yy - xy * xy - k * (xx + yy) ** 2
    return response


def corners(
    image: ArrayLike,
    *,
    sigma: float = 1.5,
    k: float = 0.05,
    threshold: float = 0.05,
    separation: float = 5.0,
    border: str = "replicate",
) -> list[Peak]:
    """Return the corners of an image, the strongest first.

    Parameters
    ----------
    image, sigma, k, border
        As in `harris`.
    threshold : float
        The least response, as a share of the largest.
    separation : float
        Pixels between two corners, along one of the axes at least.

    Returns
    -------
    list of Peak
        Empty for an image without corners.

    Examples
    --------
    >>> image = np.zeros((24, 24))
    >>> image[7:17, 7:17] = 1
    >>> len(corners(image))
    4
    """
    response = harris(image, sigma=sigma, k=k, border=border)
    highest = float(response.max(initial=0.0))
    if highest <= 0:
        return []
    return peaks(response, threshold=threshold * highest, separation=(separation, separation))
