"""Chains of what is computed number by number, and values that only move."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np

from faltung import ops
from faltung.kernels.chain import Step as Link
from faltung.kernels.chain_call import axes_of, chain
from faltung.kernels.choose import compiled_for
from faltung.ops.operator import Array
from faltung.plan.chains import is_link, written
from faltung.plan.room import Room, Step
from faltung.plan.stages import Stage

LARGE: Final = 1 << 18
"""Bytes read and written from which a second thread helps: some 10 us of one."""
MOVED: Final = (("load", 0),)


def lower_chain(stage: Stage, room: Room) -> Step | None:
    """Compute all nodes in one pass."""
    known = {name: room.arrays[name] for name in stage.inputs if name in room.known}
    if len(stage.outputs) > 1 or not all(is_link(node, known) for node in stage.nodes):
        return None
    steps, arrays = written(stage, room.arrays)
    return _step(stage, room, "chain", [(steps, arrays, room.arrays[stage.output])])


def lower_transpose(stage: Stage, room: Room) -> Step | None:
    """Move what is read to where the other order of axes has it."""
    operator = stage.main.operator
    assert isinstance(operator, ops.Transpose)
    x = room.arrays[stage.main.inputs[0]]
    turned = x.transpose(operator.perm or None)
    return _step(stage, room, "transpose", [(MOVED, [turned], room.arrays[stage.output])])


def copies(stage: Stage, room: Room, moves: Sequence[tuple[Array, Array]]) -> Step:
    """Return the step that copies arrays into others.

    Parameters
    ----------
    stage, room
        What is computed, and where.
    moves
        Of each copy where it goes and where it comes from.
    """

    def run() -> None:
        for place, x in moves:
            np.copyto(place, x)

    step = _step(stage, room, "copy", [(MOVED, [x], place) for place, x in moves])
    return step or Step(stage, "copy", run)


def _step(
    stage: Stage,
    room: Room,
    kernel: str,
    chains: Sequence[tuple[Sequence[Link], Sequence[Array], Array]],
) -> Step | None:
    fits = all(axes_of(arrays, y) is not None for _, arrays, y in chains)
    if not fits or not compiled_for():
        return None
    calls = [partial(chain, *given) for given in chains]
    nbytes = sum(a.nbytes for _, arrays, y in chains for a in (y, *arrays))
    return room.step(stage, kernel, calls, is_parallel=nbytes >= LARGE)
