"""One row per kernel: what it computes, when it applies, its block and its error bound.

A row names its function by string, so that the table can be read without what the function
needs. The tests, and the benchmarks, are made from this table.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from faltung.geometry.window import ConvWindow
from faltung.kernels import (
    depthwise_cost,
    direct_cost,
    filter_cost,
    polyphase_cost,
    polyphase_dx_cost,
    pooling_cost,
    winograd_cost,
    winograd_dw_cost,
    winograd_rows_cost,
    winograd_signal_cost,
)
from faltung.kernels.row import Kernel as Kernel
from faltung.kernels.row import Row as Row
from faltung.kernels.row import Window as Window
from faltung.kernels.row import gamma as gamma
from faltung.kernels.row import loaded as loaded


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
    return window.group_out * prod(window.kernel) + 1  # the bias of a transposed convolution


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


def _compiled(name: str, function: str, terms: Callable[[Window], int], packs: str = "") -> Row:
    """Return the row of a direct kernel; its estimate has its name."""
    return Row(
        f"{name}_any_nchw",
        name.rpartition("_")[0],
        f"faltung.kernels.{function}",
        _fits_strips,
        terms,
        is_compiled=True,
        costs=_COST + name,
        packs=packs and f"faltung.kernels.{packs}",
        fuses=True,
        replays=True,
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


def _pointwise(operation: str, applies: Callable[..., bool], terms: Callable[[Window], int]) -> Row:
    """Return the row of kernels of one position."""
    return Row(
        f"{operation}_pointwise_any_nchw",
        operation,
        f"faltung.kernels.pointwise_call:{operation}",
        applies,
        terms,
        is_compiled=True,
        costs=f"faltung.kernels.direct_cost:{operation}_pointwise",
        fuses=True,
        replays=True,
    )


def _blocked(operation: str, packs: str, terms: Callable[[Window], int]) -> Row:
    """Return the row of convolutions with channels in the lanes."""
    return Row(
        f"{operation}_blocked_any_nchw",
        operation,
        f"faltung.kernels.blocked_call:{operation}",
        _fits_strips,
        terms,
        is_compiled=True,
        costs=f"faltung.kernels.direct_cost:{operation}_blocked",
        packs=f"faltung.kernels.blocked_call:{packs}",
        keeps=operation == "conv",
        fuses=True,
        replays=True,
    )


def _winograd(operation: str, outputs: int) -> Row:
    """Return the row of a convolution, or its gradient to the input, in Winograd's form."""
    is_forward, form = operation == "conv", f"outputs={outputs}"
    terms = winograd_cost.terms if is_forward else winograd_cost.dx_terms
    return Row(
        f"{operation}_winograd_f{outputs}_any_nchw",
        operation,
        f"faltung.kernels.winograd_call:{operation} {form}",
        lambda window, dtype: winograd_cost.applies(window, dtype, outputs),
        lambda window: terms(window, outputs),  # type: ignore[arg-type]
        block=outputs,
        is_compiled=True,
        costs=f"faltung.kernels.winograd_cost:{'' if is_forward else 'dx_'}cycles {form}",
        is_exact=False,
        growth=lambda window: winograd_cost.growth(window, outputs),  # type: ignore[arg-type]
        packs=f"faltung.kernels.winograd_call:pack{'' if is_forward else '_dx'} {form}",
        fuses=True,
        replays=True,
    )


def _one_axis(name: str, costs: Any, operation: str = "conv") -> Row:
    """Return the row of a convolution, or its gradient, in Winograd's form on one axis."""
    is_forward = operation == "conv"
    module = costs.__name__.removesuffix("cost")
    return Row(
        f"{operation}_winograd_{name}_any_nchw",
        operation,
        f"{module}call:{operation}",
        costs.applies if is_forward else costs.applies_dx,
        costs.terms if is_forward else costs.dx_terms,
        block=costs.OUTPUTS,
        is_compiled=True,
        costs=f"{module}cost:{'' if is_forward else 'dx_'}cycles",
        is_exact=False,
        growth=costs.growth,
        packs=f"{module}call:pack" if is_forward else "",
        fuses=True,
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
        replays=True,
    )


