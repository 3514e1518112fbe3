"""The ways in which two arrays are compared: equal, within a derived bound, the same bits.

There is no fourth one: a tolerance chosen by hand passes what it should not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from faltung.kernels.registry import gamma
from faltung.ops.operator import Array


def require(condition: bool, text: str) -> None:
    """Fail with ``text`` unless ``condition``: an ``assert`` that ``python -O`` keeps."""
    if not condition:
        raise AssertionError(text)


def assert_exact(got: ArrayLike, want: ArrayLike, what: str = "result") -> None:
    """Fail unless both arrays hold the same numbers at the same places.

    NaN equals NaN here, and 0 equals -0: a sum of products may give either.

    Parameters
    ----------
    got, want : array
        Compared after neither is cast: float32 and float64 hold the same number or they do not.
    what : str
        The subject of the message.

    Raises
    ------
    AssertionError
        The shapes differ, or a value does; the message has the first one and how many there are.

    Examples
    --------
    >>> assert_exact(np.float32([1, np.nan]), [1, np.nan])
    >>> assert_exact([1.0, 2.0], [1.0, 3.0])
    Traceback (most recent call last):
    ...
    AssertionError: result: 1 of 2 values differ, first at (1,): got 2.0, want 3.0
    """
    a, b = _same_shape(got, want, what)
    _fail_where(~((a == b) | (_nan(a) & _nan(b))), a, b, what)


def assert_within(got: ArrayLike, want: ArrayLike, bound: ArrayLike, what: str = "result") -> None:
    """Fail unless ``|got - want| <= bound``, value by value.

    Where one is NaN or infinite the other has to be the same: a bound says nothing there.

    Parameters
    ----------
    got, want : array
    bound : array or float
        Broadcast to the shape of both, and never negative: see `rounding_bound`.
    what : str
        The subject of the message.

    Raises
    ------
    AssertionError
        The shapes differ, or a value is further off than its bound, or the bound is no number.

    Examples
    --------
    >>> assert_within([1.0, 2.0], [1.0, 2.5], bound=0.5)
    >>> assert_within([1.0, 2.0], [1.0, 2.5], bound=0.25)
    Traceback (most recent call last):
    ...
    AssertionError: result: 1 of 2 values differ, first at (1,): got 2.0, want 2.5, bound 0.25
    """
    a, b = _same_shape(got, want, what)
    limit = np.broadcast_to(np.asarray(bound, np.float64), a.shape)
    finite = np.isfinite(a) & np.isfinite(b)
    require(bool(np.all(limit[finite] >= 0)), f"{what}: the bound must be a number, 0 or more")
    with np.errstate(all="ignore"):
        apart = np.abs(a.astype(np.float64) - b.astype(np.float64)) > limit
    same = (a == b) | (_nan(a) & _nan(b))
    _fail_where(np.where(finite, apart, ~same), a, b, what, limit)


def assert_same_bits(got: ArrayLike, want: ArrayLike, what: str = "result") -> None:
    """Fail unless both arrays have one dtype, one shape and the same bits.

    >>> assert_same_bits(np.float32([0.0]), np.float32([-0.0]))
    Traceback (most recent call last):
    ...
    AssertionError: result: the bits differ at 1 of 1 values, first at (0,): 0.0 and -0.0
    """
    a, b = _same_shape(got, want, what)
    require(a.dtype == b.dtype, f"{what}: the dtypes differ: {a.dtype} and {b.dtype}")
    bits = np.dtype(f"u{a.dtype.itemsize}")
    wrong = np.ascontiguousarray(a).view(bits) != np.ascontiguousarray(b).view(bits)
    if np.any(wrong):
        at = _first(wrong)
        rule = f"the bits differ at {np.count_nonzero(wrong)} of {a.size} values, first at {at}"
        raise AssertionError(f"{what}: {rule}: {a[at]!s} and {b[at]!s}")


def rounding_bound(
    terms: int, magnitude: ArrayLike, dtype: np.dtype[Any], whole: bool = False
) -> Array:
    """``gamma_k Σ|terms|``: how far rounding alone may move a sum of ``k`` rounded terms.

    Results too small to be normal numbers may also be off by the smallest of these, once a term.

    Parameters
    ----------
    terms : int
        k: roundings on the way to one value; 0 where values are only chosen or moved.
    magnitude : array
        Sum of the absolute values of the terms of each value.
    dtype : numpy.dtype
        What the arithmetic was done in.
    whole : bool
        Whether every term is a whole number. Where `dtype` holds them and all their partial sums
        (float32 below 2**24), nothing is rounded and the bound is 0.

    Returns
    -------
    array
        Of float64, shaped like ``magnitude``.

    Examples
    --------
    >>> rounding_bound(2, [3.0, 2.0**24], np.dtype(np.float32), whole=True).tolist()
    [0.0, 2.0000002384186075]
    """
    size = np.asarray(magnitude, np.float64)
    info = np.finfo(dtype)
    exact = (size < 2 / info.eps) if whole else np.zeros(size.shape, np.bool_)
    with np.errstate(all="ignore"):
        rounded = gamma(terms, dtype) * size + terms * float(info.tiny)
    return np.where(exact, 0.0, rounded)


def _same_shape(got: ArrayLike, want: ArrayLike, what: str) -> tuple[Array, Array]:
    a, b = np.asarray(got), np.asarray(want)
    require(a.shape == b.shape, f"{what}: the shapes differ: got {a.shape}, want {b.shape}")
    return a, b


def _nan(x: Array) -> Array:
    return np.isnan(x) if x.dtype.kind in "fc" else np.zeros(x.shape, np.bool_)


def _first(wrong: Array) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(wrong)), wrong.shape))


def _fail_where(wrong: Array, a: Array, b: Array, what: str, limit: Array | None = None) -> None:
    if np.any(wrong):
        at = _first(wrong)
        count = f"{np.count_nonzero(wrong)} of {a.size} values differ, first at {at}"
        bound = "" if limit is None else f", bound {limit[at]!s}"
        raise AssertionError(f"{what}: {count}: got {a[at]!s}, want {b[at]!s}{bound}")
