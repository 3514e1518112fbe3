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

from faltung.constraints.corner import Corner
from faltung.constraints.drawing import drawing
from faltung.constraints.entries import Entries, check_count, entries_of
from faltung.constraints.window import (
    Offsets,
    WindowLike,
    explicit_size,
    explicit_window,
    refuse,
)
from faltung.geometry import AxisWindow, ConvWindow
from faltung.report import AbstractReport, Table

Array = NDArray[Any]


@dataclass(frozen=True)
class Square(AbstractReport):
    """The four corners for images of one size: their matrices, and how large these are.

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
    >>> [(str(c), square.parameters(c), square.nonzeros(c)) for c in Corner]
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
        """Return the first and last offset of each axis that a corner has weights for."""
        if Corner(corner).is_local:
            return self.reach
        return tuple((1 - n, n - 1) for n in self.size)

    def layer(self, corner: str) -> ConvWindow:
        """Return the window that slides: the image's own size is kept by its padding.

        A layer that is not local has the window of all offsets there are.
        """
        axes = tuple(
            AxisWindow(n, kernel=hi - lo + 1, pad_lo=-lo, pad_hi=hi)
            for n, (lo, hi) in zip(self.size, self.offsets(corner), strict=True)
        )
        return ConvWindow(axes, 1, self.in_channels, self.out_channels)

    def weight_shape(self, corner: str) -> tuple[int, ...]:
        """Return the shape of a corner's weights.

        The matrix itself for the dense layer, (O, C, *kernel) for the two that share, (O, C, pairs
        of an output and an input) for the locally connected one.
        """
        channels = self.out_channels, self.in_channels
        if corner == Corner.DENSE:
            return self.shape
        if corner == Corner.LOCAL:
            axes = self.layer(corner).axes
            return (*channels, math.prod(a.connections(padding=False) for a in axes))
        return (*channels, *self.layer(corner).kernel)

    def parameters(self, corner: str) -> int:
        """Count a corner's weights, without biases.

        >>> Square((1000, 1000), ((-1, 1), (-1, 1))).parameters("shared")
        3996001
        """
        return math.prod(self.weight_shape(corner))

    def nonzeros(self, corner: str) -> int:
        """Count the entries of a corner's matrix that hold a weight: its connections."""
        return self.layer(corner).connections(padding=False)

    def entries(self, corner: str) -> Entries:
        """Return a corner's matrix, entry by entry."""
        if corner != Corner.DENSE:
            return entries_of(self.layer(corner), own=corner == Corner.LOCAL)
        check_count(math.prod(self.shape))
        rows, columns = (index.ravel() for index in np.indices(self.shape))
        return Entries(rows, columns, np.arange(math.prod(self.shape)), self.shape)

    def tied(self, corner: str) -> NDArray[np.int64]:
        """Return which weight stands at each entry of the matrix: equal numbers are tied.

        Positions in the flattened weights; -1 where the matrix is zero.

        >>> Square((3,), ((-1, 1),)).tied("convolution").tolist()
        [[1, 2, -1], [0, 1, 2], [-1, 0, 1]]
        """
        return self.entries(corner).tied()

    def matrix(self, corner: str, weights: ArrayLike, *, sparse: bool = False) -> Any:
        """Return a corner's matrix for given weights.

        Parameters
        ----------
        corner
            ``"dense"``, ``"shared"``, ``"local"`` or ``"convolution"``.
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
            values = {"weights": weights.shape, "weight_shape": wanted}
            rule = f"weights of the {Corner(corner)} corner must have its shape"
            refuse(rule, values, "", "square S5")
        entries = self.entries(corner)
        return entries.sparse(weights) if sparse else entries.dense(weights)

    def blocks(self) -> Sequence[Table | str]:
        """Return what it is about, the table of the corners, and their matrices if small."""
        size, window = _times(self.size), _shown(self.window)
        first = (
            f"A layer from {self.in_channels} × {size} to {self.out_channels} × {size} numbers. "
            f"Local: offsets {window} only."
        )
        drawn = [self.drawing()] if self.is_small else []
        return [first, self._table(), *drawn]

    def _table(self) -> Table:
        dense = self.parameters(Corner.DENSE)
        rows = []
        for corner in Corner:
            count = self.parameters(corner)
            marks = ["yes" if holds else "no" for holds in (corner.shares, corner.is_local)]
            cells = [f"{count:,}", f"{self.nonzeros(corner):,}", ratio(dense, count)]
            rows.append([str(corner), *marks, *cells])
        header = ("layer", "shared", "local", "parameters", "non-zeros", "times fewer parameters")
        return Table(header, rows, left=(0, 1, 2))

    @property
    def is_small(self) -> bool:
        """Whether the matrices fit on a terminal."""
        return max(self.shape) <= 16

    def drawing(self, *, colour: bool = False) -> str:
        """Return the four matrices as text: one letter for each weight, a dot for zero."""
        return drawing({str(c): self.tied(c) for c in Corner}, colour=colour)

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, fit for JSON."""
        dense = self.parameters(Corner.DENSE)
        corners = {
            str(corner): {
                "shared": corner.shares,
                "local": corner.is_local,
                "weight_shape": list(self.weight_shape(corner)),
                "parameters": self.parameters(corner),
                "nonzeros": self.nonzeros(corner),
                "times_fewer": dense / self.parameters(corner),
            }
            for corner in Corner
        }
        return {
            "size": list(self.size),
            "window": [list(pair) for pair in self.window],
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "matrix": list(self.shape),
            "corners": corners,
        }


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
    channels = square.in_channels, square.out_channels
    explicit_size(square.size)
    explicit_window(square.window, len(square.size))
    if any(lo > hi for lo, hi in square.reach):
        rule = "window must hold an offset that the image has on every axis, first to last"
        values: dict[str, object] = {"window": square.window, "size": square.size}
        refuse(rule, values, "Use window=(-1, 1)", "square S3")
    if min(channels) < 1:
        rule = "channels must be at least 1"
        values = {"in_channels": channels[0], "out_channels": channels[1]}
        refuse(rule, values, "", "square S4")


def ratio(more: int, less: int) -> str:
    """Return how many times ``more`` is as much as ``less``, as text.

    >>> ratio(16, 9), ratio(10**12, 3996001)
    ('1.8', '250,250')
    """
    return f"{more / less:,.1f}" if more < 100 * less else f"{more / less:,.0f}"


def _times(sizes: Sequence[int]) -> str:
    return " × ".join(str(n) for n in sizes)


def _shown(window: Offsets) -> str:
    return ", ".join(f"{lo}..{hi}" for lo, hi in window)
