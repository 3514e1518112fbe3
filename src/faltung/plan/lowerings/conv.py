"""Convolution, with the addition and the activation behind it."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from faltung import ops
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
    x, w = (room.arrays[name] for name in inputs[:2])
    b = room.arrays[inputs[2]] if len(inputs) > 2 else None
    window = operator.window(x.shape, w.shape)
    row = room.choices.row(stage, "conv", window, x.dtype)
    residual = room.arrays[stage.residual] if stage.residual else None
    if not row.fuses:
        return None
    y, epilogue = room.arrays[stage.output], Epilogue(*stage.activation, residual)
    given: dict[str, Any] = {"out": y, "epilogue": epilogue}
    if row.packs:
        given["packed"] = room.choices.packed(stage, row.name, lambda: row.pack(window, w))
    call = partial(row.load(), window, x, w, b, **given)
    is_parallel = window.batch * row.cycles(window, x.dtype, True) >= SMALL
    return room.row_step(stage, row.name, call, is_parallel=is_parallel)
