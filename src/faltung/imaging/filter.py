"""Filters: a kernel slides over an image, a signal or a volume, and may mix its channels.

::

    correlate:  y[i] = Σ_k kernel[k] · x[i + k - anchor]
    convolve:   y[i] = Σ_k kernel[k] · x[i - k + anchor]

The output has the image's size. In both modes kernel entry `anchor`, by default ``size // 2``,
meets the position itself: the middle, and of an even kernel the later of the two middle entries,
as in `scipy.ndimage`. (`faltung.convolve` with ``mode="same"`` centres even kernels on the earlier
one, as `scipy.signal` does.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung import signal
from faltung.errors import DTypeError, GeometryError, IntegerRangeError, message
from faltung.files.depth import to_depth
from faltung.geometry import per_axis
from faltung.geometry.border import BORDERS
from faltung.imaging.planes import Work, compiled
from faltung.imaging.separable import are_worth_it, factors
from faltung.ops.pad import pad

Array = NDArray[Any]

MODES: Final = ("correlate", "convolve")
CHANNELS: Final = ("each", "mixed")
NDIMAGE_MODES: Final = {
    "zeros": "constant",
    "reflect": "mirror",
    "replicate": "nearest",
    "circular": "wrap",
    "symmetric": "reflect",
}
"""What `scipy.ndimage` calls our borders. `numpy.pad` says constant, reflect, edge, wrap and
symmetric: "reflect" means two things there, and here what it means in NumPy and PyTorch."""


def slide(
    image: ArrayLike,
    kernel: ArrayLike,
    *,
    mode: str = "correlate",
    border: str = "zeros",
    channels: str = "each",
    anchor: int | Sequence[int] | None = None,
    passes: bool = True,
    dtype: np.dtype[Any] | None = None,
) -> Array:
    """Filter with one kernel; `faltung.filter_image` takes the library's names as well.

    Parameters
    ----------
    image : array_like, (*space) or (*space, C)
        Booleans, integers or floats. Without channels it has as many axes as the kernel.
    kernel : array_like
        ``channels="each"``: (*space). ``"mixed"``: (*space, C, D) gives D channels,
        ``y[..., d] = Σ_c filter(x[..., c], kernel[..., c, d])``; (*space, C) gives one, without
        its axis; (*space) is applied to the mean of the channels.
    mode : {"correlate", "convolve"}
        Whether the kernel is flipped along every space axis.
    border : {"zeros", "reflect", "replicate", "circular", "symmetric"}
        What stands outside the image; `NDIMAGE_MODES` has SciPy's names for them.
    channels : {"each", "mixed"}
        Whether channels are filtered one by one or summed.
    anchor : int or one for each space axis, optional
        The kernel entry that meets the position itself, ``size // 2`` by default.
    passes : bool
        Run a kernel that is an outer product as one pass along each axis (`factors`).
    dtype : integer dtype, optional
        Round the result to it, and clip it.

    Returns
    -------
    array, (*space), (*space, C) or (*space, D)
        A new array. Integers (and booleans) with an integer kernel: int64, exact, never wrapped
        round. Integers with a float kernel: float64. A float image keeps its dtype, float16
        becomes float32, unless the kernel is a wider float.

    Raises
    ------
    GeometryError
        filter F1, F2, F3: an unknown mode, border or word for channels. F4: an anchor outside the
        kernel. F5: an empty kernel. F6: a kernel with too few or too many axes. F7: one that
        mixes other channels than there are.
    DTypeError
        filter F8: other than real numbers.
    IntegerRangeError
        filter F9, convolve S8: a sum of integers that could pass 64 bits.
    """
    x, k = _numbers("image", image), _numbers("kernel", kernel)
    _check_words(mode, border, channels)
    _check_shapes(x, k, channels)
    is_bare, wide = x.ndim == k.ndim and channels == "each", _wide(x, k)
    k = _signed("kernel", k) if wide.kind == "i" else k.astype(wide)
    kernels = _per_output(x, k, channels)
    wide = _wide(x, kernels[0])  # a mean of channels makes floats of an integer kernel
    space = kernels[0].ndim - 1
    anchors = _anchors(anchor, kernels[0].shape[:space])
    if mode == "convolve":
        kernels = [np.flip(each, tuple(range(space))) for each in kernels]
        anchors = [n - 1 - a for n, a in zip(kernels[0].shape, anchors, strict=False)]
    pads = [(a, n - 1 - a) for n, a in zip(kernels[0].shape, anchors, strict=False)]
    work = Work(x[..., np.newaxis] if is_bare else x, wide, pads, border, passes)
    y = _filtered(work, kernels, dtype)
    if is_bare or (channels == "mixed" and k.ndim <= x.ndim):
        y = y[..., 0]
    return y


def _filtered(work: Work, kernels: Sequence[Array], dtype: np.dtype[Any] | None) -> Array:
    """Filter x (*space, C) with kernels (*space, 1 or C): the channels of each in turn."""
    x = work.x
    if not x.size:
        left = x.shape[-1] if kernels[0].shape[-1] == 1 else len(kernels)
        parts = [np.zeros((*x.shape[:-1], left), work.wide)]
    else:
        parts = [_summed(work, kernel, dtype) for kernel in kernels]
    y = np.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]
    return y if dtype is None or y.dtype == dtype else to_depth(y, dtype).values


def _summed(work: Work, kernel: Array, dtype: np.dtype[Any] | None) -> Array:
    """One channel, or each one where the kernel has one of its own.

    In one pass, or in one along each axis on which the kernel is more than the number 1.
    """
    found = compiled(work, kernel, dtype)
    if found is not None:
        return found
    x = work.x
    x = _signed("image", x) if work.wide.kind == "i" else x.astype(work.wide)
    padded = pad(x, (*work.pads, (0, 0)), work.border)
    vectors = factors(kernel) if work.passes and are_worth_it(kernel) else None
    if vectors is None:
        return signal.correlate(padded, kernel, "valid", method="direct")
    for axis, vector in enumerate(vectors):
        if len(vector) > 1 or vector[0] != 1:
            shape = [1] * kernel.ndim
            shape[axis] = len(vector)
            padded = signal.correlate(padded, vector.reshape(shape), "valid", method="direct")
    return padded


def _per_output(x: Array, k: Array, channels: str) -> list[Array]:
    """One kernel (*space, 1 or C) for each output channel, or one for all of them."""
    if channels == "each":
        return [k[..., np.newaxis]]
    if k.ndim < x.ndim:
        mean = k[..., np.newaxis] / np.asarray(x.shape[-1], np.result_type(k, np.float32))
        return [np.repeat(mean, x.shape[-1], axis=-1)]
    return [k] if k.ndim == x.ndim else [k[..., d] for d in range(k.shape[-1])]


def _numbers(name: str, given: ArrayLike) -> Array:
    array = np.asarray(given)
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        rule = f"{name} must hold booleans, integers or floats of up to 64 bits"
        raise DTypeError(message("filter", rule, {"dtype": array.dtype}, "", "filter F8"))
    return array


def _wide(x: Array, k: Array) -> np.dtype[Any]:
    """Return a dtype whose products and sums lose nothing that the docstring does not say."""
    if x.dtype.kind == "f":
        return np.result_type(x, np.float32, *([k] if k.dtype.kind == "f" else []))
    return np.dtype(np.float64 if k.dtype.kind == "f" else np.int64)


def _signed(name: str, values: Array) -> Array:
    if values.dtype == np.uint64 and values.size and int(values.max()) > np.iinfo(np.int64).max:
        rule, got = f"{name} must fit signed 64 bits", {"largest": int(values.max())}
        raise IntegerRangeError(message("filter", rule, got, "Convert to float64", "filter F9"))
    return values.astype(np.int64)


def _anchors(anchor: int | Sequence[int] | None, sizes: Sequence[int]) -> list[int]:
    anchors = [n // 2 for n in sizes]
    if anchor is not None:
        anchors = list(per_axis(anchor, len(sizes), "anchor"))
    if any(not 0 <= a < n for a, n in zip(anchors, sizes, strict=True)):
        rule, got = "anchor must be an entry of the kernel", {"anchor": anchors, "kernel": sizes}
        raise GeometryError(message("filter", rule, got, "Count from 0", "filter F4"))
    return anchors


def _check_words(mode: str, border: str, channels: str) -> None:
    for name, word, known, constraint in (
        ("mode", mode, MODES, "filter F1"),
        ("border", border, BORDERS, "filter F2"),
        ("channels", channels, CHANNELS, "filter F3"),
    ):
        if word not in known:
            rule, cure = f"{name} must be known", f"Use one of {', '.join(known)}"
            raise GeometryError(message("filter", rule, {name: repr(word)}, cure, constraint))


def _check_shapes(x: Array, k: Array, channels: str) -> None:
    got = {"image.shape": x.shape, "kernel.shape": k.shape}
    if not k.size or not k.ndim:
        rule = "the kernel must have entries"
        raise GeometryError(message("filter", rule, got, "", "filter F5"))
    least, most = (x.ndim - 1, x.ndim) if channels == "each" else (x.ndim - 1, x.ndim + 1)
    if not max(least, 1) <= k.ndim <= most:
        rule = "the kernel needs the image's axes"
        cure = "Give it (*space), or the channels behind them where they are mixed"
        raise GeometryError(message("filter", rule, got, cure, "filter F6"))
    if channels == "mixed" and k.ndim >= x.ndim and k.shape[x.ndim - 1] != x.shape[-1]:
        rule = "a kernel that mixes channels must have the image's"
        cure = f"Use (*space, {x.shape[-1]}) or (*space, {x.shape[-1]}, outputs)"
        raise GeometryError(message("filter", rule, got, cure, "filter F7"))
