"""Somebody else's function, run with care: what it does to its input, and whether it repeats.

It gets copies, so that it may write into what it is given; its results are copied, so that it may
hand out one array again and again; what it raises becomes one line that says what it was given.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from faltung.errors import DTypeError, GraphError, message

Array = NDArray[Any]
Function = Callable[[Any], Any]
SMALL, LARGE = 1e-3, 1e3
"""By how much floats are moved: less than most thresholds, more than most weights can hide."""
KINDS = ("far up", "far down", "any other", "a little")
ONE_BASE = 2
"""So many kinds in a row move the same values: what far up leaves as it was, far down changes."""
ROUNDING = 64
"""How many units in the last place of the largest value pass for rounding."""


class BlackBox:
    """A function of one array, and what was noticed while it ran.

    Parameters
    ----------
    f
        Takes an array and returns one, or a number.
    shape, dtype
        Of the arrays that it is given.
    tolerance
        Changes up to this share of the largest value are rounding; None for `ROUNDING` units in
        the last place of what the function returns.
    """

    def __init__(
        self, f: Function, shape: Sequence[int], dtype: DTypeLike, tolerance: float | None
    ) -> None:
        self.f = f
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype)
        self.tolerance = tolerance
        self.runs = 0
        self.mutates = False
        self.steady = True
        self.out_shape: tuple[int, ...] | None = None
        self.out_dtype = self.dtype

    def __call__(self, x: Array) -> Array:
        """Return the function's result for a copy of x.

        Raises
        ------
        GraphError
            probe P3: it raised something; P4: its result has another shape than before.
        DTypeError
            probe P5: its result is no array of numbers.
        """
        given = x.copy()
        self.runs += 1
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = np.array(self.f(given))
        except Exception as error:
            detail = " ".join(str(error).split())[:200]
            values = {"error": f"{type(error).__name__}: {detail}".rstrip(": ")}
            about = f"of shape {self.shape} and dtype {self.dtype}"
            rule = "f failed on an array " + about
            cure = "Probe it with a shape and a dtype that it takes"
            raise GraphError(message("probe", rule, values, cure, "probe P3")) from error
        self.mutates |= given.shape != x.shape or bool(differs(given, x, 0.0).any())
        self._check(result)
        return result

    def _check(self, result: Array) -> None:
        if result.dtype.kind not in "biufc":
            rule, values = "f must return an array of numbers", {"dtype": result.dtype}
            raise DTypeError(message("probe", rule, values, "", "probe P5"))
        if self.out_shape is None:
            self.out_shape, self.out_dtype = result.shape, result.dtype
        if result.shape != self.out_shape:
            self.steady = False
            rule = "f must return arrays of one shape for arrays of one shape"
            got = {"shapes": f"{self.out_shape} and {result.shape}"}
            raise GraphError(message("probe", rule, got, "", "probe P4"))

    @property
    def rounding(self) -> float:
        """The share of the largest value up to which a change is rounding."""
        if self.tolerance is not None:
            return self.tolerance
        is_exact = self.out_dtype.kind in "biu"
        return 0.0 if is_exact else ROUNDING * float(np.finfo(self.out_dtype).eps)

    def repeats(self, x: Array, y: Array) -> bool:
        """Whether the function still returns y for x; where it does not, nothing is measured."""
        try:
            self.steady &= not differs(self(x), y, self.rounding).any()
        except GraphError:
            if self.steady:
                raise
        return self.steady


def differs(a: Array, b: Array, share: float) -> NDArray[np.bool_]:
    """Where two arrays differ by more than a share of their largest finite value.

    NaN is like NaN.

    >>> differs(np.array([1.0, 2.0, np.nan]), np.array([1.1, 3.0, np.nan]), 0.1).tolist()
    [False, True, False]
    """
    unlike: NDArray[np.bool_] = a != b
    if a.dtype.kind in "biu" or not unlike.any():
        return unlike
    with np.errstate(all="ignore"):
        unlike &= ~(np.isnan(a) & np.isnan(b))
        near = np.abs(a - b) <= share * max(largest(a), largest(b))
    unlike &= ~near
    return unlike


def largest(a: Array) -> float:
    """The largest finite magnitude.

    >>> largest(np.array([-3.0, 2.0, np.inf])), largest(np.array([]))
    (3.0, 0.0)
    """
    finite = np.abs(a[np.isfinite(a)])
    return float(finite.max(initial=0))


def random_input(dtype: np.dtype[Any], shape: Sequence[int], rng: np.random.Generator) -> Array:
    """Values that anything can happen to: floats around 0, integers from 0 to 255, booleans.

    Raises
    ------
    DTypeError
        probe P2: no real numbers.
    """
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(dtype)
    if dtype.kind in "iu":
        return rng.integers(0, min(256, int(np.iinfo(dtype).max) + 1), shape).astype(dtype)
    rule = "dtype must be that of real numbers"
    raise DTypeError(message("probe", rule, {"dtype": dtype}, "Use float64", "probe P2"))


def moved(values: Array, kind: int, rng: np.random.Generator) -> Array:
    """Other values in their place: of the kinds in `KINDS`, one after the other."""
    dtype, which = values.dtype, KINDS[kind % len(KINDS)]
    if dtype.kind == "b":
        return ~values
    if dtype.kind in "iu":
        return _moved_integers(values, which, rng)
    if which == "any other":
        return random_input(dtype, values.shape, rng)
    if which == "a little":
        signs = rng.choice([-SMALL, SMALL], values.shape)
        return (values + signs * (1 + rng.random(values.shape))).astype(dtype)
    far = LARGE * (1 + rng.random(values.shape))
    return (values + far if which == "far up" else values - far).astype(dtype)


def _moved_integers(values: Array, which: str, rng: np.random.Generator) -> Array:
    most = min(255, int(np.iinfo(values.dtype).max))
    if which == "any other":
        return ((values.astype(np.int64) + rng.integers(1, most, values.shape)) % most).astype(
            values.dtype
        )
    if which == "a little":
        return np.where(values < most, values + 1, values - 1).astype(values.dtype)
    return np.full_like(values, most if which == "far up" else 0)
