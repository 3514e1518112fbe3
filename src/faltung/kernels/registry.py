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
from faltung.kernels import (
    depthwise_cost,
    direct_cost,
    filter_cost,
    polyphase_cost,
    pooling_cost,
    winograd_cost,
    winograd_dw_cost,
)
from faltung.kernels.toom_form import FOUR

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
    costs : str
        ``module:function`` of `cycles`, called as ``function(window, dtype, is_prepared)``. A row
        without one is taken by its name alone.
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
    replays : bool
        Whether all that it does with arrays is to launch kernels, so that a call can be repeated
        for others of the same shapes; see `faltung.kernels.replay`.
    """

    name: str
    operation: str
    function: str
    applies: Callable[[Window, np.dtype[Any]], bool]
    terms: Callable[[Window], int]
    block: int = 1
    is_compiled: bool = False
    costs: str = ""
    is_exact: bool = True
    growth: Callable[[Window], float] = lambda window: 1.0
    packs: str = ""
    fuses: bool = False
    replays: bool = False

    def load(self) -> Kernel:
        """The function itself; its module is imported here."""
        return loaded(self.function)

    def pack(self, window: Window, w: NDArray[Any]) -> NDArray[Any]:
        """The weights in the order in which the row reads them, for its ``packed=``."""
        packed: NDArray[Any] = loaded(self.packs)(window, w)
        return packed

    def cycles(self, window: Window, dtype: np.dtype[Any], is_prepared: bool = False) -> float:
        """Estimate one image's cycles on one core with AVX-512; see `faltung.kernels.cost`.

        From the geometry alone: neither the batch nor threads have a part in it. Where the weights
        are prepared, bringing them into the row's order is not counted.
        """
        if not self.costs:
            return float("inf")
        estimate: Callable[..., float] = loaded(self.costs)
        return float(estimate(window, dtype, is_prepared))

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
def loaded(name: str) -> Callable[..., Any]:
    """Return ``module:function``; its module is imported."""
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


def _is_float(window: Window, dtype: np.dtype[Any]) -> bool:
    return dtype in (np.float32, np.float64)


def _has_adjoint(window: Window, dtype: np.dtype[Any]) -> bool:
    return (
        isinstance(window, ConvWindow)
        and _is_float(window, dtype)
        and set(window.stride) == {1}
        and 0 not in window.out_space
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


def _fits_strips(window: Window, dtype: np.dtype[Any]) -> bool:
    """Strips hold the gaps of a window too, and where they lie is kept in 64 bits.

    A file may ask for any dilation, stride and padding; what is mostly gaps goes another way.
    """
    return _is_float(window, dtype) and all(
        axis.extent <= axis.size + 64 and max(axis.stride, abs(axis.pad_lo)) < 1 << 31
        for axis in window.axes
    )


def _compiled(name: str, function: str, terms: Callable[[Window], int]) -> Row:
    """Return the row of a direct kernel; its estimate has the operation's and its name."""
    operation = name.rpartition("_")[0]
    return Row(
        f"{name}_any_nchw",
        operation,
        f"faltung.kernels.{function}",
        _fits_strips,
        terms,
        is_compiled=True,
        costs=_COST + name,
        fuses=operation == "conv",
        replays=operation == "conv",
    )


def _numpy(
    name: str,
    terms: Callable[[Window], int],
    function: str = "",
    applies: Callable[[Window, np.dtype[Any]], bool] = _is_float,
) -> Row:
    """Return the row of a NumPy kernel, in the module of convolutions."""
    operation = name.rpartition("_")[0]
    function = f"faltung.kernels.numpy_conv:{function or operation}"
    return Row(f"{name}_any_nchw", operation, function, applies, terms, costs=_COST + name)


def _pool(operation: str, terms: Callable[[Window], int]) -> Row:
    function = f"faltung.kernels.numpy_pool:{operation}"
    costs = _COST + ("pool_dx_taps" if operation.endswith("dx") else "pool_taps")
    return Row(f"{operation}_taps_any_nchw", operation, function, _is_float, terms, costs=costs)


