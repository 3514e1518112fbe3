"""Planes of numbers: centred, scaled, what is missing set aside; parts of what is too large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float64]

STRETCH: Final = 1 << 18
"""Of lines longer than this, stretches are looked at where not all can be."""


@dataclass(frozen=True, eq=False)
class Planes:
    """Samples of some channels, each plane with mean 0 and variance 1.

    Parameters
    ----------
    z : float64 array, (samples, channels, *space)
        0 where a value is missing, and everywhere in a plane whose values are all the same.
    present : bool array of the same shape, or None
        Which values there are; None where none is missing.
    varies : bool array, (samples, channels)
        Which planes have two different values.
    """

    z: Floats
    present: NDArray[np.bool_] | None
    varies: NDArray[np.bool_]

    @property
    def space(self) -> tuple[int, ...]:
        """Sizes along the axes."""
        return self.z.shape[2:]

    @property
    def counts(self) -> Floats:
        """How many values each plane that varies has."""
        if self.present is None:
            return np.full(int(self.varies.sum()), float(prod(self.space)))
        held = self.present[self.varies].reshape(int(self.varies.sum()), prod(self.space))
        counts: Floats = held.sum(axis=1).astype(np.float64)
        return counts

    @property
    def kinship(self) -> float:
        """Σ over samples of Σ ρ², ρ being the correlation of each two channels.

        It is the number of planes where channels have nothing to do with one another, and grows
        to channels times planes where they are the same: shuffled together, they are one.
        """
        samples, channels = self.varies.shape
        if channels == 1:
            return float(self.varies.sum())
        flat = self.z.reshape(samples, channels, -1)
        products = flat @ flat.transpose(0, 2, 1)
        squares = np.einsum("scc->sc", products)
        norms = np.sqrt(squares[:, :, None] * squares[:, None, :])
        rho = np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
        return float((rho**2).sum())

    @property
    def sums_vary(self) -> Floats:
        """The variance, over positions, of each sample's sum over its channels."""
        axes = tuple(range(1, self.z.ndim - 1))
        summed: Floats = (self.z.sum(axis=1) ** 2).sum(axis=axes)
        variances: Floats = summed / self.positions
        return variances

    @property
    def positions(self) -> Floats:
        """How many positions of each sample have a value in some channel; at least 1."""
        axes = tuple(range(1, self.z.ndim - 1))
        if self.present is None:
            return np.full(len(self.z), float(prod(self.space)))
        counts: Floats = self.present.any(axis=1).sum(axis=axes).astype(np.float64)
        return np.maximum(counts, 1.0)

    def lines(self, axis: int) -> tuple[Floats, Floats | None]:
        """Values, and 1 or 0 for there or not, as (planes that vary, lines along an axis, n)."""
        return self._lines(self.z, axis), (
            None if self.present is None else self._lines(self.present, axis)
        )

    def _lines(self, values: Array, axis: int) -> Floats:
        moved = np.moveaxis(values, 2 + axis, -1)[self.varies]
        lines = prod(moved.shape[1:-1])
        return moved.reshape(len(moved), lines, moved.shape[-1]).astype(np.float64, copy=False)

    def part(self, slices: Sequence[slice]) -> tuple[Floats, NDArray[np.bool_] | None]:
        """The planes that vary, cut along the axes, as (planes, *space)."""
        at = (slice(None), *slices)
        held = None if self.present is None else self.present[self.varies][at]
        return self.z[self.varies][at], held

    def shuffled(self, rng: np.random.Generator) -> Planes:
        """The same values at other positions.

        Channels stay together, samples are shuffled each on its own, and a position at which
        every channel lacks its value keeps lacking it.
        """
        samples, channels = self.varies.shape
        flat = self.z.reshape(samples, channels, -1)
        if self.present is None:
            order = rng.permuted(np.tile(np.arange(flat.shape[2]), (samples, 1)), axis=1)
            moved = np.take_along_axis(flat, order[:, None], axis=2)
            return replace(self, z=moved.reshape(self.z.shape))
        there = self.present.reshape(flat.shape)
        moved, held = flat.copy(), there.copy()
        for n in range(samples):
            places = np.flatnonzero(there[n].any(axis=0))
            order = rng.permutation(places)
            moved[n][:, places], held[n][:, places] = flat[n][:, order], there[n][:, order]
        return replace(self, z=moved.reshape(self.z.shape), present=held.reshape(self.z.shape))


