"""Operators that compute nothing: other shapes, and values one after the other."""

from __future__ import annotations

import numpy as np

from faltung import ops
from faltung.plan.lowerings.chain import copies
from faltung.plan.room import Room, Step
from faltung.plan.stages import Stage


def lower_view(stage: Stage, room: Room) -> Step | None:
    """Give the same memory another shape."""
    x, y = room.arrays[stage.main.inputs[0]], room.arrays[stage.output]
    return Step(stage, "view") if np.shares_memory(x, y) else None


def lower_concat(stage: Stage, room: Room) -> Step | None:
    """Copy the parts that were not written in their place at once."""
    operator, y = stage.main.operator, room.arrays[stage.output]
    assert isinstance(operator, ops.Concat)
    axis, first = operator.axis % y.ndim, 0
    moves = []
    for name in stage.main.inputs:
        x = room.arrays[name]
        place = y[(slice(None),) * axis + (slice(first, first + x.shape[axis]),)]
        first += x.shape[axis]
        if name not in room.inside or room.inside[name].whole != stage.output:
            moves.append((place, x))

    return copies(stage, room, moves) if moves else Step(stage, "in place")


def lower_part(stage: Stage, room: Room) -> Step | None:
    """Copy what the operator returns as a view of what it is given."""
    inputs = [room.arrays[name] for name in stage.main.inputs]
    (found, *_), *_ = stage.main.operator.forward(inputs)
    is_view = any(np.shares_memory(found, x) for x in inputs) if found.size else False
    return copies(stage, room, [(room.arrays[stage.output], found)]) if is_view else None