def _pointwise() -> Row:
    """Return the row of kernels of one position."""
    return Row(
        "conv_pointwise_any_nchw",
        "conv",
        "faltung.kernels.pointwise_call:conv",
        direct_cost.is_pointwise,  # type: ignore[arg-type]
        _conv_terms,
        is_compiled=True,
        costs="faltung.kernels.direct_cost:conv_pointwise",
        fuses=True,
        replays=True,
    )


def _blocked(operation: str, packs: str, terms: Callable[[Window], int]) -> Row:
    """Return the row of convolutions with channels in the lanes."""
    is_forward = operation == "conv"
    return Row(
        f"{operation}_blocked_any_nchw",
        operation,
        f"faltung.kernels.blocked_call:{operation}",
        _fits_strips,
        terms,
        is_compiled=True,
        costs=f"faltung.kernels.direct_cost:{operation}_blocked",
        packs=f"faltung.kernels.blocked_call:{packs}",
        fuses=True,
        replays=is_forward,
    )


def _winograd(operation: str, outputs: int) -> Row:
    """Return the row of a convolution, or its gradient to the input, in Winograd's form."""
    is_forward = operation == "conv"
    name, module = f"f{outputs}", "faltung.kernels.winograd_call:"
    terms = winograd_cost.terms if is_forward else winograd_cost.dx_terms
    return Row(
        f"{operation}_winograd_{name}_any_nchw",
        operation,
        f"{module}{operation}_{name}",
        lambda window, dtype: winograd_cost.applies(window, dtype, outputs),
        lambda window: terms(window, outputs),  # type: ignore[arg-type]
        block=outputs,
        is_compiled=True,
        costs=f"faltung.kernels.winograd_cost:{'' if is_forward else 'dx_'}{name}",
        is_exact=False,
        growth=lambda window: winograd_cost.growth(window, outputs),  # type: ignore[arg-type]
        packs=f"{module}pack_{name}" if is_forward else "",
        fuses=is_forward,
        replays=True,
    )


def _winograd_dw(outputs: int, taps: int) -> Row:
    """Return the row of the weights' gradient in Winograd's form."""
    return Row(
        f"conv_dw_winograd_f{outputs}_any_nchw",
        "conv_dw",
        "faltung.kernels.winograd_dw_call:conv_dw",
        lambda window, dtype: winograd_dw_cost.applies(window, dtype, taps),
        winograd_dw_cost.terms,  # type: ignore[arg-type]
        block=taps,
        is_compiled=True,
        costs="faltung.kernels.winograd_dw_cost:cycles",
        is_exact=False,
        growth=winograd_dw_cost.growth,  # type: ignore[arg-type]
    )


def _depthwise(operation: str, module: str, costs: str, terms: Callable[[Window], int]) -> Row:
    """Return the row of convolutions that keep channels apart."""
    is_forward = operation == "conv"
    return Row(
        f"{operation}_depthwise_any_nchw",
        operation,
        f"faltung.kernels.{module}:{operation}",
        depthwise_cost.applies,
        terms,
        is_compiled=True,
        costs=f"faltung.kernels.depthwise_cost:{costs}",
        fuses=is_forward,
        replays=is_forward,
    )


def _pooling(operation: str, terms: Callable[[Window], int]) -> Row:
    """Return the row of a compiled pooling."""
    costs = "dx_cycles" if operation.endswith("dx") else "cycles"
    return Row(
        f"{operation}_rows_any_nchw",
        operation,
        f"faltung.kernels.pooling_call:{operation}",
        pooling_cost.applies,
        terms,
        is_compiled=True,
        costs=f"faltung.kernels.pooling_cost:{costs}",
    )


def _polyphase(outputs: int) -> Row:
    """Return the row of convolution with stride 2, by tiles of so many outputs a side."""
    module = "faltung.kernels.polyphase_"
    return Row(
        f"conv_polyphase_f{outputs}_any_nchw",
        "conv",
        f"{module}call:conv_f{outputs}",
        polyphase_cost.applies,
        lambda window: polyphase_cost.terms(window, outputs),  # type: ignore[arg-type]
        block=outputs,
        is_compiled=True,
        costs=f"{module}cost:cycles_f{outputs}",
        is_exact=False,
        growth=lambda window: polyphase_cost.growth(window, outputs),  # type: ignore[arg-type]
        packs=f"{module}call:pack_f{outputs}",
        fuses=True,
    )


