"""Where the largest value under each window stands: what max pooling gives as indices."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from faltung.geometry import PoolWindow
from faltung.ops.operator import Array


def winners(window: PoolWindow, x: Array, columns: bool = False) -> Array:
    """Return where, counted over all of x, each window's largest value stands; the first of ties.

    Parameters
    ----------
    window
        The geometry.
    x
        (N, C, *space).
    columns
        Count the positions of an image with its first axis running fastest.
    """
    space, out = x.shape[2:], window.out_shape
    best = np.zeros(out, dtype=x.dtype)
    index = np.full(out, -1, dtype=np.int64)
    places = np.arange(math.prod(space)).reshape(space, order="F" if columns else "C")
    images = np.arange(math.prod(x.shape[:2])).reshape(*x.shape[:2], *(1 for _ in space))
    flat = images * math.prod(space) + places
    for tap in itertools.product(*(range(a.kernel) for a in window.axes)):
        seen, here = _met(window, tap)
        values = x[seen]
        wins = (
            (index[here] < 0)
            | (values > best[here])
            | ((values != values) & (best[here] == best[here]))
        )
        best[here] = np.where(wins, values, best[here])
        index[here] = np.where(wins, flat[seen], index[here])
    return index


def _met(window: PoolWindow, tap: tuple[int, ...]) -> tuple[Any, Any]:
    """Return, as indices, the positions that a tap meets inside, and the outputs it is of."""
    seen, outs = [], []
    for axis, k in zip(window.axes, tap, strict=True):
        at = np.arange(axis.out_size) * axis.stride + k * axis.dilation - axis.pad_lo
        inside = np.flatnonzero((at >= 0) & (at < axis.size))
        seen.append(at[inside])
        outs.append(slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0))
    return (..., *np.ix_(*seen)), (..., *outs)
