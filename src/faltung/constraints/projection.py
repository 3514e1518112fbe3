"""How much of a weight matrix each corner holds: projections, against chance.

The matrices of a corner are a linear space, as many dimensions large as it has parameters. The
nearest of them to any matrix W has, in each group of tied entries, their mean, and zero outside.
These are orthogonal projections: those of the two constraints commute, their product is the
convolution's, and ``‖W‖² = ‖P(W)‖² + ‖W − P(W)‖²``.

Of a matrix of independent normal entries, d of D dimensions hold d/D of the energy on average; the
share is Beta(d/2, (D − d)/2) distributed. That is the chance to compare a trained layer's with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.constraints.corner import CORNERS
from faltung.constraints.square_text import brief
from faltung.constraints.squares import Square
from faltung.geometry.checks import refuse
from faltung.report import AbstractReport, Table

Array = NDArray[Any]


def mean_weights(square: Square, matrix: ArrayLike, corner: str) -> Array:
    """Return the corner's weights that come nearest to a matrix: the means over tied entries.

    Parameters
    ----------
    square
        The size, window and channels.
    matrix : array_like, ``square.shape``
        Any weight matrix; integers become float64.
    corner
        Onto which layer.

    Returns
    -------
    numpy.ndarray, ``square.weight_shape(corner)``
        ``square.matrix(corner, weights)`` is the projection.

    Raises
    ------
    GeometryError
        square S6: a matrix of another shape.

    Examples
    --------
    >>> from faltung.constraints import square
    >>> mean_weights(square((2,), window=0), [[1, 7], [8, 3]], "convolution").tolist()
    [[[2.0]]]
    """
    w = _checked(square, matrix)
    entries = square.entries(corner)
    count = square.parameters(corner)
    held = w[entries.rows, entries.columns]
    sizes = np.bincount(entries.weights, minlength=count)
    mean = np.bincount(entries.weights, held, count) / sizes
    # A second pass takes off what rounding left; equal entries give themselves to the bit.
    mean += np.bincount(entries.weights, held - mean[entries.weights], count) / sizes
    return mean.astype(w.dtype).reshape(square.weight_shape(corner))


def project(square: Square, matrix: ArrayLike, corner: str) -> Array:
    """Return the matrix of a corner that is nearest to a given one.

    The mean over tied entries, zero where the corner has no weight. Projecting again changes no
    bit, and so does the order in which the two constraints are put on.

    Parameters
    ----------
    square
        The size, window and channels.
    matrix : array_like, ``square.shape``
        Any weight matrix; integers become float64.
    corner
        ``"dense"``, ``"shared"``, ``"local"`` or ``"convolution"``.

    Returns
    -------
    numpy.ndarray, ``square.shape``
        A new array.

    Raises
    ------
    GeometryError
        square S6: a matrix of another shape.

    Examples
    --------
    >>> square = Square((3,), ((-1, 1),))
    >>> project(square, [[1, 2, 3], [4, 5, 6], [7, 8, 9]], "convolution").tolist()
    [[5.0, 4.0, 0.0], [6.0, 5.0, 4.0], [0.0, 6.0, 5.0]]
    """
    projected: Array = square.matrix(corner, mean_weights(square, matrix, corner))
    return projected


@dataclass(frozen=True)
class Share:
    """The share of a matrix' energy that one corner explains, and what chance gives.

    Parameters
    ----------
    corner
        Which layer.
    share
        Between 0 and 1: what is left of ``‖W‖²`` when W is projected.
    chance, spread
        The mean and the standard deviation of that share over random matrices.
    """

    corner: str
    share: float
    chance: float
    spread: float

    @property
    def sigmas(self) -> float:
        """By how many standard deviations of chance the share is off it; 0 for the dense layer."""
        return (self.share - self.chance) / self.spread if self.spread else 0.0


@dataclass(frozen=True)
class Explained(AbstractReport):
    """How much of the energy of one weight matrix each corner explains.

    Parameters
    ----------
    square
        The size, window and channels.
    shares
        One for each corner, the dense layer first; ``explained["shared"]`` is one of them.
    """

    square: Square
    shares: tuple[Share, ...]

    def __getitem__(self, corner: str) -> Share:
        return next(share for share in self.shares if share.corner == corner)

    def blocks(self) -> Sequence[Table | str]:
        """Return the table, and what to read from it."""
        header = ("layer", "energy explained", "by chance", "times chance", "sigmas")
        rows = [
            (
                s.corner,
                percent(s.share),
                percent(s.chance),
                brief(s.share / s.chance),
                brief(s.sigmas),
            )
            for s in self.shares
        ]
        text = (
            "Share of ‖W‖² that is left when W is replaced by the nearest matrix of each layer. "
            "Chance is parameters / entries: what a matrix without any structure has."
        )
        return [Table(header, rows), text]

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, fit for JSON."""
        return {
            "size": list(self.square.size),
            "window": [list(pair) for pair in self.square.window],
            "corners": {
                s.corner: {
                    "share": s.share,
                    "chance": s.chance,
                    "spread": s.spread,
                    "sigmas": s.sigmas,
                }
                for s in self.shares
            },
        }


