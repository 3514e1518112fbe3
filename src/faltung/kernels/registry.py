"""One row per kernel: what it computes, when it applies, its block and its error bound.

A row names its function by string, so that the table can be read without what the function
needs. The tests, and the benchmarks, are made from this table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import ConvWindow, PoolWindow

Window = ConvWindow | PoolWindow
Kernel = Callable[..., NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Row:
    """A kernel.

    Parameters
    ----------
    name : str
        ``<op>_<algorithm>_<dtype>_<layout>``; also what ``FALTUNG_KERNEL`` takes.
    operation : str
        What it computes: a function of `faltung.ops.dispatch`.
    function : str
        ``module:function``, called as ``function(window, *arrays)``.
    applies : callable
        Whether the row takes this window and dtype; from these alone, never from values.
    terms : callable
        How many rounded terms, at most, one output of a window sums.
    block : int
        Outputs on each axis whose rounding depends on one another's inputs: 1 for direct sums.
    is_compiled : bool
        Whether it needs machine code: where nothing can be compiled it is passed over.
    pays : callable, optional
        Where it is the faster one; elsewhere it is taken by its name alone.
    is_exact : bool
        Whether its error is that of direct summation; ``exact=True`` keeps to such rows.
    growth : callable, optional
        By how much more than direct summation a window's algorithm may round.
    packs : str
        ``module:function``, called as ``function(window, w)``: the weights in the order in which
        the row reads them, which it takes as ``packed=``. Empty for a row that takes them as
        they are.
    fuses : bool
        Whether it takes an ``epilogue=``: what is done to each output before it is stored.
    """

    name: str
    operation: str
    function: str
    applies: Callable[[Window, np.dtype[Any]], bool]
    terms: Callable[[Window], int]
    block: int = 1
    is_compiled: bool = False
    pays: Callable[[Window], bool] = lambda window: True
    is_exact: bool = True
    growth: Callable[[Window], float] = lambda window: 1.0
    packs: str = ""
    fuses: bool = False

    def load(self) -> Kernel:
        """The function itself; its module is imported here."""
        return _function(self.function)

    def error_bound(self, window: Window, dtype: np.dtype[Any]) -> float:
        """The c in ``|error| ≤ c · Σ|terms|``, for every output: `gamma` of the terms summed.

        Where outputs share their rounding (``block > 1``), Σ|terms| is ``max|x| · Σ|w|``, the
        largest number that the block reads at all, times the growth of the algorithm.
        """
        return gamma(self.terms(window), dtype) * self.growth(window)


def gamma(terms: int, dtype: np.dtype[Any]) -> float:
    """``γ_k = k·u / (1 - k·u)``, u the unit roundoff of `dtype`; infinite where ``k·u ≥ 1``.

    Bounds the error of a sum of k products in any order, fused or not: N. Higham, *Accuracy and
    Stability of Numerical Algorithms*, 2nd edition, section 3.1.

    >>> gamma(9, np.dtype(np.float64)) * 2**53
    9.000000000000009
    """
    ku = terms * float(np.finfo(dtype).eps) / 2
    return ku / (1 - ku) if ku < 1 else float("inf")


@cache
def _function(name: str) -> Kernel:
    module, _, function = name.partition(":")
    kernel: Kernel = getattr(import_module(module), function)
    return kernel


def _is_float(window: Window, dtype: np.dtype[Any]) -> bool:
    return dtype in (np.float32, np.float64)


def _adjoint_is_cheaper(window: Window, dtype: np.dtype[Any]) -> bool:
    """Copying a column costs about half of adding one back, and dout has other channels than x.

    Adding back goes tap by tap: of a large kernel there are too many for that.
    """
    return (
        isinstance(window, ConvWindow)
        and _is_float(window, dtype)
        and set(window.stride) == {1}
        and 0 not in window.out_space
        and (window.out_channels <= 2 * window.in_channels or prod(window.kernel) > 128)
    )


def _conv_terms(window: Window) -> int:
    assert isinstance(window, ConvWindow)
    return window.reduction + 1  # the bias


def _conv_dx_terms(window: Window) -> int:
    assert isinstance(window, ConvWindow)
    return window.group_out * prod(window.kernel)


def _conv_dw_terms(window: Window) -> int:
    assert isinstance(window, ConvWindow)
    return window.batch * prod(window.out_space) + 1  # rounded once more, from float64


def _no_terms(window: Window) -> int:
    return 0


def _taps(window: Window) -> int:
    return prod(axis.kernel for axis in window.axes)


def _mean_terms(window: Window) -> int:
    return _taps(window) + 1  # the division


def _outweighs_packing(window: Window) -> bool:
    """Weights are put into another order at each call: few of them, or each is used often.

    An image's own size decides, never the batch: an image has the same bits in any batch.
    """
    assert isinstance(window, ConvWindow)
    return prod(window.w_shape) <= 1 << 16 or prod(window.out_space) >= 150


def _fits_strips(window: Window, dtype: np.dtype[Any]) -> bool:
    """Strips hold the gaps of a window too, and where they lie is kept in 64 bits.

    A file may ask for any dilation, stride and padding; what is mostly gaps goes another way.
    """
    return _is_float(window, dtype) and all(
        axis.extent <= axis.size + 64 and max(axis.stride, abs(axis.pad_lo)) < 1 << 31
        for axis in window.axes
    )


def _compiled(name: str, operation: str, function: str, terms: Callable[[Window], int]) -> Row:
    return Row(
        name,
        operation,
        f"faltung.kernels.{function}",
        _fits_strips,
        terms,
        is_compiled=True,
        pays=_outweighs_packing,
    )


_CONV = "faltung.kernels.numpy_conv:"
_POOL = "faltung.kernels.numpy_pool:"

# For each operation the first row that applies and pays is taken.
ROWS: tuple[Row, ...] = (
    _compiled("conv_direct_any_nchw", "conv", "direct_call:conv", _conv_terms),
    Row("conv_im2col_any_nchw", "conv", _CONV + "conv", _is_float, _conv_terms),
    _compiled("conv_dx_direct_any_nchw", "conv_dx", "direct_dx:conv_dx", _conv_dx_terms),
    Row(
        "conv_dx_adjoint_any_nchw",
        "conv_dx",
        _CONV + "conv_dx_adjoint",
        _adjoint_is_cheaper,
        _conv_dx_terms,
    ),
    Row("conv_dx_col2im_any_nchw", "conv_dx", _CONV + "conv_dx", _is_float, _conv_dx_terms),
    _compiled("conv_dw_direct_any_nchw", "conv_dw", "direct_dw_call:conv_dw", _conv_dw_terms),
    Row("conv_dw_im2col_any_nchw", "conv_dw", _CONV + "conv_dw", _is_float, _conv_dw_terms),
    Row("max_pool_taps_any_nchw", "max_pool", _POOL + "max_pool", _is_float, _no_terms),
    Row("max_pool_dx_taps_any_nchw", "max_pool_dx", _POOL + "max_pool_dx", _is_float, _taps),
    Row("avg_pool_taps_any_nchw", "avg_pool", _POOL + "avg_pool", _is_float, _mean_terms),
    Row("avg_pool_dx_taps_any_nchw", "avg_pool_dx", _POOL + "avg_pool_dx", _is_float, _mean_terms),
)


def rows_of(operation: str) -> tuple[Row, ...]:
    """The rows that compute `operation`, the preferred first."""
    return tuple(row for row in ROWS if row.operation == operation)
