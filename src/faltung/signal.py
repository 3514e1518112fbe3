"""Convolution and correlation of two arrays of any number of axes, with SciPy's contract.

::

    convolve(f, g)[x]  = Σ_i f[i] · g[x - i]
    correlate(f, g)[x] = Σ_i f[i + x] · conj(g[i])

It differs from `scipy.signal` where that loses values without a word: integers and booleans are
summed in 64 bits and refused where a sum could pass them, float16 is widened to float32, and
``method="auto"`` takes the Fourier transform for floats alone, block by block, within a bound.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import product
from math import log2, prod, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.errors import DTypeError, GeometryError, IntegerRangeError, message
from faltung.geometry.interval import Interval
from faltung.kernels import fft
from faltung.kernels.blocks import output_boxes
from faltung.kernels.choose import compiled_for
from faltung.kernels.filter_choice import FFT, algorithm
from faltung.kernels.settings import settings

Array = NDArray[Any]
Box = tuple[Interval, ...]

_MODES: Final = ("full", "same", "valid")
_METHODS: Final = ("auto", "direct", "fft")
_CACHE_BYTES: Final = 1 << 18
_TINY: Final = 1 << 18
"""Products that NumPy sums along one axis before a compiled kernel has begun."""


def convolve(f: ArrayLike, g: ArrayLike, mode: str = "full", method: str = "auto") -> Array:
    """Convolution ``(f*g)[x] = Σ_i f[i] · g[x - i]``: the second array is flipped.

    Arrays are 0 outside.

    Parameters
    ----------
    f, g : array_like
        With as many axes each, any number of them; booleans, integers, floats, complex numbers or
        objects that can be added and multiplied.
    mode : {"full", "same", "valid"}
        ``"full"``: every position where the arrays meet. ``"same"``: the middle of it, with the
        shape of `f`. ``"valid"``: the positions where one array lies wholly inside the other.
    method : {"auto", "direct", "fft"}
        ``"direct"`` adds up the products. ``"fft"`` multiplies the Fourier transforms of the whole
        arrays in float64: its error is relative to the *largest* values and one NaN or infinity
        reaches every output. ``"auto"`` is ``"direct"`` for integers and for short kernels of
        floats; for longer ones it saves products (`faltung.kernels.filter_choice` says where), and
        transforms blocks of a signal in its own precision where that is quicker still.

    Returns
    -------
    array
        A new one, or a scalar for two scalars. int64 for integers, uint64 where both arrays are
        unsigned or boolean; else the dtype that NumPy promotes both to, float32 at least.

    Raises
    ------
    GeometryError
        S1 an unknown mode, S2 an unknown method, S3 different numbers of axes, S4 an empty array,
        S5 ``"valid"`` where neither array holds the other.
    DTypeError
        S6 a dtype that cannot be summed, S7 objects by ``"fft"``.
    IntegerRangeError
        S8 a sum of integers that could pass the result's 64 bits.

    Warns
    -----
    RuntimeWarning
        Where ``method="fft"`` meets NaN or infinity.

    Notes
    -----
    By ``"direct"`` each output's error is at most ``γ_k · Σ|f·g|`` over its own k products. By
    ``"fft"``, which works in float64, it is at most ``8·u·log2(n)·(2 + √k)·‖f‖₂·‖g‖₂``, n the
    transform's length, k the smaller array's size: each of the two transforms forward adds
    ``7·u·log2(n)`` of the norms (N. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd
    edition, theorem 24.2), the one back as much of ``‖f*g‖₂ ≤ √k·‖f‖₂·‖g‖₂``.

    By ``"auto"`` kernels from some 15 taps on may save products by Toom-Cook, with errors of at
    most ``c·γ_k·max|f|·Σ|g|``, c = 29 on one axis and 29² on two, max|f| over what the output's
    block of 4 (or 4 by 4) reads, k two or three dozen more than g's taps; outputs of a block that
    is not finite are summed directly. A block of N samples that is transformed has errors up to
    ``8·u·log2(N)·√N·max|f|·(‖g‖₂ + max|ĝ|)``, u that of the result's dtype, max|f| over the block,
    g the smaller array and ĝ its transform. A block is summed directly where it holds NaN or
    infinity, or where this exceeds the bound of direct sums at its quietest place 100 times.

    Examples
    --------
    >>> convolve([1, 2, 3], [1, 0, -1])
    array([ 1,  2,  2, -2, -3])
    >>> convolve([1, 2, 3], [1, 0, -1], mode="same")
    array([ 2,  2, -2])
    """
    return _convolve("convolve", np.asarray(f), np.asarray(g), mode, method)


def correlate(f: ArrayLike, g: ArrayLike, mode: str = "full", method: str = "auto") -> Array:
    """Cross-correlation ``(f⋆g)[x] = Σ_i f[i + x] · conj(g[i])``: `g` is not flipped.

    Parameters
    ----------
    f, g, mode, method
        As in `convolve`.

    Returns
    -------
    array
        As in `convolve`, its dtype too; the first entry of ``"full"`` is the smallest ``x`` where
        the arrays meet, ``1 - len(g)``.

    Raises
    ------
    GeometryError, DTypeError, IntegerRangeError
        As `convolve`.

    Examples
    --------
    >>> correlate([1, 2, 3], [1, 0, -1])
    array([-1, -2, -2,  2,  3])
    >>> correlate([0, 1, 0, 0], [1, 2, 3], mode="same")
    array([3, 2, 1, 0])
    """
    g = np.asarray(g)
    turned = np.flip(g.conj() if g.dtype.kind == "c" else g)
    return _convolve("correlate", np.asarray(f), np.asarray(turned), mode, method)


def _convolve(subject: str, f: Array, g: Array, mode: str, method: str) -> Array:
    _check_words(subject, mode, method)
    _check_shapes(subject, f, g, mode)
    if not f.ndim:
        scalar: Array = _convolve(subject, f[np.newaxis], g[np.newaxis], mode, method)[0]
        return scalar
    dtype = _result_dtype(subject, f, g, method)
    if not f.size:
        return np.zeros(f.shape, dtype)
    largest = 0
    if dtype.kind in "iu":
        largest = _check_range(subject, f, g, dtype)
        method = _method_for_integers(f, g, method)
    kept = _kept(f.shape, g.shape, mode)
    with np.errstate(all="ignore"):  # infinities and NaN are results here
        if method == "fft":
            return _by_fft(f, g, kept, dtype)
        if method == "auto" and _is_transformed(f, g, kept, dtype):
            return _by_blocks(f.astype(dtype, copy=False), g.astype(dtype, copy=False), kept)
        return _summed(f, g, kept, dtype, largest, method)


def _is_transformed(f: Array, g: Array, kept: Box, dtype: np.dtype[Any]) -> bool:
    """Whether `"auto"` transforms: floats where that is quicker, unless all is to be exact."""
    if dtype not in (np.float32, np.float64):
        return False
    out, smaller = [span.size for span in kept], f if f.size < g.size else g
    return algorithm(out, smaller.shape, dtype.itemsize) == FFT and not settings().is_exact


def _by_blocks(f: Array, g: Array, kept: Box) -> Array:
    """Transform blocks; those that may not be are cut out of the larger array and summed."""
    if g.size > f.size:
        f, g = g, f
    pads = [
        (k - 1 - span.lo, span.hi - n) for span, n, k in zip(kept, f.shape, g.shape, strict=True)
    ]

    def directly(box: Box) -> Array:
        cuts, spans = [], []
        for span, whole, n, k in zip(box, kept, f.shape, g.shape, strict=True):
            out = span.shift(whole.lo)
            reads = Interval(out.lo - k + 1, out.hi).clip(0, n)
            cuts.append(slice(*reads))
            spans.append(out.shift(-reads.lo))
        part = f[tuple(cuts)]
        if not part.size:
            return np.zeros([span.size for span in box], f.dtype)
        return _summed(part, g, tuple(spans), f.dtype, 0, "direct")

    return fft.correlate(f, np.flip(g), pads, directly)


def _summed(
    f: Array, g: Array, kept: Box, dtype: np.dtype[Any], largest: int, method: str
) -> Array:
    """Add up products, by the compiled filters where they take such arrays."""
    if g.size > f.size:
        f, g = g, f
    is_tiny = f.ndim == 1 and f.size * g.size <= (_TINY if dtype.kind == "f" else _TINY // 8)
    if f.ndim <= 2 and not is_tiny and compiled_for():
        from faltung.kernels import filters

        number = filters.number_for(f, dtype, largest)
        if number is not None:
            spans = zip(kept, f.shape, g.shape, strict=True)
            pads = [(k - 1 - span.lo, span.hi - n) for span, n, k in spans]
            w = np.flip(g).astype(number)
            return filters.signals(f, w, pads, dtype, is_direct=method == "direct")
    f, g = f.astype(dtype, copy=False), g.astype(dtype, copy=False)
    return _direct_1d(f, g, kept[0]) if f.ndim == 1 else _direct(f, g, kept)


def _kept(f_shape: Sequence[int], g_shape: Sequence[int], mode: str) -> Box:
    """The part of the full convolution that a mode keeps, on each axis."""
    pairs = list(zip(f_shape, g_shape, strict=True))
    if mode == "full":
        return tuple(Interval(0, a + b - 1) for a, b in pairs)
    if mode == "same":
        return tuple(Interval((b - 1) // 2, (b - 1) // 2 + a) for a, b in pairs)
    return tuple(Interval(min(a, b) - 1, max(a, b)) for a, b in pairs)


def _direct_1d(f: Array, g: Array, kept: Interval) -> Array:
    """NumPy's own, an inner product for each output, of no more outputs than it has to."""
    k = len(g)
    for mode, first, last in (
        ("valid", k - 1, len(f)),
        ("same", (k - 1) // 2, (k - 1) // 2 + len(f)),
    ):
        if first <= kept.lo and kept.hi <= last:
            whole = np.convolve(f, g, mode)  # type: ignore[call-overload]
            return np.asarray(whole[kept.lo - first : kept.hi - first])
    return np.convolve(f, g)[slice(*kept)]


def _direct(f: Array, g: Array, kept: Box) -> Array:
    """For each value of the smaller array a shifted, scaled copy of the other, added up.

    The outputs are cut into boxes that stay in the cache while every copy passes over them.
    """
    if g.size > f.size:
        f, g = g, f
    out = np.zeros([span.size for span in kept], f.dtype)
    for box in output_boxes(out.shape, out.itemsize, _CACHE_BYTES):
        part = out[tuple(slice(*span) for span in box)]
        full = [span.shift(whole.lo) for span, whole in zip(box, kept, strict=True)]
        for at in product(*map(range, g.shape)):
            _add_shifted(part, f, g[at], at, full)
    return out


def _add_shifted(
    part: Array, f: Array, value: Any, at: Sequence[int], full: Sequence[Interval]
) -> None:
    """Add ``f · value``, shifted by `at`, to the outputs `full` of the full convolution."""
    spans = [
        span.clip(shift, shift + size) for span, shift, size in zip(full, at, f.shape, strict=True)
    ]
    outs = tuple(slice(s.lo - span.lo, s.hi - span.lo) for s, span in zip(spans, full, strict=True))
    ins = tuple(slice(s.lo - shift, s.hi - shift) for s, shift in zip(spans, at, strict=True))
    part[outs] += f[ins] * value


def _by_fft(f: Array, g: Array, kept: Box, dtype: np.dtype[Any]) -> Array:
    """The product of the transforms, transformed back, in double precision at least."""
    _warn_of_non_finite(f, g)
    axes = tuple(range(f.ndim))
    lengths = [_fast_length(a + b - 1) for a, b in zip(f.shape, g.shape, strict=True)]
    whole: Array
    if dtype.kind == "c":
        f, g = f.astype(np.result_type(f, complex)), g.astype(np.result_type(g, complex))
        spectrum = np.fft.fftn(f, lengths, axes) * np.fft.fftn(g, lengths, axes)
        whole = np.fft.ifftn(spectrum, lengths, axes)
    else:
        f, g = f.astype(np.result_type(f, float)), g.astype(np.result_type(g, float))
        spectrum = np.fft.rfftn(f, lengths, axes) * np.fft.rfftn(g, lengths, axes)
        whole = np.fft.irfftn(spectrum, lengths, axes)
    out = whole[tuple(slice(*span) for span in kept)]
    return (np.rint(out) if dtype.kind in "iu" else out).astype(dtype)


def _warn_of_non_finite(f: Array, g: Array) -> None:
    if not (np.isfinite(f).all() and np.isfinite(g).all()):
        warnings.warn(
            "a Fourier transform spreads NaN and infinity over the whole output; "
            'use method="direct"',
            RuntimeWarning,
            stacklevel=5,
        )


def _fast_length(n: int) -> int:
    """The smallest length from `n` on with no prime factor above 5.

    >>> [_fast_length(n) for n in (1, 7, 17, 1021)]
    [1, 8, 18, 1024]
    """
    best = 1 << (n - 1).bit_length()
    for threes in range(best.bit_length()):
        for fives in range(best.bit_length()):
            odd = 3**threes * 5**fives
            if odd >= best:
                break
            best = min(best, odd << (-(-n // odd) - 1).bit_length())
    return best


def _largest(x: Array) -> int:
    """Largest absolute value of integers or booleans, as a Python int that cannot overflow."""
    return max(abs(int(x.min())), abs(int(x.max())))


def _method_for_integers(f: Array, g: Array, method: str) -> str:
    """The transform only where it is asked for, and rounding its result exact: errors below 1/4."""
    lengths = [_fast_length(a + b - 1) for a, b in zip(f.shape, g.shape, strict=True)]
    steps = log2(max(2, prod(lengths)))
    norms = _largest(f) * sqrt(f.size) * _largest(g) * sqrt(g.size)
    error = 2.0**-53 * 8 * steps * (2 + sqrt(min(f.size, g.size))) * norms
    return "fft" if method == "fft" and error < 0.25 else "direct"


def _result_dtype(subject: str, f: Array, g: Array, method: str) -> np.dtype[Any]:
    kinds = {f.dtype.kind, g.dtype.kind}
    if not kinds <= set("biufcO"):
        dtypes = {"f.dtype": f.dtype, "g.dtype": g.dtype}
        cure = "Convert them to a numeric dtype"
        rule = "takes booleans, integers, floats, complex numbers and objects"
        raise DTypeError(message(subject, rule, dtypes, cure, "convolve S6"))
    if "O" in kinds and method == "fft":
        cure = 'Use method="direct"'
        rule = "objects have no Fourier transform"
        raise DTypeError(message(subject, rule, {"method": repr(method)}, cure, "convolve S7"))
    if kinds <= set("bu"):
        return np.dtype(np.uint64)
    if kinds <= set("biu"):
        return np.dtype(np.int64)
    return np.result_type(f, g) if "O" in kinds else np.result_type(f, g, np.float32)


def _check_range(subject: str, f: Array, g: Array, dtype: np.dtype[Any]) -> int:
    """Refuse integers whose sums could leave `dtype`, by two bounds; return one that holds."""
    limit = int(np.iinfo(dtype).max)
    overlap = prod(map(min, zip(f.shape, g.shape, strict=True)))
    bound: int = _largest(f) * _largest(g) * overlap
    if bound > min(limit, 1 << 24):
        small, large = (f, g) if f.size < g.size else (g, f)
        bound = min(bound, _largest(large) * sum(map(abs, small.ravel().tolist())))
    if bound > limit:
        raise IntegerRangeError(
            message(
                subject,
                f"a sum could pass the largest {dtype}, {limit}",
                {"bound": bound},
                "Convert to float64, or to object for exact Python integers",
                "convolve S8",
            )
        )
    return bound


def _check_words(subject: str, mode: str, method: str) -> None:
    for name, word, known, constraint in (
        ("mode", mode, _MODES, "convolve S1"),
        ("method", method, _METHODS, "convolve S2"),
    ):
        if word not in known:
            rule = f"{name} must be one of {', '.join(map(repr, known))}"
            raise GeometryError(message(subject, rule, {name: repr(word)}, "", constraint))


def _check_shapes(subject: str, f: Array, g: Array, mode: str) -> None:
    shapes = {"f.shape": f.shape, "g.shape": g.shape}
    if f.ndim != g.ndim:
        cure = "Give the smaller one axes of size 1"
        rule = "both arrays must have as many axes"
        raise GeometryError(message(subject, rule, shapes, cure, "convolve S3"))
    if not g.size or (not f.size and mode != "same"):
        rule = "both arrays must hold values"
        raise GeometryError(message(subject, rule, shapes, "", "convolve S4"))
    pairs = list(zip(f.shape, g.shape, strict=True))
    if mode == "valid" and not (all(a >= b for a, b in pairs) or all(a <= b for a, b in pairs)):
        cure = 'Use mode="full" or mode="same"'
        rule = 'mode "valid" needs one array at least as large as the other on every axis'
        raise GeometryError(message(subject, rule, shapes, cure, "convolve S5"))
