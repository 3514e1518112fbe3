"""Pairs of values so far apart: their sums at all distances at once, and Pearson's correlation.

For lines ``x[0..n-1]`` the pairs ``h`` apart are ``(x[i], x[i+h])``, ``i = 0..n-1-h``: fewer, the
further apart, and every mean here is over just as many. The correlation is Pearson's, of the left
ends of the pairs with the right ends, each with their own mean. What needs all products,
``Σ x[i] x[i+h]``, is one Fourier transform of each line; the rest are running sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.analysis.data.planes import Planes

Array = NDArray[Any]
Floats = NDArray[np.float64]

_CHUNK = 1 << 20
"""Values transformed at a time."""

_ROUNDING = 1e-11
"""A variance below this share of the whole's is rounding: sums of standardised values err by some
``u·log2(n)`` of their number, u = 1.1e-16."""


@dataclass(frozen=True, eq=False)
class Pooled:
    """Sums over all pairs of all planes, each an array over distances; pools are added.

    Parameters
    ----------
    pairs
        How many.
    covariance, left, right
        ``Σ (x-mean)(y-mean)``, ``Σ (x-mean)²``, ``Σ (y-mean)²``, with the means of each plane.
    expected, spread, scale
        Were the values shuffled: the mean and the variance of `covariance`, the mean of `left`.
    """

    pairs: Floats
    covariance: Floats
    left: Floats
    right: Floats
    expected: Floats
    spread: Floats
    scale: Floats

    def __add__(self, other: Pooled) -> Pooled:
        sums = (getattr(self, f.name) + getattr(other, f.name) for f in fields(self))
        return Pooled(*sums)

    @property
    def values(self) -> Floats:
        """Pearson's correlation at each distance; NaN where one end does not vary."""
        least = _ROUNDING * np.maximum(self.pairs, 1)
        known = np.minimum(self.left, self.right) > least
        norm = np.sqrt(np.where(known, self.left * self.right, 1.0))
        return np.where(known, np.clip(self.covariance / norm, -1.0, 1.0), np.nan)


@dataclass(frozen=True, eq=False)
class Sums:
    """For each plane (rows) and distance (columns): how many pairs, and sums over them."""

    count: Floats
    x: Floats
    y: Floats
    xx: Floats
    yy: Floats
    xy: Floats

    def pooled(self, total: Floats, both: Floats, kinship: float) -> Pooled:
        """Add up the planes.

        Under shuffling, with n pairs among N values of mean 0 and variance 1, m of which are both
        a left and a right end::

            E[Σ(x-mean)(y-mean)] = -(m/n)·N/(N-1)
            E[Σ(x-mean)²]        = n - (N-n)/(N-1)

        The variance of the former is n to leading order, whatever the values (A. Cliff and J. Ord,
        *Spatial Processes*, 1981, section 2.3, for sums over any set of pairs), and n·ρ² the
        covariance between two channels that are shuffled together.
        """
        n = np.maximum(self.count, 1)
        others = np.maximum(total - 1, 1)
        parts = (
            self.count,
            self.xy - self.x * self.y / n,
            self.xx - self.x**2 / n,
            self.yy - self.y**2 / n,
            -(both / n) * total / others,
            self.count * kinship / max(len(self.count), 1),
            self.count - (total - self.count) / others * (self.count > 0),
        )
        return Pooled(*(part.sum(axis=0) for part in parts))


def along(planes: Planes, axis: int, lags: int) -> Pooled:
    """Pool the pairs 0 to `lags` apart along one axis."""
    values, present = planes.lines(axis)
    n, h = values.shape[2], np.arange(lags + 1)
    sums = line_sums(values, present, lags)
    share = np.maximum(n - 2 * h, 0) / np.maximum(n - h, 1)
    return sums.pooled(planes.counts[:, None], sums.count * share, planes.kinship)


