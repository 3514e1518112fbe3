"""Filters of images and signals by compiled kernels, where anything is compiled.

Integers, and whoever asks for direct sums, get these; floats the algorithm that is quickest for
their size (`faltung.kernels.filter_choice`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.interval import Interval
from faltung.kernels import fft
from faltung.kernels.filter2d_call import filter_images, reads
from faltung.kernels.filter_choice import DIRECT, FFT, TOOM, algorithm
from faltung.kernels.frames import NOWHERE, column_table, row_table
from faltung.kernels.passes2d_call import passes_images
from faltung.kernels.settings import settings
from faltung.kernels.taps1d_call import filter_signals
from faltung.kernels.toom1d_call import toom_signals
from faltung.kernels.toom2d_call import toom_images

Array = NDArray[Any]
Pads = Sequence[tuple[int, int]]


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
    if dtype in (np.float32, np.float64):
        return np.dtype(dtype)
    if dtype not in (np.int64, np.uint64) or x.dtype.kind not in "biu":
        return None
    if largest <= 1 << 24 and x.dtype.itemsize <= 2:
        return np.dtype(np.float32)
    return np.dtype(np.float64) if largest <= 1 << 53 else None


def signals(x: Array, w: Array, pads: Pads, dtype: np.dtype[Any], *, is_direct: bool) -> Array:
    """Filter an array of one or two axes, zeros outside; ``y[i] = Σ_j w[j] · x[i + j - pad]``.

    Directly where it would be transformed; that is for the caller to do.

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
    sizes = zip(x.shape, pads, strict=True)
    x = x[tuple(slice(max(0, -lo), n - max(0, -hi)) for n, (lo, hi) in sizes)]
    outside = [(max(0, lo), max(0, hi)) for lo, hi in pads]
    out = _out(x.shape, w.shape, outside)
    chosen = _chosen(out, w, is_direct or dtype.kind != "f")
    y = _summed(x, w, outside, np.dtype(np.int64) if dtype.kind == "u" else dtype, chosen)
    return y.view(dtype)


def images(
    x: Array,
    kernel: Sequence[Array],
    pads: Pads,
    border: str,
    *,
    channels: int,
    dtype: np.dtype[Any],
    is_direct: bool,
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
    is_direct
        Keep to direct sums.
    """
    number = kernel[0].dtype
    x, (rows, columns) = readable(x, number), pads
    if len(kernel) == 1:
        return _image(x, kernel[0], pads, border, channels, dtype, is_direct)
    (down, across), both = kernel, (rows, columns)
    y = passes_images(x[np.newaxis], down, across, both, border, channels=channels, dtype=dtype)
    return y.reshape(y.shape[1:])


def _image(
    x: Array,
    w: Array,
    pads: Pads,
    border: str,
    channels: int,
    dtype: np.dtype[Any],
    is_direct: bool,
) -> Array:
    out = _out((x.shape[0], x.shape[1] // channels), w.shape, pads)
    is_line = x.shape[0] == w.shape[0] == 1 and tuple(pads[0]) == (0, 0)
    chosen = _chosen(out[1:], w[0], is_direct) if is_line else _chosen(out, w, is_direct)
    if channels > 1 and (chosen != DIRECT or is_line):
        how = (w, pads, border, 1, dtype, is_direct)
        parts = [_image(x[:, c::channels], *how) for c in range(channels)]
        return np.stack(parts, axis=-1).reshape(out[0], -1)
    if chosen == FFT and dtype == w.dtype:
        framed = _framed(x.astype(w.dtype, copy=False), pads, border)
        return _transformed(framed, w, [(0, 0)] * 2)
    if is_line:
        return _summed(x[0], w[0], pads[1:], dtype, chosen, border)[np.newaxis]
    return _summed(x, w, pads, dtype, chosen, border, channels)


def readable(x: Array, number: np.dtype[Any]) -> Array:
    """Return an array in a dtype that the kernels read."""
    if x.dtype == np.bool_:
        return x.view(np.uint8)
    return x if reads(x.dtype) and x.dtype.isnative else x.astype(number)


def _chosen(out: Sequence[int], w: Array, is_direct: bool) -> str:
    """Return the quickest algorithm, or direct sums where they are asked for."""
    chosen = algorithm(out, w.shape, w.itemsize)
    return chosen if chosen == DIRECT or not (is_direct or settings().is_exact) else DIRECT


def _out(size: Sequence[int], kernel: Sequence[int], pads: Pads) -> list[int]:
    return [max(0, n + lo + hi - k + 1) for n, (lo, hi), k in zip(size, pads, kernel, strict=True)]


def _summed(
    x: Array,
    w: Array,
    pads: Pads,
    dtype: np.dtype[Any],
    chosen: str,
    border: str = "zeros",
    channels: int = 1,
) -> Array:
    """Filter by one of the compiled kernels."""
    y: Array
    if x.ndim == 1:
        by = toom_signals if chosen == TOOM else filter_signals
        y = by(x[np.newaxis], w, pads[0], border, dtype=dtype)
    elif chosen == TOOM:
        y = toom_images(x[np.newaxis], w, (pads[0], pads[1]), border, dtype=dtype)
    else:
        both = (pads[0], pads[1])
        y = filter_images(x[np.newaxis], w, both, border, channels=channels, dtype=dtype)
    return y.reshape(y.shape[1:])


def _transformed(x: Array, w: Array, pads: Pads) -> Array:
    return fft.correlate(x, w, pads, lambda box: _box(x, w, pads, box))


def _framed(x: Array, pads: Pads, border: str) -> Array:
    """Return a copy of an image with its border."""
    (height, width), (rows, columns) = x.shape, pads
    beside = column_table(width, *columns, border)
    table = np.concatenate([beside[: columns[0]], np.arange(width), beside[columns[0] :]])
    for axis, index in ((0, row_table(height, *rows, border, 0)), (1, table)):
        x = x.take(np.maximum(index, 0), axis)
        shape = [-1 if a == axis else 1 for a in range(2)]
        x[np.broadcast_to((index == NOWHERE).reshape(shape), x.shape)] = 0
    return x


def _box(x: Array, w: Array, pads: Pads, box: Sequence[Interval]) -> Array:
    """Return some of the outputs, directly: what they read is cut out."""
    cuts, outside = [], []
    for span, n, k, (lo, _) in zip(box, x.shape, w.shape, pads, strict=True):
        first, last = span.lo - lo, span.hi - lo + k - 1
        cuts.append(slice(max(0, first), max(0, min(n, last))))
        outside.append((max(0, -first), max(0, last - n)))
    return _summed(x[tuple(cuts)], w, outside, w.dtype, DIRECT)
