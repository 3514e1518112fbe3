"""Which output meets which input through which tap: a window spelt out, as arrays of positions."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.geometry import AxisWindow

Positions = NDArray[np.int64]


class Pairs(NamedTuple):
    """One entry for each pair of an output and a tap that is an input position.

    All are counted in row-major order over the axes; entries are in order of outputs, and of taps
    within one output.
    """

    outputs: Positions
    taps: Positions
    inputs: Positions


# One row of corners, forward and backward; a pair costs 24 bytes.
@lru_cache(maxsize=8)
def pairs_of(axes: tuple[AxisWindow, ...]) -> Pairs:
    """Return the pairs of a window, without those on padding.

    Parameters
    ----------
    axes
        One window for each axis.

    Returns
    -------
    Pairs
        Three read-only arrays of int64 of one length, ``prod(a.connections(padding=False))``.

    Examples
    --------
    >>> pairs = pairs_of((AxisWindow(3, kernel=3, pad_lo=1, pad_hi=1),))
    >>> [p.tolist() for p in pairs]
    [[0, 0, 1, 1, 1, 2, 2], [1, 2, 0, 1, 2, 0, 1], [0, 1, 0, 1, 2, 1, 2]]
    """
    nothing = np.zeros(1, np.int64)
    outputs = taps = inputs = nothing
    for axis in axes:
        o, k, i = _axis_pairs(axis)
        outputs = np.add.outer(outputs * axis.out_size, o).ravel()
        taps = np.add.outer(taps * axis.kernel, k).ravel()
        inputs = np.add.outer(inputs * axis.size, i).ravel()
    order = np.lexsort((taps, outputs))
    found = Pairs(outputs[order], taps[order], inputs[order])
    for array in found:
        array.setflags(write=False)
    return found


def _axis_pairs(axis: AxisWindow) -> tuple[Positions, Positions, Positions]:
    found = [
        (o, k, i)
        for o in range(axis.out_size)
        for k, i in zip(axis.kernel_taps_inside(o), axis.taps_inside(o), strict=True)
    ]
    o, k, i = np.array(found, np.int64).reshape(-1, 3).T
    return o, k, i


def tap_table(axes: tuple[AxisWindow, ...], values: Positions, absent: int) -> Positions:
    """Lay values, one for each pair, out as (outputs, taps); ``absent`` where there is no pair.

    The table is read-only.
    """
    shape = math.prod(a.out_size for a in axes), math.prod(a.kernel for a in axes)
    table = np.full(shape, absent, np.int64)
    pairs = pairs_of(axes)
    table[pairs.outputs, pairs.taps] = values
    table.setflags(write=False)
    return table
