"""Pooling and its gradients as the registry calls them: sizes to fields, memory, threads."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.adjoint import data_gradient_phases
from faltung.geometry.axis import AxisWindow
from faltung.geometry.window import PoolWindow
from faltung.kernels import memory, numpy_pool
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.pooling import pool_block
from faltung.kernels.pooling_dx import pool_dx_block
from faltung.kernels.pooling_rows import FIELDS, UNROLLED
from faltung.kernels.reaches import three_axes

Array = NDArray[Any]

BLOCK: Final = 30_000
"""Numbers of the input that one block of work reads, at least."""
STRIP: Final = 200_000
"""Numbers of the input that one strip of a plane reads, at most."""


class Layout(NamedTuple):
    """How the work of one geometry is cut, and what `FIELDS` hold but for the addresses."""

    constants: dict[str, Any]
    blocks: int
    fields: dict[str, int]
    arrays: dict[str, Array]


def max_pool(window: PoolWindow, x: Array) -> Array:
    """Return the largest value under each window; NaN wins, padding never does.

    Parameters
    ----------
    window : PoolWindow
        The geometry.
    x : array (N, C, *space), float32 or float64
        Input.
    """
    return _pooled(window, x, True, False, "max_pool_rows_any_nchw")


def avg_pool(window: PoolWindow, x: Array, count_include_pad: bool = False) -> Array:
    """Return the mean under each window; with `count_include_pad` taps on padding count too."""
    return _pooled(window, x, False, count_include_pad, "avg_pool_rows_any_nchw")


def max_pool_dx(window: PoolWindow, x: Array, dout: Array) -> Array:
    """Return the gradient of `max_pool`: all to the first winner in row-major order.

    Where a window holds nothing but -inf, NumPy looks for the winner.
    """
    isa = required_isa("max_pool_dx_rows_any_nchw")
    dx = memory.empty(window.x_shape, dout.dtype)
    if not dx.size or not dout.size:
        return numpy_pool.max_pool_dx(window, x, dout)
    layout = _backward(window, x.dtype, isa, True, False)
    flags = np.zeros((layout.blocks, isa.lanes(x.dtype.itemsize)), x.dtype)
    given = {"x": x, "dout": dout, "dx": dx, "flags": flags}
    _launched(pool_dx_block, layout, isa, given)
    return numpy_pool.max_pool_dx(window, x, dout) if flags.any() else dx


def avg_pool_dx(window: PoolWindow, dout: Array, count_include_pad: bool = False) -> Array:
    """Return the gradient of `avg_pool`: each output's share to every tap inside."""
    isa = required_isa("avg_pool_dx_rows_any_nchw")
    dx = memory.empty(window.x_shape, dout.dtype)
    if not dx.size or not dout.size:
        return numpy_pool.avg_pool_dx(window, dout, count_include_pad)
    layout = _backward(window, dout.dtype, isa, False, count_include_pad)
    _launched(pool_dx_block, layout, isa, {"x": dout, "dout": dout, "dx": dx})
    return dx


def _pooled(window: PoolWindow, x: Array, is_max: bool, include: bool, row: str) -> Array:
    isa = required_isa(row)
    y = memory.empty(window.out_shape, x.dtype)
    if y.size:
        layout = _forward(window, x.dtype, isa, is_max, include)
        _launched(pool_block, layout, isa, {"x": x, "y": y})
    return y


def _launched(block: Any, layout: Layout, isa: Isa, arrays: dict[str, Array]) -> None:
    given = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    unused = dict.fromkeys(("y", "dout", "dx", "flags", "offsets", "numbers"), 0)
    sizes = unused | layout.fields
    launch(block, isa, FIELDS, sizes, given | layout.arrays, layout.blocks, **layout.constants)


def _constant(array: Any, dtype: Any) -> Array:
    made = np.ascontiguousarray(array, dtype)
    made.flags.writeable = False
    return made


