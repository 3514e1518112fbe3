"""The square of four corners: a dense layer under none, either or both of two constraints.

A dense layer between two images has a weight for each pair of positions, ``W[i, j, k, l]``. In
terms of offsets it is ``V[i, j, a, b] = W[i, j, i + a, j + b]``. *Translation invariance* says that
V does not depend on (i, j); *locality* that it is zero outside a window of offsets. Neither needs
the other: with neither the layer is dense, with the first shared, with the second locally
connected, with both a convolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.constraints.corner import CORNERS, constraints_of, corner_of
from faltung.constraints.drawing import drawing
from faltung.constraints.entries import Entries, check_count, entries_of
from faltung.constraints.square_text import as_dict, headline, table
from faltung.constraints.window import Offsets, WindowLike, explicit_size, explicit_window
from faltung.geometry import AxisWindow, ConvWindow
from faltung.geometry.checks import refuse
from faltung.report import AbstractReport, Table

LARGEST_DRAWN = 16
"""Rows or columns of the largest matrices that are shown as text."""


@dataclass(frozen=True)
class Square(AbstractReport):
    """The four corners for images of one size: their matrices, and how large these are.

    `square` makes one from windows as they are usually written.

    Parameters
    ----------
    size
        Positions along each of 1 to 3 axes, the same in and out.
    window
        The first and the last offset that locality keeps, both included, for each axis.
    in_channels, out_channels
        Channels of the input and of the output.

    Raises
    ------
    GeometryError
        square S1: not 1 to 3 axes of at least one position. square S2: not one window for each
        axis. square S3: a window that ends before it starts, or holds no offset that the image
        has. square S4: less than one channel.

    Examples
    --------
    >>> square = Square((2, 3), ((-1, 1), (-1, 1)))
    >>> [(c, square.parameters(c), square.nonzeros(c)) for c in CORNERS]
    [('dense', 36, 36), ('shared', 15, 36), ('local', 28, 28), ('convolution', 9, 28)]
    """

    size: tuple[int, ...]
    window: Offsets
    in_channels: int = 1
    out_channels: int = 1

    def __post_init__(self) -> None:
        _check(self)

    @property
    def reach(self) -> Offsets:
        """The window without the offsets that no two positions of the image have."""
        return tuple(
            (max(lo, 1 - n), min(hi, n - 1))
            for n, (lo, hi) in zip(self.size, self.window, strict=True)
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the matrices: outputs (O, *size) and inputs (C, *size)."""
        positions = math.prod(self.size)
        return self.out_channels * positions, self.in_channels * positions

    def offsets(self, corner: str) -> Offsets:
        """Return the first and last offset of each axis that a layer has weights for.

        Parameters
        ----------
        corner
            ``"dense"``, ``"shared"``, ``"local"`` or ``"convolution"``, here and below.
        """
        if constraints_of(corner).local:
            return self.reach
        return tuple((1 - n, n - 1) for n in self.size)

    def layer(self, corner: str) -> ConvWindow:
        """Return the window that slides: the image's own size is kept by its padding.

        A layer that is not local has the window of all offsets there are.

        Parameters
        ----------
        corner
            Which layer.
        """
        axes = tuple(
            AxisWindow(n, kernel=hi - lo + 1, pad_lo=-lo, pad_hi=hi)
            for n, (lo, hi) in zip(self.size, self.offsets(corner), strict=True)
        )
        return ConvWindow(axes, 1, self.in_channels, self.out_channels)

    def weight_shape(self, corner: str) -> tuple[int, ...]:
        """Return the shape of a layer's weights.

        The matrix itself for the dense layer, (O, C, *kernel) for the two that share, (O, C, pairs
        of an output and an input) for the locally connected one.

        Parameters
        ----------
        corner
            Which layer.
        """
        shared, local = constraints_of(corner)
        if not shared and not local:
            return self.shape
        axes = self.layer(corner).axes
        kernel = tuple(a.kernel for a in axes)
        pairs = (math.prod(a.connections(padding=False) for a in axes),)
        return (self.out_channels, self.in_channels, *(kernel if shared else pairs))

    def parameters(self, corner: str) -> int:
        """Return the number of a layer's weights, without biases.

        Parameters
        ----------
        corner
            Which layer.

        Examples
        --------
        >>> Square((1000, 1000), ((-1, 1), (-1, 1))).parameters("shared")
        3996001
        """
        return math.prod(self.weight_shape(corner))

    def nonzeros(self, corner: str) -> int:
        """Return how many entries of a layer's matrix hold a weight: its connections.

        Parameters
        ----------
        corner
            Which layer.
        """
        return self.layer(corner).connections(padding=False)

    def entries(self, corner: str) -> Entries:
        """Return a layer's matrix, entry by entry.

        Parameters
        ----------
        corner
            Which layer.
        """
        shared, local = constraints_of(corner)
        if shared or local:
            return entries_of(self.layer(corner), own=not shared)
        check_count(math.prod(self.shape))
        rows, columns = (index.ravel() for index in np.indices(self.shape))
        return Entries(rows, columns, np.arange(math.prod(self.shape)), self.shape)

    def tied(self, corner: str) -> NDArray[np.int64]:
        """Return which weight stands at each entry of the matrix: equal numbers are tied.

        Positions in the flattened weights; -1 where the matrix is zero.

        Parameters
        ----------
        corner
            Which layer.

        Examples
        --------
        >>> Square((3,), ((-1, 1),)).tied("convolution").tolist()
        [[1, 2, -1], [0, 1, 2], [-1, 0, 1]]
        """
        return self.entries(corner).tied()

    def aligned(self, corner: str) -> NDArray[np.int64]:
        """Return `tied`, but a local layer's weights have the numbers of the layer that is not.

        So that letters and hues say which weights locality leaves.

        Parameters
        ----------
        corner
            Which layer.

        Examples
        --------
        >>> Square((3,), ((-1, 1),)).aligned("convolution").tolist()
        [[2, 3, -1], [1, 2, 3], [-1, 1, 2]]
        """
        everywhere = corner_of(shared=constraints_of(corner).shared, local=False)
        return np.where(self.tied(corner) < 0, -1, self.tied(everywhere))

    def matrix(self, corner: str, weights: ArrayLike, *, sparse: bool = False) -> Any:
        """Return a layer's matrix for given weights.

        Parameters
        ----------
        corner
            Which layer.
        weights : array_like, `weight_shape` of the corner
            As the layers of `faltung.constraints.CornerLayer` hold them.
        sparse
            Return a ``scipy.sparse.csr_array`` instead of an array.

        Returns
        -------
        numpy.ndarray or scipy.sparse.csr_array, `shape`
            ``y.ravel() == matrix @ x.ravel()``, in the dtype of the weights.

        Raises
        ------
        GeometryError
            square S5: weights of another shape. matrix M1, M2: too large.
        MissingExtraError
            Sparse, and SciPy is not installed.

        Examples
        --------
        >>> Square((3,), ((-1, 1),)).matrix("convolution", [[[1, 10, 100]]]).tolist()
        [[10, 100, 0], [1, 10, 100], [0, 1, 10]]
        """
        weights, wanted = np.asarray(weights), self.weight_shape(corner)
        if weights.shape != wanted:
            values = {"corner": corner, "weights": weights.shape, "weight_shape": wanted}
            rule = "weights must have the shape that the corner's have"
            refuse("square", rule, values, "", "square S5")
        entries = self.entries(corner)
        return entries.sparse(weights) if sparse else entries.dense(weights)

    @property
    def is_small(self) -> bool:
        """Whether the matrices fit on a terminal."""
        return max(self.shape) <= LARGEST_DRAWN

    def drawing(self, *, colour: bool = False) -> str:
        """Return the four matrices as text: one letter for each weight, a dot for zero.

        Parameters
        ----------
        colour
            Whether to give each letter its colour, by the codes of terminals.
        """
        return drawing({corner: self.aligned(corner) for corner in CORNERS}, colour=colour)

    def blocks(self) -> Sequence[Table | str]:
        """Return what it is about, the table of the corners, and their matrices if small."""
        return [headline(self), table(self), *([self.drawing()] if self.is_small else [])]

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, fit for JSON."""
        return as_dict(self)


def square(
    size: Sequence[int],
    window: WindowLike = 1,
    *,
    in_channels: int = 1,
    out_channels: int = 1,
) -> Square:
    """Return the four corners between a dense layer and a convolution, for one size of image.

    Parameters
    ----------
    size : ints
        Positions along each of 1 to 3 axes.
    window : int, pair or one pair for each axis
        Which offsets locality keeps: ``1`` and ``(-1, 1)`` are -1, 0 and 1 on every axis,
        ``((-1, 1), (0, 1))`` differs by axis.
    in_channels, out_channels : int
        Channels of the input and of the output.

    Returns
    -------
    Square
        A report that prints as a table, and the matrices.

    Raises
    ------
    GeometryError
        square S1 to S4.

    Examples
    --------
    >>> corners = square((3, 3), window=(0, 1)).to_dict()["corners"]
    >>> {name: (c["parameters"], c["nonzeros"]) for name, c in corners.items()}
    {'dense': (81, 81), 'shared': (25, 81), 'local': (25, 25), 'convolution': (4, 25)}
    """
    sizes = explicit_size(size)
    return Square(sizes, explicit_window(window, len(sizes)), in_channels, out_channels)


def _check(square: Square) -> None:
    explicit_size(square.size)
    explicit_window(square.window, len(square.size))
    if any(lo > hi for lo, hi in square.reach):
        rule = "window must hold an offset that the image has on every axis, first to last"
        values = {"window": square.window, "size": square.size}
        refuse("square", rule, values, "Use window=(-1, 1)", "square S3")
    if min(square.in_channels, square.out_channels) < 1:
        rule = "channels must be at least 1"
        channels = {"in_channels": square.in_channels, "out_channels": square.out_channels}
        refuse("square", rule, channels, "", "square S4")
