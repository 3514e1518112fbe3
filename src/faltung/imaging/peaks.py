"""The summits of a map: where it is higher than all around, to a fraction of a pixel."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray


class Peak(NamedTuple):
    """A summit.

    Parameters
    ----------
    row, column : int
        Its pixel.
    height : float
        The value there.
    y, x : float
        Where the parabolas through it and its neighbours are highest.
    """

    row: int
    column: int
    height: float
    y: float
    x: float


def peaks(
    heat: NDArray[Any], *, threshold: float, separation: tuple[float, float], most: int = 1000
) -> list[Peak]:
    """Return the summits of at least `threshold`, the highest first.

    A summit is no lower than its eight neighbours. Of summits less than ``separation`` rows and
    columns apart, both, only the highest stays (non-maximum suppression); of equally high ones
    the first in row-major order.

    Parameters
    ----------
    heat : array, (H, W)
        Finite numbers; ``-inf`` where there can be no summit.
    threshold : float
        The least height.
    separation : (float, float)
        Rows and columns.
    most : int
        How many are returned.
    """
    if not heat.size:
        return []
    framed = np.pad(heat, 1, constant_values=-np.inf)
    around = sliding_window_view(framed, (3, 3)).max(axis=(2, 3))
    rows, columns = np.nonzero((heat >= threshold) & (heat == around) & (heat > -np.inf))
    order = np.argsort(-heat[rows, columns], kind="stable")
    rows, columns = rows[order], columns[order]
    found: list[Peak] = []
    while len(rows) and len(found) < most:
        row, column = int(rows[0]), int(columns[0])
        found.append(_refined(framed, row, column))
        is_far = (abs(rows - row) >= separation[0]) | (abs(columns - column) >= separation[1])
        is_far[0] = False
        rows, columns = rows[is_far], columns[is_far]
    return found


def _refined(framed: NDArray[Any], row: int, column: int) -> Peak:
    cross = framed[row : row + 3, column : column + 3]
    y, x = row + vertex(*cross[:, 1].tolist()), column + vertex(*cross[1].tolist())
    return Peak(row, column, float(cross[1, 1]), y, x)


def vertex(before: float, here: float, after: float) -> float:
    """Where the parabola through three heights at -1, 0 and 1 is highest, within half a pixel.

    0 where a neighbour is missing or all three are level.

    >>> vertex(1, 4, 3), vertex(2, 4, 4), vertex(3, 3, 3), vertex(float("-inf"), 3, 2)
    (0.25, 0.5, 0.0, 0.0)
    """
    bend = 2 * here - before - after
    if not 0 < bend < np.inf:
        return 0.0
    return min(max((after - before) / (2 * bend), -0.5), 0.5)
