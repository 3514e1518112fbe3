"""Images made larger or smaller: numbers repeated, woven, or averaged."""

from __future__ import annotations

from functools import partial

import numpy as np

from faltung import ops
from faltung.kernels.choose import compiled_for
from faltung.kernels.isa import required_isa
from faltung.kernels.resize import Taps, resize
from faltung.kernels.weave import can_repeat, repeat, weave
from faltung.ops.operator import Array
from faltung.ops.resize_axis import AxisResize, weights
from faltung.plan.room import Room, Step
from faltung.plan.stages import Stage

LARGE = 1 << 17
"""Bytes written from which a second thread helps."""


def lower_resize(stage: Stage, room: Room) -> Step | None:
    """Repeat numbers, if that is what the operator does; else sum a few for each."""
    operator = stage.main.operator
    assert isinstance(operator, ops.Resize)
    x, y = room.arrays[stage.main.inputs[0]], room.arrays[stage.output]
    is_image = x.ndim == 4 and x.dtype in (np.float32, np.float64) and x.size and y.size
    if not is_image or x.shape[:2] != y.shape[:2] or not compiled_for():
        return None
    times = _times(operator, x, y)
    if times and can_repeat(times, required_isa("x"), x.itemsize):
        call = partial(repeat, x, times, out=y)
        return room.step(stage, "repeat", [call], is_parallel=y.nbytes >= LARGE)
    axes = operator.resized_axes(x.shape)
    if not set(axes) <= {2, 3} or any(weights(axis).outside.any() for axis in axes.values()):
        return None
    rows, columns = (_taps(axes.get(axis), x.shape[axis]) for axis in (2, 3))
    call = partial(resize, x, rows, columns, out=y)
    return room.step(stage, "resize", [call], is_parallel=y.nbytes >= LARGE)


def _taps(axis: AxisResize | None, size: int) -> Taps:
    """Return what outputs sum along an axis; each its own input where the axis stays."""
    if axis is None:
        return Taps(np.arange(size)[:, None], np.ones((size, 1)))
    table = weights(axis)
    return Taps(table.positions, table.values)


def _times(operator: ops.Resize, x: Array, y: Array) -> int:
    """Return how often each pixel is repeated; 0 where something else is done."""
    if operator.mode != "nearest":
        return 0
    times = y.shape[2] // x.shape[2]
    if y.shape[2:] != (x.shape[2] * times, x.shape[3] * times):
        return 0
    # The operator itself says which pixel goes where: one image is enough.
    pixels = np.arange(x[0, 0].size, dtype=np.float64).reshape(1, 1, *x.shape[2:])
    made = operator.forward([pixels])[0][0]
    wanted = pixels.repeat(times, 2).repeat(times, 3)
    return times if np.array_equal(made, wanted) else 0


def lower_depth_to_space(stage: Stage, room: Room) -> Step | None:
    """Weave four channels into one."""
    operator = stage.main.operator
    assert isinstance(operator, ops.DepthToSpace)
    x, y = room.arrays[stage.main.inputs[0]], room.arrays[stage.output]
    is_float = x.dtype in (np.float32, np.float64)
    if operator.blocksize != 2 or operator.mode != "CRD" or not is_float or not compiled_for():
        return None
    call = partial(weave, x, out=y)
    return room.step(stage, "weave", [call], is_parallel=y.nbytes >= LARGE)