def apart(planes: Planes, offset: Sequence[int]) -> Pooled:
    """Pool the pairs that lie `offset` apart, one number for each axis; arrays of one entry."""
    pieces = [
        planes.part([slice(0, max(n - o, 0)) for n, o in zip(planes.space, offset, strict=True)]),
        planes.part([slice(o, None) for o in offset]),
    ]
    (x, x_there), (y, y_there) = [(_flat(z), None if t is None else _flat(t)) for z, t in pieces]
    weight = np.ones(x.shape) if x_there is None or y_there is None else x_there * y_there
    x, y = x * weight, y * weight
    cells = (weight, x, y, x * x, y * y, x * y)
    sums = Sums(*(cell.sum(axis=1, dtype=np.float64)[:, None] for cell in cells))
    ends = [(max(n - 2 * o, 0), max(n - o, 1)) for n, o in zip(planes.space, offset, strict=True)]
    share = prod(both / one for both, one in ends)
    return sums.pooled(planes.counts[:, None], sums.count * share, planes.kinship)


def _flat(values: Array) -> Array:
    return values.reshape(len(values), prod(values.shape[1:]))


def line_sums(values: Floats, present: Floats | None, lags: int) -> Sums:
    """Sum over the pairs 0 to `lags` apart of each plane, (planes, lines, n); missing ones are 0.

    >>> line_sums(np.array([[[1.0, 2.0, 4.0]]]), None, 2).xy.round(9).tolist()
    [[21.0, 10.0, 4.0]]
    """
    if present is None:
        return _complete(values, lags)
    squares = values**2
    return Sums(
        np.rint(products(present, present, lags)),
        products(values, present, lags),
        products(present, values, lags),
        products(squares, present, lags),
        products(present, squares, lags),
        products(values, values, lags),
    )


def _complete(values: Floats, lags: int) -> Sums:
    """Where nothing is missing, left ends are all but the last ones: running sums will do."""
    planes, lines, n = values.shape
    count = np.broadcast_to(lines * (n - np.arange(lags + 1.0)), (planes, lags + 1))
    x, y = _ends(values.sum(axis=1), lags)
    xx, yy = _ends((values**2).sum(axis=1), lags)
    return Sums(count, x, y, xx, yy, products(values, values, lags))


def _ends(profile: Floats, lags: int) -> tuple[Floats, Floats]:
    """Sums of a profile (planes, n) without its last, and without its first, h entries."""
    n = profile.shape[1]
    keep = n - np.arange(lags + 1)
    begin = np.pad(np.cumsum(profile, axis=1), ((0, 0), (1, 0)))
    end = np.pad(np.cumsum(profile[:, ::-1], axis=1), ((0, 0), (1, 0)))
    return begin[:, keep], end[:, keep]


def products(first: Floats, second: Floats, lags: int) -> Floats:
    """``Σ first[i]·second[i+h]`` over all lines, for h = 0 to `lags`: (planes, lags + 1).

    By Fourier transform. Enough zeros are appended that nothing wraps round, so this is the sum
    itself; its error is at most ``8·u·log2(m)·(2 + √n)·‖first‖₂·‖second‖₂``, m the transform's
    length (see `faltung.correlate`).
    """
    planes, lines, n = first.shape
    length = 1 << max(n + lags - 1, 1).bit_length()
    some, deep = max(1, _CHUNK // (lines * length)), max(1, _CHUNK // length)
    out = np.zeros((planes, lags + 1))
    for p in range(0, planes, some):
        at = slice(p, p + some)
        spectrum = np.zeros((len(first[at]), length // 2 + 1), np.complex128)
        for k in range(0, lines, deep):
            cut = slice(k, k + deep)
            left = np.fft.rfft(first[at, cut], length)
            right = left if second is first else np.fft.rfft(second[at, cut], length)
            spectrum += (left.conj() * right).sum(axis=1)
        out[at] = np.fft.irfft(spectrum, length)[:, : lags + 1]
    return out
