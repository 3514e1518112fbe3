"""Convolutions, with the addition and the activation behind them."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

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
    x, w = room.arrays[inputs[0]], room.known.like(inputs[1])
    return _step(stage, room, "conv", operator.window(x.shape, w.shape))


def lower_conv_transpose(stage: Stage, room: Room) -> Step | None:
    """Run a row of the gradient that a transposed convolution is, its weights packed beforehand."""
    operator, inputs = stage.main.operator, stage.main.inputs
    assert isinstance(operator, ops.ConvTranspose)
    if any(name not in room.known for name in inputs[1:]):
        return None
    x, w = room.arrays[inputs[0]], room.known.like(inputs[1])
    # An infinity among packed weights would meet the zeros around the image.
    if not room.known.is_finite(inputs[1]):
        return None
    return _step(stage, room, "conv_dx", operator.window(x.shape, w.shape).adjoint)


def _step(stage: Stage, room: Room, operation: str, window: ConvWindow) -> Step | None:
    x_name, w_name, *b_name = stage.main.inputs
    x = room.arrays[x_name]
    row = room.choices.row(stage, operation, window, x.dtype)
    residual = room.arrays[stage.residual] if stage.residual else None
    if not row.fuses or not row.takes("b"):
        return None
    y, epilogue = room.arrays[stage.output], Epilogue(*stage.activation, residual)
    given: dict[str, Any] = {"out": y, "epilogue": epilogue}
    if row.packs:
        given["packed"] = room.known.packed(stage.main.name, w_name, row, window)
    w = room.known.like(w_name) if row.packs else room.arrays[w_name]
    b = room.arrays[b_name[0]] if b_name else None
    call = partial(row.load(), window, x, w, b, **given)
    is_parallel = window.batch * row.cycles(window, x.dtype, True) >= SMALL
    return room.row_step(stage, row.name, call, is_parallel=is_parallel)