def standardised(values: Array) -> Planes:
    """Centre and scale each plane of (samples, channels, *space); NaN and infinity are missing.

    >>> standardised(np.array([[[1.0, 3.0, np.nan]]])).z.round(9).tolist()
    [[[-1.0, 1.0, 0.0]]]
    """
    space = tuple(range(2, values.ndim))
    x = values.astype(np.float64)
    there = np.isfinite(x)
    whole = bool(there.all())
    x = x if whole else np.where(there, x, 0.0)
    # Squares of the largest floats would be infinite.
    peak = np.abs(x).max(axis=space, keepdims=True, initial=0.0)
    x = x / np.where(peak > 0, peak, 1.0)
    count = np.maximum(there.sum(axis=space, keepdims=True), 1)
    centred = np.where(there, x - x.sum(axis=space, keepdims=True) / count, 0.0)
    deviation = np.sqrt((centred**2).sum(axis=space, keepdims=True) / count)
    high = np.where(there, x, -np.inf).max(axis=space, keepdims=True, initial=-np.inf)
    low = np.where(there, x, np.inf).min(axis=space, keepdims=True, initial=np.inf)
    varies = high > low  # not deviation > 0: the mean of equal values may round
    z = np.where(varies, centred / np.where(varies, deviation, 1.0), 0.0)
    return Planes(z, None if whole else there, varies.reshape(values.shape[:2]))


def shuffled_values(values: Array, rng: np.random.Generator) -> Array:
    """Return (samples, channels, *space) at other positions; channels stay together."""
    flat = values.reshape(*values.shape[:2], -1)
    moved = np.stack([sample[:, rng.permutation(flat.shape[2])] for sample in flat])
    return moved.reshape(values.shape)


def some_lines(values: Array, axis: int, most: int, rng: np.random.Generator) -> Array:
    """Whole lines along an axis that hold at most so many values, at least one of them.

    Lines longer than `STRETCH` are cut into stretches, and of these some are chosen. Distances
    along the axis stay what they are. Returned as (samples, channels, lines, n).
    """
    moved = np.moveaxis(values, 2 + axis, -1)
    others, n = moved.shape[2:-1], min(moved.shape[-1], STRETCH)
    pieces = moved.shape[-1] // n
    fit = max(1, most // max(1, moved.shape[0] * moved.shape[1] * n))
    each = np.arange(prod(others) * pieces)
    chosen = each if fit >= len(each) else np.sort(rng.choice(len(each), fit, replace=False))
    *lines, piece = np.unravel_index(chosen, (*others, pieces))
    at = piece[:, None] * n + np.arange(n)
    return moved[(slice(None), slice(None), *(line[:, None] for line in lines), at)]


def some_positions(space: Sequence[int], most: int, rng: np.random.Generator) -> list[Array]:
    """Positions along each axis whose grid has at most so many points: one by chance in each part.

    Evenly spaced ones could fall in step with what repeats.
    """
    share = min(1.0, (most / max(1, prod(space))) ** (1 / max(1, len(space))))
    return [_strata(size, max(1, int(size * share)), rng) for size in space]


def _strata(size: int, parts: int, rng: np.random.Generator) -> Array:
    if parts >= size:
        return np.arange(size)
    edges = np.arange(parts + 1) * size // parts
    return rng.integers(edges[:-1], edges[1:])
