"""Operators that compute nothing: other shapes, parts, and values side by side."""

from __future__ import annotations

from typing import Final

import numpy as np

from faltung import ops
from faltung.ops.operator import Array
from faltung.plan.lowerings.chain import copies
from faltung.plan.room import Room, Step
from faltung.plan.stages import Stage

LARGEST: Final = 1 << 22
"""Values of an input whose places are looked at one by one."""


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


def lower_pad(stage: Stage, room: Room) -> Step | None:
    """Copy what is left of the input to its place, and the constant around it."""
    operator = stage.main.operator
    assert isinstance(operator, ops.Pad)
    x, y = room.arrays[stage.main.inputs[0]], room.arrays[stage.output]
    if operator.mode != "zeros":
        return None
    sizes = list(zip(operator.pads, x.shape, y.shape, strict=True))
    left = tuple(slice(max(-lo, 0), n - max(-hi, 0)) for (lo, hi), n, _ in sizes)
    inside = [slice(max(lo, 0), n - max(hi, 0)) for (lo, hi), _, n in sizes]
    moves = [(y[tuple(inside)], x[left])]
    constant = np.full(1, operator.value, x.dtype)
    for axis, place in enumerate(inside):
        for outside in (slice(0, place.start), slice(place.stop, None)):
            border = y[(*inside[:axis], outside)]
            moves.append((border, np.broadcast_to(constant, border.shape)))
    return copies(stage, room, [(place, values) for place, values in moves if place.size])


def lower_part(stage: Stage, room: Room) -> Step | None:
    """Copy what is a part of the input, or the input in another order, whatever the operator."""
    name, *others = stage.main.inputs
    x = room.arrays[name]
    known = all(other in room.known for other in others)
    if not known or x.size > LARGEST or not x.size or not x.flags.c_contiguous:
        return None
    # The operator itself says which value goes where.
    places = np.arange(x.size, dtype=np.int64).reshape(x.shape)
    found, *_ = stage.main.operator.forward([places, *(room.arrays[n] for n in others)])
    moves = []
    for output, taken in zip(stage.main.outputs, found, strict=True):
        part = _as_part(x, np.asarray(taken))
        if part is None:
            return None
        moves.append((room.arrays[output], part))
    return copies(stage, room, moves)


def _as_part(x: Array, places: Array) -> Array | None:
    """Return a view of an array that has at each index its value at a place; None if none has."""
    if not places.size or places.dtype != np.int64:
        return None
    start = int(places[(0,) * places.ndim])
    steps = [
        int(places[tuple(int(axis == other) for other in range(places.ndim))]) - start
        if places.shape[axis] > 1
        else 0
        for axis in range(places.ndim)
    ]
    indices = np.ix_(*(step * np.arange(n) for step, n in zip(steps, places.shape, strict=True)))
    if not np.array_equal(places, start + sum(indices)):
        return None
    strides = [step * x.itemsize for step in steps]
    return np.lib.stride_tricks.as_strided(x.reshape(-1)[start:], places.shape, strides)
