"""Convolution and correlation of two N-D arrays, with SciPy's contract.

::

    convolve(f, g)[x]  = Σ_i f[i] · g[x − i]
    correlate(f, g)[x] = Σ_i f[i + x] · conj(g[i])

Arrays are 0 outside. ``"full"`` has every ``x`` where the arrays meet, ``"valid"`` those where one
lies wholly inside the other, ``"same"`` the middle of ``"full"``, with the first array's shape.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from faltung.errors import GeometryError, message
from faltung.reference.arrays import Array, as_float, ieee

_SUBJECT = "convolve and correlate"


@ieee
def convolve(f: ArrayLike, g: ArrayLike, mode: str = "full") -> Array:
    """``(f*g)[x] = Σ_i f[i] · g[x − i]``: the second array is flipped.

    Parameters
    ----------
    f, g : array
        As many axes each; taken as float64, or complex128 where complex.
    mode : "full", "same" or "valid"

    Returns
    -------
    array

    Raises
    ------
    GeometryError
        Different numbers of axes, an unknown mode, or "valid" where neither array holds the other.

    Examples
    --------
    >>> convolve([1, 2, 3], [0, 1, 0.5])
    array([0. , 1. , 2.5, 4. , 1.5])
    """
    f, g = as_float(f), as_float(g)
    _check_axes(f, g)
    full = np.zeros(_full(f, g), np.result_type(f, g))
    for i in np.ndindex(*f.shape):
        for j in np.ndindex(*g.shape):
            full[*(a + b for a, b in zip(i, j, strict=True))] += f[i] * g[j]
    return full[_kept(f, g, mode)]


@ieee
def correlate(f: ArrayLike, g: ArrayLike, mode: str = "full") -> Array:
    """``(f⋆g)[x] = Σ_i f[i + x] · conj(g[i])``: no flip; takes what `convolve` takes.

    The first entry of ``"full"`` is the smallest ``x`` where the arrays meet, ``1 − len(g)``.

    Examples
    --------
    >>> correlate([1, 2, 3], [0, 1, 0.5])
    array([0.5, 2. , 3.5, 3. , 0. ])
    """
    f, g = as_float(f), as_float(g)
    _check_axes(f, g)
    full = np.zeros(_full(f, g), np.result_type(f, g))
    for i in np.ndindex(*f.shape):
        for j in np.ndindex(*g.shape):
            x = (a - b + size - 1 for a, b, size in zip(i, j, g.shape, strict=True))
            full[*x] += f[i] * np.conj(g[j])
    return full[_kept(f, g, mode)]


def _check_axes(f: Array, g: Array) -> None:
    """Refuse arrays that do not live in one space."""
    if f.ndim != g.ndim:
        rule = "both arrays need as many axes"
        raise GeometryError(message(_SUBJECT, rule, {"f.ndim": f.ndim, "g.ndim": g.ndim}))


def _full(f: Array, g: Array) -> tuple[int, ...]:
    """Every position where the arrays meet; none where one of them is empty."""
    return tuple(max(0, a + b - 1) if a and b else 0 for a, b in zip(f.shape, g.shape, strict=True))


def _kept(f: Array, g: Array, mode: str) -> tuple[slice, ...]:
    """The part of "full" that a mode keeps, one slice an axis."""
    if mode == "full":
        return (slice(None),) * f.ndim
    if mode == "same":
        starts = [(size - a) // 2 for size, a in zip(_full(f, g), f.shape, strict=True)]
        return tuple(slice(start, start + a) for start, a in zip(starts, f.shape, strict=True))
    if mode == "valid":
        return _valid(f, g)
    rule = 'mode must be "full", "same" or "valid"'
    raise GeometryError(message(_SUBJECT, rule, {"mode": repr(mode)}))


def _valid(f: Array, g: Array) -> tuple[slice, ...]:
    """Positions where the smaller array lies wholly inside the larger."""
    pairs = list(zip(f.shape, g.shape, strict=True))
    if not (all(a >= b for a, b in pairs) or all(a <= b for a, b in pairs)):
        rule = 'mode "valid" needs one array at least as large as the other on every axis'
        raise GeometryError(message(_SUBJECT, rule, {"f.shape": f.shape, "g.shape": g.shape}))
    return tuple(slice(min(a, b) - 1, max(a, b)) for a, b in pairs)
