"""Sums over tiles, of which blocks are made, and blocks of samples that are moved round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.analysis.data.planes import Planes

Array = NDArray[Any]
Floats = NDArray[np.float64]

FINEST: Final = 8
"""Tiles in a block along each axis, at most: samples are moved by whole tiles."""

MOST: Final = 1 << 16
"""Tiles in all, about; of more samples, some are moved."""


@dataclass(frozen=True, eq=False)
class Tiles:
    """Sums over equal parts of standardised planes.

    Parameters
    ----------
    count, total, squares : arrays, (samples, channels, *tiles)
        How many values, their sum, the sum of their squares; 0 for planes that do not vary.
    g, w : arrays, (samples,)
        The variances, over positions, of ``Σ z`` and ``Σ z²`` over channels: what is needed to
        tell how means and variances of blocks vary when positions are shuffled.
    """

    count: Floats
    total: Floats
    squares: Floats
    g: Floats
    w: Floats

    def of(self, samples: slice) -> Tiles:
        """Return some of the samples."""
        sums = (self.count[samples], self.total[samples], self.squares[samples])
        return Tiles(*sums, self.g[samples], self.w[samples])

    def blocks(self, parts: Sequence[int]) -> Tiles:
        """Add up the tiles of each block."""
        count, total = _added(self.count, parts), _added(self.total, parts)
        return Tiles(count, total, _added(self.squares, parts), self.g, self.w)

    def moved(self, rng: np.random.Generator) -> Tiles:
        """Move each sample round by whole tiles, by a distance of its own along each axis."""
        samples, tiles = len(self.count), self.count.shape[2:]
        each = np.arange(samples).reshape(-1, *(1 for _ in tiles))
        at = [self._turned(axis, size, rng) for axis, size in enumerate(tiles)]

        def turned(values: Floats) -> Floats:
            return np.moveaxis(np.moveaxis(values, 1, -1)[(each, *at)], -1, 1)

        count, total = turned(self.count), turned(self.total)
        return Tiles(count, total, turned(self.squares), self.g, self.w)

    def _turned(self, axis: int, size: int, rng: np.random.Generator) -> Array:
        axes = self.count.ndim - 2
        by = rng.integers(size, size=(len(self.count), *(1 for _ in range(axes))))
        shape = [-1 if a == axis else 1 for a in range(axes)]
        return (np.arange(size).reshape(1, *shape) + by) % size


def tiled(planes: Planes, at: Sequence[Array], space: Sequence[int], tiles: Sequence[int]) -> Tiles:
    """Sum the values at the given positions of each axis over each tile; no tile may be empty."""
    there = np.ones(planes.z.shape) if planes.present is None else planes.present * 1.0
    there = there * planes.varies.reshape(*planes.varies.shape, *(1 for _ in space))
    squares = planes.z**2
    count, total, square = (_summed(v, at, space, tiles) for v in (there, planes.z, squares))
    axes = tuple(range(1, 1 + len(space)))
    w = ((squares - there).sum(axis=1) ** 2).sum(axis=axes) / planes.positions
    return Tiles(count, total, square, planes.sums_vary, w)


def together(several: Sequence[Tiles]) -> Tiles:
    """Put samples one after the other; channels that some do not have are empty."""
    channels = max(each.count.shape[1] for each in several)
    count, total, squares = (
        np.concatenate([_with(getattr(each, name), channels) for each in several])
        for name in ("count", "total", "squares")
    )
    g, w = (np.concatenate([getattr(each, name) for each in several]) for name in ("g", "w"))
    return Tiles(count, total, squares, g, w)


def tiles_for(sizes: Sequence[int], parts: Sequence[int], planes: int) -> tuple[int, ...]:
    """How many tiles along each axis: whole numbers of them in each block.

    >>> tiles_for((28, 300), (4, 4), 1), tiles_for((28, 28), (4, 4), 5000), tiles_for((9,), (4,), 1)
    ((28, 32), (4, 4), (8,))
    """
    for fine in range(FINEST, 0, -1):
        made = [p * min(fine, size // p) for p, size in zip(parts, sizes, strict=True)]
        if prod(made) * planes <= MOST:
            return tuple(made)
    return tuple(parts)


def _with(values: Floats, channels: int) -> Floats:
    more = [(0, 0), (0, channels - values.shape[1])]
    return np.pad(values, more + [(0, 0)] * (values.ndim - 2))


def _summed(
    values: Array, at: Sequence[Array], space: Sequence[int], tiles: Sequence[int]
) -> Floats:
    for axis, (positions, size, parts) in enumerate(zip(at, space, tiles, strict=True)):
        starts = np.searchsorted(positions, np.arange(parts) * size // parts)
        values = np.add.reduceat(values, starts, axis=2 + axis)
    return values


def _added(values: Floats, parts: Sequence[int]) -> Floats:
    shape = [n for p, t in zip(parts, values.shape[2:], strict=True) for n in (p, t // p)]
    split = values.reshape(*values.shape[:2], *shape)
    added: Floats = split.sum(axis=tuple(range(3, split.ndim, 2)))
    return added