def _dw(algorithm: str) -> Row:
    """Return the row of the weights' gradient by direct sums."""
    module = f"faltung.kernels.{algorithm}_dw"
    return Row(
        f"conv_dw_{algorithm}_any_nchw",
        "conv_dw",
        f"{module}_call:conv_dw",
        _fits_strips,
        _conv_dw_terms,
        is_compiled=True,
        costs=f"{module}_cost:cycles",
        replays=True,
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


def _depthwise_lanes(
    operation: str,
    applies: Callable[[Window, np.dtype[Any]], bool],
    terms: Callable[[Window], int],
) -> Row:
    """Return the row of a gradient that keeps channels apart, and has them in the lanes."""
    way = operation.removeprefix("conv_")
    return Row(
        f"{operation}_depthwise_lanes_any_nchw",
        operation,
        f"faltung.kernels.depthwise_lanes_{way}_call:{operation}",
        applies,
        terms,
        is_compiled=True,
        costs=f"faltung.kernels.depthwise_cost:{way}_lanes_cycles",
        replays=True,
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
        replays=operation != "max_pool_dx",
    )


def _polyphase(operation: str, outputs: int) -> Row:
    """Return the row of stride 2, by tiles of so many positions a side of each phase."""
    is_forward = operation == "conv"
    costs = polyphase_cost if is_forward else polyphase_dx_cost
    module, form = costs.__name__.removesuffix("cost"), f"outputs={outputs}"
    return Row(
        f"{operation}_polyphase_f{outputs}_any_nchw",
        operation,
        f"{module}call:{operation} {form}",
        costs.applies,
        lambda window: costs.terms(window, outputs),
        block=outputs if is_forward else 2 * outputs,
        is_compiled=True,
        costs=f"{module}cost:cycles {form}",
        is_exact=False,
        growth=lambda window: costs.growth(window, outputs),
        packs=f"{module}call:pack {form}",
        fuses=True,
        replays=True,
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
        block=filter_cost.FOUR,
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
        pooling_cost.is_tiled if operation.startswith("max") else pooling_cost.is_mean_tiled,
        terms,
        is_compiled=True,
        costs="faltung.kernels.pooling_cost:tile_cycles",
        replays=True,
    )


_COST = "faltung.kernels.cost:"

# For each operation the row with the fewest cycles is taken; of equal ones, the first.
ROWS: tuple[Row, ...] = (
    _compiled("conv_direct", "direct_call:conv", _conv_terms),
    _pointwise("conv", direct_cost.is_pointwise, _conv_terms),
    _blocked("conv", "packed_weights", _conv_terms),
    _winograd("conv", outputs=4),
    _winograd("conv", outputs=3),
    _winograd("conv", outputs=2),
    _one_axis("rows_f4", winograd_rows_cost),
    _one_axis("signal", winograd_signal_cost),
    _polyphase("conv", outputs=4),
    _polyphase("conv", outputs=2),
    _filter(),
    _toom(),
    _numpy("conv_im2col", _conv_terms),
    _compiled(
        *("conv_dx_direct", "direct_dx_call:conv_dx", _conv_dx_terms),
        packs="direct_dx_call:packed_for_dx",
    ),
    _pointwise("conv_dx", direct_cost.is_whole_pointwise, _conv_dx_terms),
    _blocked("conv_dx", "packed_for_dx", _conv_dx_terms),
    _winograd("conv_dx", outputs=4),
    _winograd("conv_dx", outputs=3),
    _winograd("conv_dx", outputs=2),
    _one_axis("rows_f4", winograd_rows_cost, "conv_dx"),
    _polyphase("conv_dx", outputs=4),
    _polyphase("conv_dx", outputs=2),
    _numpy("conv_dx_adjoint", _conv_dx_terms, "conv_dx_adjoint", _has_adjoint),
    _numpy("conv_dx_col2im", _conv_dx_terms),
    _dw("direct"),
    _numpy("conv_dw_im2col", _conv_dw_terms),
    _dw("blocked"),
    _winograd_dw(outputs=4, taps=3),
    _winograd_dw(outputs=3, taps=5),
    _depthwise("conv", "depthwise_call", "cycles", _conv_terms),
    _depthwise("conv_dx", "depthwise_call", "dx_cycles", _conv_dx_terms),
    _depthwise("conv_dw", "depthwise_dw_call", "dw_cycles", _conv_dw_terms),
    _depthwise_lanes("conv_dx", depthwise_cost.applies_lanes_dx, _conv_dx_terms),
    _depthwise_lanes("conv_dw", depthwise_cost.applies_lanes, _conv_dw_terms),
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
