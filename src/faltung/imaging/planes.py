"""Images and signals through the compiled filters: in which numbers, and what is left to NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.imaging.separable import are_worth_it, factors
from faltung.kernels.choose import compiled_for

Array = NDArray[Any]


class Work(NamedTuple):
    """An image (*space, C) and how it is filtered, apart from the kernel.

    ``wide`` is the dtype of the result before any rounding, ``pads`` what stands before and behind.
    """

    x: Array
    wide: np.dtype[Any]
    pads: Sequence[tuple[int, int]]
    border: str
    passes: bool


def compiled(work: Work, kernel: Array, dtype: np.dtype[Any] | None) -> Array | None:
    """Filter with a kernel (*space, 1 or C) that is not flipped; None where NumPy has to.

    Returns
    -------
    array (*space, C) or (*space, 1)
        Of ``dtype`` where the rounding could be done on the way, else of the work's wide dtype.
    """
    axes = kernel.ndim - 1
    if axes > 2 or not compiled_for():
        return None
    is_rounded = dtype is not None and _is_rounded(work, kernel, dtype)
    number = _number(work, kernel, dtype if is_rounded else None)
    if number is None:
        return None
    to = dtype if is_rounded and dtype is not None else work.wide
    if axes == 1:
        x, kernel = work.x[np.newaxis], kernel[np.newaxis]
        found = compiled_plane(work._replace(x=x, pads=[(0, 0), *work.pads]), kernel, number, to)
        return found.reshape(found.shape[1:])
    return compiled_plane(work, kernel, number, to)


def compiled_plane(work: Work, kernel: Array, number: np.dtype[Any], to: np.dtype[Any]) -> Array:
    """Filter an image (H, W, C): each channel, or their sum where the kernel has as many."""
    from faltung.kernels import filters

    is_direct = work.wide.kind == "i"
    x = work.x
    how: dict[str, Any] = {"border": work.border, "dtype": to, "is_direct": is_direct}
    height, width, channels = x.shape
    if kernel.shape[-1] == 1:
        lines = x.reshape(height, width * channels)
        parts = _parts(work, kernel[..., 0], number)
        return filters.images(lines, parts, work.pads, channels=channels, **how).reshape(x.shape)
    y = np.zeros((height, width), to)
    for c in range(channels):
        parts = _parts(work, kernel[..., c], number)
        y += filters.images(x[..., c], parts, work.pads, channels=1, **how)
    return y[..., np.newaxis]


def _parts(work: Work, kernel: Array, number: np.dtype[Any]) -> list[Array]:
    """Return a kernel, or two vectors whose outer product it is, in the dtype of the sums.

    Floats are taken apart to the precision that they are summed in.
    """
    if kernel.dtype.kind == "f":
        kernel = kernel.astype(number)
    vectors = factors(kernel) if work.passes and are_worth_it(kernel) else None
    return [part.astype(number) for part in vectors or (kernel,)]


def _is_rounded(work: Work, kernel: Array, dtype: np.dtype[Any]) -> bool:
    """Whether sums are rounded in registers: those of integers, which are finite."""
    is_plain = work.x.dtype.kind in "biu" and kernel.shape[-1] == 1
    return is_plain and dtype.kind in "iu" and dtype.itemsize <= 2 and _is_finite(kernel)


def _is_finite(kernel: Array) -> bool:
    return bool(np.isfinite(kernel).all())


def _number(work: Work, kernel: Array, dtype: np.dtype[Any] | None) -> np.dtype[Any] | None:
    """Return the dtype of the sums; None where there is no compiled kernel for it."""
    from faltung.kernels import filters

    x, wide = work.x, work.wide
    if wide.kind == "i":
        if x.size and x.dtype == np.uint64 and int(x.max()) >= 1 << 53:
            return None
        return filters.number_for(x, wide, _largest(x) * int(np.abs(kernel.astype(object)).sum()))
    is_8_bit = dtype is not None and x.dtype.itemsize == dtype.itemsize == 1
    if is_8_bit and float(np.abs(kernel).sum()) < 2.0**100:
        # Sums that are rounded to 8 bits need no more: float32 has 16 bits to spare.
        wide = np.dtype(np.float32)
    return filters.number_for(x, wide, 0)


def _largest(x: Array) -> int:
    if x.dtype.itemsize <= 2:
        limits = (0, 1) if x.dtype.kind == "b" else (np.iinfo(x.dtype).min, np.iinfo(x.dtype).max)
        return max(map(abs, limits))
    return max(abs(int(x.min())), abs(int(x.max()))) if x.size else 0
