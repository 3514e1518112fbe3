"""A convolution as a matrix: sparse, tied, doubly block-Toeplitz.

Row (co, o), column (ci, i) holds ``w[co, ci, k]`` where ``i = o stride + k dilation - pad_lo``, and
zero where no k is such. So one block for each output and input channel, each of blocks for each
output and input row, each of which is constant along its diagonals: one output further is
``stride`` inputs further. The transpose is the matrix of the transposed convolution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.constraints.drawing import drawing
from faltung.constraints.entries import Entries, entries_of
from faltung.geometry import ConvWindow, PaddingLike
from faltung.geometry.checks import refuse
from faltung.report import AbstractReport, Table

Array = NDArray[Any]
Ints = int | Sequence[int]
LARGEST_DRAWN = 36
"""Rows or columns of the largest matrix that is shown as text."""


@dataclass(frozen=True)
class ConvMatrix(AbstractReport):
    """The matrix of one convolution on images of one size; make it with `of`.

    Parameters
    ----------
    window
        The geometry; its batch is not looked at.
    """

    window: ConvWindow

    @classmethod
    def of(
        cls,
        size: Sequence[int],
        w_shape: Sequence[int],
        *,
        stride: Ints = 1,
        padding: PaddingLike = 0,
        dilation: Ints = 1,
        groups: int = 1,
    ) -> ConvMatrix:
        """Return the matrix of a convolution.

        Parameters
        ----------
        size : ints
            Positions along each of 1 to 3 axes of the input.
        w_shape : ints
            ``(O, C / groups, *kernel)``.
        stride, padding, dilation, groups
            As of `faltung.conv`.

        Raises
        ------
        GeometryError
            Those of `faltung.conv`: conv C1 to C13.

        Examples
        --------
        >>> matrix = ConvMatrix.of((6, 6), (1, 1, 3, 3))
        >>> matrix.shape, matrix.nonzeros, matrix.row_nonzeros
        ((16, 36), 144, (9, 9))
        """
        channels = w_shape[1] * groups if len(w_shape) > 1 else 1
        window = ConvWindow.of(
            (1, channels, *size),
            w_shape,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        )
        return cls(window)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows (outputs) and columns (inputs), of one image."""
        return prod(self.window.out_shape[1:]), prod(self.window.x_shape[1:])

    @property
    def parameters(self) -> int:
        """How many different weights there are."""
        return prod(self.window.w_shape)

    @property
    def nonzeros(self) -> int:
        """How many entries hold a weight: the connections that do not end on padding."""
        return self.window.connections(padding=False)

    @property
    def row_nonzeros(self) -> tuple[int, int]:
        """The fewest and the most weights in one row; fewer than the kernel has at the border."""
        by_axis = [
            [len(axis.kernel_taps_inside(o)) for o in range(axis.out_size)]
            for axis in self.window.axes
        ]
        least = prod(min(taps, default=0) for taps in by_axis)
        most = prod(max(taps, default=0) for taps in by_axis)
        return self.window.group_in * least, self.window.group_in * most

    def entries(self) -> Entries:
        """Return the matrix, entry by entry."""
        return entries_of(self.window)

    def tied(self) -> NDArray[np.int64]:
        """Return which weight stands at each entry, as its position in ``w.ravel()``; else -1."""
        return self.entries().tied()

    def matrix(self, w: ArrayLike, *, sparse: bool = False) -> Any:
        """Return the matrix of a convolution with the filters ``w``.

        Parameters
        ----------
        w : array_like, (O, C / groups, *kernel)
            The filters.
        sparse
            Return a ``scipy.sparse.csr_array`` instead of an array.

        Raises
        ------
        GeometryError
            matrix M1, M2: too large. matrix M3: ``w`` has another shape.
        MissingExtraError
            Sparse, and SciPy is not installed.
        """
        w = np.asarray(w)
        if w.shape != self.window.w_shape:
            values = {"w": w.shape, "w_shape": self.window.w_shape}
            rule = "w must have the shape of the layer's filters"
            refuse("matrix", rule, values, "", "matrix M3")
        return self.entries().sparse(w) if sparse else self.entries().dense(w)

    def blocks(self) -> Sequence[Table | str]:
        """Return the figures as a table, what its blocks are, and the matrix if it is small."""
        least, most = self.row_nonzeros
        per_row = f"{most}" if least == most else f"{least} to {most}"
        rows = [
            ("rows (outputs)", f"{self.shape[0]:,}"),
            ("columns (inputs)", f"{self.shape[1]:,}"),
            ("entries", f"{prod(self.shape):,}"),
            ("non-zeros", f"{self.nonzeros:,}"),
            ("non-zeros in a row", per_row),
            ("different weights", f"{self.parameters:,}"),
        ]
        drawn = [self.drawing()] if self.is_small else []
        return [Table(("the layer as a matrix", ""), rows), self._structure(), *drawn]

    @property
    def is_small(self) -> bool:
        """Whether the matrix fits on a terminal, and there is one."""
        return min(self.shape) > 0 and max(self.shape) <= LARGEST_DRAWN

    def _structure(self) -> str:
        window = self.window
        sizes = zip(window.out_space, window.space, strict=True)
        nested = " of ".join(f"{out} × {size}" for out, size in sizes)
        strides = " and ".join(str(s) for s in dict.fromkeys(window.stride))
        return (
            f"{window.out_channels} × {window.in_channels} blocks, one for each pair of channels, "
            f"nested by axis: {nested}. "
            f"Along every axis, one output further is {strides} input{'s' * (strides != '1')} "
            "further (Toeplitz). The transpose is the transposed convolution."
        )

    def drawing(self, *, colour: bool = False) -> str:
        """Return the matrix as text: one letter for each weight, a dot for zero.

        Parameters
        ----------
        colour
            Whether to give each letter its colour, by the codes of terminals.
        """
        rows, columns = self.shape
        return drawing({f"{rows} × {columns}": self.tied()}, colour=colour)

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, fit for JSON."""
        least, most = self.row_nonzeros
        return {
            "x": list(self.window.x_shape[1:]),
            "w": list(self.window.w_shape),
            "out": list(self.window.out_shape[1:]),
            "matrix": list(self.shape),
            "nonzeros": self.nonzeros,
            "row_nonzeros": [least, most],
            "parameters": self.parameters,
        }


def conv_matrix(
    w: ArrayLike,
    size: Sequence[int],
    *,
    stride: Ints = 1,
    padding: PaddingLike = 0,
    dilation: Ints = 1,
    groups: int = 1,
    sparse: bool = False,
) -> Any:
    """Return the matrix that does what ``faltung.conv`` does with the filters ``w``.

    ``conv(x, w).ravel() == conv_matrix(w, size) @ x.ravel()`` for one image x. Its transpose does
    what `faltung.conv_transpose` does with the same arguments.

    Parameters
    ----------
    w : array_like, (O, C / groups, *kernel)
        The filters.
    size : ints
        Positions along each axis of the input.
    stride, padding, dilation, groups
        As of `faltung.conv`.
    sparse : bool
        Return a ``scipy.sparse.csr_array`` instead of an array.

    Returns
    -------
    numpy.ndarray or scipy.sparse.csr_array, (outputs, inputs)
        In the dtype of ``w``.

    Raises
    ------
    GeometryError
        Those of `faltung.conv`; matrix M1, M2: too large.
    MissingExtraError
        Sparse, and SciPy is not installed.

    Examples
    --------
    >>> conv_matrix([[[1, 2, 3]]], (4,), stride=2, padding=1).tolist()
    [[2, 3, 0, 0], [0, 1, 2, 3]]
    """
    w = np.asarray(w)
    made = ConvMatrix.of(
        size, w.shape, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    return made.matrix(w, sparse=sparse)