def _filter() -> Row:
    """Return the row of filters: groups of one input channel."""
    return Row(
        "conv_filter_any_nchw",
        "conv",
        "faltung.kernels.filter_conv:conv",
        filter_cost.applies,
        _conv_terms,
        is_compiled=True,
        costs="faltung.kernels.filter_cost:cycles",
    )


def _toom() -> Row:
    """Return the row of large filters by Toom-Cook."""
    return Row(
        "conv_toom_any_nchw",
        "conv",
        "faltung.kernels.filter_conv:conv_toom",
        filter_cost.applies_toom,
        filter_cost.terms,
        block=FOUR,
        is_compiled=True,
        costs="faltung.kernels.filter_cost:cycles_toom",
        is_exact=False,
        growth=filter_cost.growth,
    )


def _tiles(operation: str, terms: Callable[[Window], int]) -> Row:
    """Return the row of a pooling whose windows tile the input."""
    return Row(
        f"{operation}_tiles_any_nchw",
        operation,
        f"faltung.kernels.pooling_tiles_call:{operation}",
        pooling_cost.is_tiled,
        terms,
        is_compiled=True,
        costs="faltung.kernels.pooling_cost:tile_cycles",
    )


_COST = "faltung.kernels.cost:"

# For each operation the row with the fewest cycles is taken; of equal ones, the first.
ROWS: tuple[Row, ...] = (
    _compiled("conv_direct", "direct_call:conv", _conv_terms),
    _pointwise(),
    _blocked("conv", "packed_weights", _conv_terms),
    _winograd("conv", outputs=4),
    _winograd("conv", outputs=2),
    _polyphase(outputs=4),
    _polyphase(outputs=2),
    _filter(),
    _toom(),
    _numpy("conv_im2col", _conv_terms),
    _compiled("conv_dx_direct", "direct_dx:conv_dx", _conv_dx_terms),
    _blocked("conv_dx", "packed_for_dx", _conv_dx_terms),
    _winograd("conv_dx", outputs=4),
    _winograd("conv_dx", outputs=2),
    _numpy("conv_dx_adjoint", _conv_dx_terms, "conv_dx_adjoint", _has_adjoint),
    _numpy("conv_dx_col2im", _conv_dx_terms),
    _compiled("conv_dw_direct", "direct_dw_call:conv_dw", _conv_dw_terms),
    _numpy("conv_dw_im2col", _conv_dw_terms),
    Row(
        "conv_dw_blocked_any_nchw",
        "conv_dw",
        "faltung.kernels.blocked_dw_call:conv_dw",
        _fits_strips,
        _conv_dw_terms,
        is_compiled=True,
        costs="faltung.kernels.blocked_dw_cost:cycles",
    ),
    _winograd_dw(outputs=4, taps=3),
    _winograd_dw(outputs=2, taps=5),
    _depthwise("conv", "depthwise_call", "cycles", _conv_terms),
    _depthwise("conv_dx", "depthwise_call", "dx_cycles", _conv_dx_terms),
    _depthwise("conv_dw", "depthwise_dw_call", "dw_cycles", _conv_dw_terms),
    _tiles("max_pool", _no_terms),
    _tiles("max_pool_dx", _taps),
    _tiles("avg_pool", _mean_terms),
    _tiles("avg_pool_dx", _mean_terms),
    _pooling("max_pool", _no_terms),
    _pooling("max_pool_dx", _taps),
    _pooling("avg_pool", _mean_terms),
    _pooling("avg_pool_dx", _mean_terms),
    _pool("max_pool", _no_terms),
    _pool("max_pool_dx", _taps),
    _pool("avg_pool", _mean_terms),
    _pool("avg_pool_dx", _mean_terms),
)


def rows_of(operation: str) -> tuple[Row, ...]:
    """The rows that compute `operation`."""
    return tuple(row for row in ROWS if row.operation == operation)
