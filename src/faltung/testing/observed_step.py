"""A step of a training plan, taken work by work, so that everything that it computes is seen."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from faltung.kernels.program import Program
from faltung.ops.operator import Array, Key
from faltung.plan.taped import runs_of
from faltung.plan.training import TrainingPlan
from faltung.testing.rounding_step import Step


def observed_step(
    plan: TrainingPlan, feeds: Mapping[str, Array], douts: Mapping[str, Array], key: Key
) -> Step:
    """Return every value and gradient of a step, as they were when they had been written.

    Later ones take their places in memory. What is fused away is not there.

    Parameters
    ----------
    plan
        Its work is done in its order, as ever, but in one program each.
    feeds, douts
        Inputs and gradients of the outputs.
    key
        Seeds chance.
    """
    tape, arrays, seen = plan._tape, plan._arrays, dict[str, Array]()

    def do(way: int) -> None:
        for work in plan._works[way]:
            for one in runs_of([work], plan._temporary):
                one.run() if isinstance(one, Program) else one()
            seen.update({name: arrays[name].copy() for name in work.work.writes})

    def found(name: str) -> Array | None:
        shape = tape.values[name].shape
        while name not in seen and name in tape.inside:
            name = tape.inside[name]
        return seen[name].reshape(shape) if name in seen else None

    tape.turn.key = key
    tape.turn.saved.clear()
    given = dict(zip(plan.graph.outputs, tape.handed, strict=True))
    for name, array in feeds.items():
        arrays[name][...] = array
    with np.errstate(all="ignore"):
        do(0)
        for name, dout in douts.items():
            arrays[given[name]][...] = seen[given[name]] = dout
        do(1)
    outputs = [name for node in plan.graph.nodes for name in node.outputs]
    values = {name: found(name) for name in outputs}
    grads = {name: found(place) for name, place in tape.gradients.items()}
    # What is 0 by itself is never written.
    grads |= {name: plan.gradients.arrays[name].copy() for name in plan._given}
    state = {name: seen.get(f"next {name}") for name in plan.state}
    parts = (
        {name: array for name, array in part.items() if array is not None}
        for part in (values, grads, state)
    )
    return Step(*parts)