def _counts(
    axes: tuple[AxisWindow, ...], include: bool, dtype: np.dtype[Any], lanes: int
) -> dict[str, Array]:
    """Return how many taps count, for each row and for each column of outputs; at least 1."""
    z, y, x = (
        np.maximum([axis.divisor(o, include) for o in range(axis.out_size)], 1) for axis in axes
    )
    columns = np.ones(-(-len(x) // lanes) * lanes)
    columns[: len(x)] = x
    return {
        "rows": _constant((z[:, None] * y).ravel(), dtype),
        "columns": _constant(columns, dtype),
    }


class _Phases(NamedTuple):
    """How a row lies in its phases: see `pooling_rows`."""

    crop: int
    inside: int
    size: int
    bases: list[int]
    offsets: list[int]


def _phases(axis: AxisWindow, lanes: int) -> _Phases:
    crop, pad = max(0, -axis.pad_lo), max(0, axis.pad_lo)
    width, stride = max(0, axis.size - crop), axis.stride
    taps = [k * axis.dilation for k in range(axis.kernel)]
    most = max(axis.out_size + taps[-1] // stride, (width + pad) // stride + 1)
    pitch = -(-(most + 2 * lanes) // 16) * 16
    bases = [(e + pad) % stride * pitch + (e + pad) // stride for e in range(stride)]
    offsets = [tap % stride * pitch + tap // stride for tap in taps]
    return _Phases(crop, width, stride * pitch, bases, offsets)


def _up(count: int) -> int:
    return -(-count // 16) * 16


def _fields(window: PoolWindow, phases: _Phases) -> dict[str, int]:
    z, y, x = three_axes(window.axes)
    return {
        "depth": z.size,
        "height": y.size,
        "width": x.size,
        "plane": z.size * y.size * x.size,
        "crop": phases.crop,
        "inside": phases.inside,
        "out_depth": z.out_size,
        "out_height": y.out_size,
        "out_width": x.out_size,
        "kernel_depth": z.kernel,
        "kernel_y": y.kernel,
        "kernel_x": x.kernel,
        "stride_depth": z.stride,
        "stride_y": y.stride,
        "dilation_depth": z.dilation,
        "dilation_y": y.dilation,
        "pad_depth": z.pad_lo,
        "pad_y": y.pad_lo,
        "row_pitch": phases.size,
        "lead": 0,
        "out_pitch": 0,
        "winners_offset": 0,
        "gradients_offset": 0,
        "pairs_offset": 0,
        "strips": 1,
    }


def _unrolled(count: int) -> int:
    return count if count <= UNROLLED else 0


@lru_cache(256)
def _forward(
    window: PoolWindow, dtype: np.dtype[Any], isa: Isa, is_max: bool, include: bool
) -> Layout:
    lanes = isa.lanes(dtype.itemsize)
    axes = three_axes(window.axes)
    rows, phases = axes[0].kernel * axes[1].kernel, _phases(axes[2], lanes)
    planes, out_rows = window.batch * window.channels, axes[0].out_size * axes[1].out_size
    read = prod(window.space)
    strips = max(1, min(out_rows, read // STRIP))
    units, together = planes * strips, max(1, BLOCK // max(1, read // strips))
    table = _up(rows * 8 // dtype.itemsize)
    empty = table + _up(phases.inside + lanes)
    fields = _fields(window, phases) | {
        "strips": strips,
        "units": units,
        "together": together,
        "empty_offset": table,
        "phases_offset": empty,
        "phases_size": phases.size,
        "scratch_size": empty + _up(phases.size),
    }
    constants = {
        "is_max": is_max,
        "stride": axes[2].stride,
        "rows": _unrolled(rows),
        "taps": _unrolled(axes[2].kernel),
    }
    arrays = _counts(axes, include, dtype, lanes) | {
        "bases": _constant(phases.bases, np.int64),
        "offsets": _constant(phases.offsets, np.int64),
    }
    return Layout(constants, -(-units // together), fields, arrays)


@lru_cache(256)
def _backward(
    window: PoolWindow, dtype: np.dtype[Any], isa: Isa, is_max: bool, include: bool
) -> Layout:
    lanes = isa.lanes(dtype.itemsize)
    axes = three_axes(window.axes)
    z, y, x = axes
    rows, phases = z.kernel * y.kernel, _phases(x, lanes)
    columns = [
        tuple(
            (kx, t * phase.window.dilation - phase.window.pad_lo) for t, kx in enumerate(phase.taps)
        )
        for phase in data_gradient_phases(x)
    ]
    distances = [shift for column in columns for _, shift in column]
    lead = max(0, -min(distances, default=0))
    longest = -(-x.size // len(columns)) + max(0, *distances, 0) + lanes
    pitch = _up(lead + max(x.out_size + lanes, longest))
    out_rows = z.out_size * y.out_size
    planes = window.batch * window.channels
    together = max(1, BLOCK // max(1, prod(window.space)))
    table = _up(rows * 8 // dtype.itemsize)
    pairs = table * dtype.itemsize // 8
    table += _up(2 * rows * 8 // dtype.itemsize)
    empty = table + (_up(phases.inside + lanes) if is_max else 0)
    winners = empty + (rows * phases.size if is_max else 0)
    gradients = winners + (out_rows * pitch if is_max else 0)
    fields = _fields(window, phases) | {
        "units": planes,
        "together": together,
        "lead": lead,
        "out_pitch": pitch,
        "pairs_offset": pairs,
        "empty_offset": table,
        "phases_offset": empty,
        "phases_size": rows * phases.size,
        "winners_offset": winners,
        "gradients_offset": gradients,
        "scratch_size": gradients + out_rows * pitch,
    }
    constants = {
        "is_max": is_max,
        "stride": x.stride,
        "taps": _unrolled(x.kernel),
        "phases": tuple(columns),
    }
    arrays = _counts(axes, include, dtype, lanes) | {
        "bases": _constant(phases.bases, np.int64),
        "offsets": _constant(phases.offsets, np.int64),
        "numbers": _constant(np.arange(rows * x.kernel), dtype),
    }
    return Layout(constants, -(-planes // together), fields, arrays)
