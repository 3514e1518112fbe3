"""The entries of a layer's matrix: at which row and column stands which weight."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.errors import MissingExtraError, message
from faltung.geometry import ConvWindow
from faltung.geometry.checks import refuse
from faltung.ops.pairs import Positions, pairs_of

Array = NDArray[Any]

LARGEST: int = 2**28
"""Entries of the largest matrix that is laid out: 2 GiB of float64."""


class Entries(NamedTuple):
    """A layer's matrix, entry by entry: rows, columns, and positions in its flattened weights.

    Rows count the outputs (O, *out) and columns the inputs (C, *space), both in row-major order:
    ``y.ravel() == matrix @ x.ravel()`` for one image. Entries that share a weight are tied.
    """

    rows: Positions
    columns: Positions
    weights: Positions
    shape: tuple[int, int]

    def tied(self) -> Positions:
        """Return the matrix of positions in the weights; -1 where there is none."""
        check_size(self.shape)
        table = np.full(self.shape, -1, np.int64)
        table[self.rows, self.columns] = self.weights
        return table

    def dense(self, weights: ArrayLike) -> Array:
        """Return the matrix as an array, in the weights' dtype."""
        check_size(self.shape)
        flat = np.asarray(weights).ravel()
        matrix = np.zeros(self.shape, flat.dtype)
        matrix[self.rows, self.columns] = flat[self.weights]
        return matrix

    def sparse(self, weights: ArrayLike) -> Any:
        """Return the matrix as a ``scipy.sparse.csr_array``.

        Raises
        ------
        MissingExtraError
            SciPy is not installed.
        """
        try:
            from scipy import sparse
        except ImportError as error:
            rule = "sparse matrices need SciPy"
            cure = "Run: pip install scipy"
            raise MissingExtraError(message("matrix", rule, {}, cure)) from error
        values = np.asarray(weights).ravel()[self.weights]
        return sparse.csr_array((values, (self.rows, self.columns)), shape=self.shape)


def entries_of(window: ConvWindow, own: bool = False) -> Entries:
    """Return the entries of a convolution's matrix, for one image.

    Parameters
    ----------
    window
        The geometry; its batch is not looked at.
    own
        Whether each output position has weights of its own: local connection. The weights are
        then (O, C / groups, pairs) instead of (O, C / groups, *kernel).
    """
    check_count(window.connections(padding=False))
    pairs = pairs_of(window.axes)
    out, space = math.prod(window.out_space), math.prod(window.space)
    co = np.arange(window.out_channels)[:, None, None]
    ci = np.arange(window.group_in)[:, None]
    first = co // max(window.group_out, 1) * window.group_in
    taps = np.arange(len(pairs.taps)) if own else pairs.taps
    each = len(taps) if own else math.prod(window.kernel)
    found = np.broadcast_arrays(
        co * out + pairs.outputs,
        (first + ci) * space + pairs.inputs,
        (co * window.group_in + ci) * each + taps,
    )
    rows, columns, weights = (array.ravel() for array in found)
    return Entries(rows, columns, weights, (window.out_channels * out, window.in_channels * space))


def check_size(shape: tuple[int, int]) -> None:
    """Refuse to lay out a matrix that memory would not hold."""
    if math.prod(shape) > LARGEST:
        rule = "this matrix is too large to lay out"
        cure = "Use a smaller size, or a sparse matrix of a local layer"
        refuse("matrix", rule, {"shape": shape}, cure, "matrix M1")


def check_count(entries: int) -> None:
    """Refuse to list more entries than memory would hold."""
    if entries > LARGEST:
        rule = "this matrix has too many entries to list"
        cure = "Use a smaller size; the closed forms have no limit"
        refuse("matrix", rule, {"entries": entries}, cure, "matrix M2")
