"""Filters by the algorithm that is quickest for their size, where anything is compiled.

Which one it is follows from sizes and dtype alone. The figures are nanoseconds of one thread of an
AVX-512 machine; they need be right only relative to one another, and only near the crossovers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.interval import Interval
from faltung.kernels import fft
from faltung.kernels.choose import compiled_for
from faltung.kernels.filter2d_call import filter_images, reads
from faltung.kernels.taps1d_call import filter_signals

Array = NDArray[Any]
Pads = Sequence[tuple[int, int]]

DIRECT_NS: Final = {4: 0.0086, 8: 0.0172}
"""Nanoseconds of one product of a direct sum, by the bytes of a number."""


def number_for(x: Array, dtype: np.dtype[Any], largest: int) -> np.dtype[Any] | None:
    """Return the dtype in which a filter may be summed, None where no compiled kernel can.

    Parameters
    ----------
    x
        What is filtered.
    dtype
        Of the result.
    largest
        For integers, what no sum passes, nor any part of it: they are exact in floats that hold
        that many numbers.
    """
    if not compiled_for():
        return None
    if dtype in (np.float32, np.float64):
        return np.dtype(dtype)
    if dtype not in (np.int64, np.uint64) or x.dtype.kind not in "biu":
        return None
    if largest <= 1 << 24 and x.dtype.itemsize <= 2:
        return np.dtype(np.float32)
    return np.dtype(np.float64) if largest <= 1 << 53 else None


def signals(x: Array, w: Array, pads: Pads, dtype: np.dtype[Any], *, is_direct: bool) -> Array:
    """Filter an array of one or two axes, zeros outside; ``y[i] = Σ_j w[j] · x[i + j - pad]``.

    Parameters
    ----------
    x : array (*space)
        Of any real dtype.
    w : array (*kernel)
        Of the dtype that `number_for` names.
    pads
        How many zeros stand before and behind, on each axis; negative ones crop.
    dtype
        Of the result.
    is_direct
        Keep to direct sums.
    """
    x = readable(x, w.dtype)
    cut = tuple(
        slice(max(0, -lo), n - max(0, -hi)) for n, (lo, hi) in zip(x.shape, pads, strict=True)
    )
    outside = [(max(0, lo), max(0, hi)) for lo, hi in pads]
    x = x[cut]
    out = [n + lo + hi - k + 1 for n, (lo, hi), k in zip(x.shape, outside, w.shape, strict=True)]
    is_float = dtype.kind == "f"
    if is_float and not is_direct and takes_fft(out, w.shape, w.itemsize):
        return fft.correlate(
            x.astype(dtype, copy=False), w, outside, lambda box: _box(x, w, outside, box)
        )
    y = _direct(x, w, outside, np.dtype(np.int64) if dtype.kind == "u" else dtype)
    return y.view(dtype)


def images(
    x: Array,
    kernel: Sequence[Array],
    pads: Pads,
    border: str,
    *,
    channels: int,
    dtype: np.dtype[Any],
) -> Array:
    """Filter an image whose channels lie side by side; ``y = Σ kernel[ky, kx] x[...]``.

    Parameters
    ----------
    x : array (H, W * channels)
        Of any real dtype.
    kernel
        One array (kh, kw), or two vectors whose outer product it is: one pass along each axis.
        Their dtype is the one that sums are taken in.
    pads, border, channels, dtype
        As of `filter2d_call.filter_images`.
    """
    number = kernel[0].dtype
    x = readable(x, number)[np.newaxis]
    rows, columns = pads
    if len(kernel) == 2:
        down, across = kernel
        x = filter_images(x, down[:, np.newaxis], (rows, (0, 0)), border, channels=channels)
        rows, across = (0, 0), across[np.newaxis]
        return _image(x, across, (rows, columns), border, channels, dtype)
    return _image(x, kernel[0], (rows, columns), border, channels, dtype)


def _image(
    x: Array,
    w: Array,
    pads: tuple[tuple[int, int], tuple[int, int]],
    border: str,
    channels: int,
    dtype: np.dtype[Any],
) -> Array:
    if w.shape[0] == x.shape[1] == channels == 1 and pads[0] == (0, 0):
        return filter_signals(x[:, 0], w[0], pads[1], border, dtype=dtype)
    y = filter_images(x, w, pads, border, channels=channels, dtype=dtype)
    return y.reshape(y.shape[1:])


def takes_fft(out: Sequence[int], kernel: Sequence[int], itemsize: int) -> bool:
    """Whether the transform is quicker."""
    return fft.cost(out, kernel, itemsize) < DIRECT_NS[itemsize] * prod(out) * prod(kernel)


def readable(x: Array, number: np.dtype[Any]) -> Array:
    """Return an array in a dtype that the kernels read."""
    if x.dtype == np.bool_:
        return x.view(np.uint8)
    return x if reads(x.dtype) and x.dtype.isnative else x.astype(number)


def _direct(x: Array, w: Array, pads: Pads, dtype: np.dtype[Any]) -> Array:
    if x.ndim == 1:
        return filter_signals(x[np.newaxis], w, pads[0], dtype=dtype).reshape(-1)
    rows, columns = pads
    y = filter_images(x[np.newaxis], w, (rows, columns), dtype=dtype)
    return y.reshape(y.shape[1:])


def _box(x: Array, w: Array, pads: Pads, box: Sequence[Interval]) -> Array:
    """Return some of the outputs, directly: what they read is cut out."""
    cuts, outside = [], []
    for span, n, k, (lo, _) in zip(box, x.shape, w.shape, pads, strict=True):
        first, last = span.lo - lo, span.hi - lo + k - 1
        cuts.append(slice(max(0, first), max(0, min(n, last))))
        outside.append((max(0, -first), max(0, last - n)))
    return _direct(x[tuple(cuts)], w, outside, w.dtype)