def chance(square: Square, corner: str) -> tuple[float, float]:
    """Return the mean and standard deviation of the share that a random matrix gives.

    Parameters
    ----------
    square
        The size, window and channels.
    corner
        Which layer.

    Examples
    --------
    >>> mean, _ = chance(Square((28, 28), ((-1, 1), (-1, 1))), "convolution")
    >>> f"{mean:.5%}"
    '0.00146%'
    """
    held, all_of_it = square.parameters(corner), math.prod(square.shape)
    mean = held / all_of_it
    return mean, math.sqrt(2 * mean * (1 - mean) / (all_of_it + 2))


def explained(square: Square, matrix: ArrayLike) -> Explained:
    """Return the share of a matrix' energy that each corner explains, against chance.

    Parameters
    ----------
    square
        The size, window and channels.
    matrix : array_like, ``square.shape``
        A weight matrix, such as a trained dense layer's.

    Returns
    -------
    Explained
        A report that prints as a table.

    Raises
    ------
    GeometryError
        square S6: a matrix of another shape. square S7: one that is all zero or not finite.

    Examples
    --------
    >>> square = Square((3,), ((-1, 1),))
    >>> matrix = square.matrix("convolution", [[[1.0, -2.0, 1.0]]])
    >>> explained(square, matrix)["convolution"].share
    1.0
    """
    w = _checked(square, matrix).astype(np.float64)
    scale = float(np.abs(w).max())
    if not 0 < scale < math.inf:
        rule = "the matrix must be finite, and not all of it zero"
        refuse("square", rule, {"largest": scale}, "", "square S7")
    w = w / scale  # so that squares neither overflow nor vanish
    energy = float(np.sum(w * w))
    shares = []
    for corner in CORNERS:
        projected = project(square, w, corner)
        share = float(np.sum(projected * projected)) / energy
        shares.append(Share(corner, share, *chance(square, corner)))
    return Explained(square, tuple(shares))


def percent(share: float) -> str:
    """Return a share in percent, to three digits.

    >>> percent(0.0109394), percent(0.0000146423), percent(1.0)
    ('1.09 %', '0.00146 %', '100 %')
    """
    return np.format_float_positional(float(f"{100 * share:.3g}"), trim="-") + " %"


def _checked(square: Square, matrix: ArrayLike) -> Array:
    w = np.asarray(matrix)
    if w.shape != square.shape:
        values = {"matrix": w.shape, "shape": square.shape}
        rule = "the matrix must have a row for each output and a column for each input"
        refuse("square", rule, values, "", "square S6")
    return w if w.dtype.kind == "f" else w.astype(np.float64)
