"""Channels' sums as operators ask for them: mean and variance, and what their gradients sum."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.kernels.isa import required_isa
from faltung.kernels.launch import launch
from faltung.kernels.norm import FIELDS, MOMENTS, PRODUCTS, SUMS, norm_block

Array = NDArray[Any]

SEGMENT: Final = 8192
"""Numbers of a row that are summed at one time, at most: half of the nearest cache."""
BLOCK: Final = 1 << 14
"""Numbers of a block of work, at least."""


def channel_sums(x: Array) -> Array:
    """Return the sum of each channel, in float64, of an array (N, C, *space)."""
    found, _ = _sums(SUMS, x)
    total: Array = found[..., 0].sum(axis=(0, 2))
    return total


def channel_moments(x: Array) -> tuple[Array, Array]:
    """Return mean and variance of each channel, in float64.

    Each segment gives its sum s and its squared distances q from its own mean. With n numbers in a
    segment and N in the channel::

        mean = Σ s / N,   variance = Σ (q + n (s / n - mean)²) / N

    Source: T. Chan, G. Golub, R. LeVeque, *Algorithms for computing the sample variance* (1983).

    Parameters
    ----------
    x : array (N, C, *space), float32 or float64
    """
    found, counts = _sums(MOMENTS, x)
    total = counts.sum() * x.shape[0]
    s, q = found[..., 0], found[..., 1]
    mean = s.sum(axis=(0, 2)) / total
    away = s / counts - mean[:, None]
    return mean, (q + counts * away * away).sum(axis=(0, 2)) / total


def channel_products(g: Array, x: Array, mean: Array) -> tuple[Array, Array]:
    """Return ``Σ g`` and ``Σ g (x - mean)`` of each channel, in float64.

    Parameters
    ----------
    g, x : array (N, C, *space)
        Of one dtype.
    mean : array (C,)
    """
    found, _ = _sums(PRODUCTS, x, g, mean)
    return found[..., 0].sum(axis=(0, 2)), found[..., 1].sum(axis=(0, 2))


def _sums(
    what: str, x: Array, g: Array | None = None, mean: Array | None = None
) -> tuple[Array, Array]:
    """Return two numbers for each image, channel and segment, and how long segments are."""
    images, channels = x.shape[:2]
    size = x.size // max(images * channels, 1)
    segments = max(1, -(-size // SEGMENT))
    segment = -(-size // segments)
    items = images * channels * segments
    count = max(1, BLOCK // max(segment, 1))
    sums = np.empty((images, channels, segments, 2), x.dtype)
    x = np.ascontiguousarray(x)
    arrays = {
        "x": x,
        "g": x if g is None else np.ascontiguousarray(g, x.dtype),
        "mean": x if mean is None else np.ascontiguousarray(mean, x.dtype),
        "sums": sums,
    }
    sizes = {
        "size": size,
        "segment": segment,
        "segments": segments,
        "channels": channels,
        "items": items,
        "count": count,
        "scratch_size": 0,
    }
    launch(norm_block, required_isa("norm"), FIELDS, sizes, arrays, -(-items // count), what=what)
    counts = np.full(segments, float(segment))
    counts[-1] = size - segment * (segments - 1)
    return sums.astype(np.float64), counts
