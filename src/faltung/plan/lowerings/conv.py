"""Convolutions, with the addition and the activation behind them."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import numpy as np

from faltung import ops
from faltung.geometry import ConvWindow
from faltung.kernels.epilogue import Epilogue
from faltung.plan.room import Room, Step
from faltung.plan.stages import Stage

SMALL: Final = 24_000.0
"""Cycles below which a second thread, though awake, does not pay: some 6 us."""


def lower_conv(stage: Stage, room: Room) -> Step | None:
    """Run a registry's row, its weights packed beforehand."""
    operator, inputs = stage.main.operator, stage.main.inputs
    assert isinstance(operator, ops.Conv)
    if operator.padding_mode != "zeros" or any(name not in room.known for name in inputs[1:]):
        return None
    shapes = (room.arrays[name].shape for name in inputs[:2])
    return _step(stage, room, "conv", operator.window(*shapes))


def lower_conv_transpose(stage: Stage, room: Room) -> Step | None:
    """Run a row of the gradient that a transposed convolution is, its weights packed beforehand."""
    operator, inputs = stage.main.operator, stage.main.inputs
    assert isinstance(operator, ops.ConvTranspose)
    if any(name not in room.known for name in inputs[1:]):
        return None
    x, w = (room.arrays[name] for name in inputs[:2])
    # An infinity among packed weights would meet the zeros around the image.
    if not np.isfinite(w).all():
        return None
    return _step(stage, room, "conv_dx", operator.window(x.shape, w.shape).adjoint)


def _step(stage: Stage, room: Room, operation: str, window: ConvWindow) -> Step | None:
    x, w, *more = (room.arrays[name] for name in stage.main.inputs)
    row = room.choices.row(stage, operation, window, x.dtype)
    residual = room.arrays[stage.residual] if stage.residual else None
    if not row.fuses or not row.takes("b"):
        return None
    y, epilogue = room.arrays[stage.output], Epilogue(*stage.activation, residual)
    given: dict[str, Any] = {"out": y, "epilogue": epilogue}
    if row.packs:
        given["packed"] = room.choices.packed(stage, row.name, lambda: row.pack(window, w))
    call = partial(row.load(), window, x, w, more[0] if more else None, **given)
    is_parallel = window.batch * row.cycles(window, x.dtype, True) >= SMALL
    return room.row_step(stage, row.name, call, is_parallel=is_parallel)
