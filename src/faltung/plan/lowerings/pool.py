"""Of many numbers one: pooling, means, local normalisation, softmax."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Final

import numpy as np

from faltung import ops
from faltung.kernels import lrn
from faltung.kernels.choose import compiled_for
from faltung.kernels.largest import largest
from faltung.kernels.means import means
from faltung.kernels.softmax_rows import softmax
from faltung.ops.operator import Array
from faltung.plan.room import Room, Step
from faltung.plan.stages import Stage

FLOATS: Final = (np.float32, np.float64)
LARGE: Final = 1 << 17
"""Bytes read from which a second thread helps: some 10 us of one."""


def lower_pool(stage: Stage, room: Room) -> Step | None:
    """Run a registry's row."""
    operator, x = stage.main.operator, room.arrays[stage.main.inputs[0]]
    assert isinstance(operator, ops.MaxPool | ops.AveragePool)
    if x.dtype not in FLOATS or len(stage.outputs) > 1 or not room.arrays[stage.output].size:
        return None
    window = operator.window(x.shape)
    more: tuple[bool, ...] = ()
    if isinstance(operator, ops.AveragePool):
        operation, more = "avg_pool", (operator.count_include_pad,)
    else:
        operation = "max_pool"
    row = room.choices.row(stage, operation, window, x.dtype)
    call = partial(row.load(), window, x, *more)
    return room.row_step(stage, row.name, call, is_parallel=x.nbytes >= LARGE)


def lower_mean(stage: Stage, room: Room) -> Step | None:
    """Average the last axes, or all of space."""
    x, y = room.arrays[stage.main.inputs[0]], room.arrays[stage.output]
    axes = _last_axes(stage, x)
    if not axes or x.dtype not in FLOATS or not compiled_for() or not x.size:
        return None
    rows = x.reshape(-1, prod(x.shape[-axes:]))
    call = partial(means, rows, out=y.reshape(-1))
    return room.step(stage, "means", [call], is_parallel=x.nbytes >= LARGE)


def lower_largest(stage: Stage, room: Room) -> Step | None:
    """Look for the largest of all of space."""
    x, y = room.arrays[stage.main.inputs[0]], room.arrays[stage.output]
    if x.dtype not in FLOATS or not compiled_for() or not x.size:
        return None
    rows = x.reshape(-1, prod(x.shape[2:]))
    call = partial(largest, rows, out=y.reshape(-1))
    return room.step(stage, "largest", [call], is_parallel=x.nbytes >= LARGE)


def _last_axes(stage: Stage, x: Array) -> int:
    """Return how many of the last axes are averaged; 0 where others are."""
    operator = stage.main.operator
    if isinstance(operator, ops.GlobalAveragePool):
        return x.ndim - 2
    assert isinstance(operator, ops.ReduceMean)
    named = range(x.ndim) if operator.axes is None else operator.axes
    axes = sorted(axis % x.ndim for axis in named)
    return len(axes) if axes == list(range(x.ndim - len(axes), x.ndim)) else 0


def lower_lrn(stage: Stage, room: Room) -> Step | None:
    """Run the kernel, if there is one for the power."""
    operator, x = stage.main.operator, room.arrays[stage.main.inputs[0]]
    assert isinstance(operator, ops.LRN)
    if x.dtype not in FLOATS or not compiled_for() or not lrn.applies(operator.beta) or not x.size:
        return None
    size, before = operator.size, operator.before
    given = (before, size - 1 - before, operator.alpha / size, operator.bias, operator.beta)
    return room.row_step(stage, "lrn", partial(lrn.lrn, x, *given), is_parallel=x.nbytes >= LARGE)


def lower_softmax(stage: Stage, room: Room) -> Step | None:
    """Run the kernel, if the numbers that are summed lie together."""
    operator, x = stage.main.operator, room.arrays[stage.main.inputs[0]]
    if type(operator) is not ops.Softmax:  # its logarithm is one, too
        return None
    if x.dtype not in FLOATS or not compiled_for() or not x.size or not x.ndim:
        return None
    axis = operator.axis % x.ndim
    last = x.shape[axis:] if operator.flatten else x.shape[axis : axis + 1]
    if prod(last) != prod(x.shape[axis:]):
        return None
    rows = x.reshape(-1, prod(last))
    call = partial(softmax, rows, out=room.arrays[stage.output].reshape(rows.shape))
    return room.step(stage, "softmax", [call], is_parallel=x.nbytes >= LARGE >> 2)
