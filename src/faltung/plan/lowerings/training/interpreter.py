"""Any operator, through its own `forward` and `backward`."""

from __future__ import annotations

from typing import Any

import numpy as np

from faltung.graph.evaluate import run_node
from faltung.plan.stages import Stage
from faltung.plan.tape import Arrays, Tape


def train_interpreted(stage: Stage, tape: Tape) -> None:
    """Write down both ways of one node.

    Parameters
    ----------
    stage
        Of one node.
    tape
        Where they are written down; the way back of every node before it is still to come.
    """
    node, turn, position = stage.main, tape.turn, tape.positions[stage.main.name]
    moved = {i: tape.like(f"next {node.inputs[i]}", node.inputs[i]) for i in _moving(stage, tape)}

    def forward(at: Arrays) -> None:
        key = (*turn.key, position) if turn.key else None
        outputs, state, saved = run_node(node, [at[name] for name in node.inputs], True, key)
        for name, made in zip(node.outputs, outputs, strict=True):
            np.copyto(at[name], made)
        for i, name in moved.items():
            np.copyto(at[name], state[i])
        turn.saved[position] = saved

    writes = (*node.outputs, *moved.values())
    tape.run(stage, "interpreter", node.inputs, writes, forward, is_launched=False)
    for i, name in moved.items():
        tape.settle(stage, node.inputs[i], name)


def train_interpreted_back(stage: Stage, tape: Tape) -> None:
    """Write down the way back of one node, if any gradient came to it."""
    node, turn, position = stage.main, tape.turn, tape.positions[stage.main.name]
    douts = [tape.gradients.get(name, "") for name in node.outputs]
    wanted = [name in tape.needed and tape.values[name].dtype.kind == "f" for name in node.inputs]
    if not any(douts) or not any(wanted):
        return
    made = [
        tape.gradient(name) if is_wanted else ""
        for name, is_wanted in zip(node.inputs, wanted, strict=True)
    ]

    def backward(at: Arrays) -> None:
        given: Any = [at[name] if name else None for name in douts]
        found = node.operator.backward_to(wanted, turn.saved.pop(position), given)
        for name, gradient in zip(made, found, strict=True):
            if name:
                np.copyto(at[name], 0 if gradient is None else gradient)

    reads = (*node.inputs, *node.outputs, *filter(None, douts))
    tape.run_back(
        stage, "interpreter", reads, tuple(filter(None, made)), backward, is_launched=False
    )
    for name, gradient in zip(node.inputs, made, strict=True):
        if gradient:
            tape.pass_on(stage, name, gradient)


def _moving(stage: Stage, tape: Tape) -> list[int]:
    """Return the positions of state that a step changes."""
    node = stage.main
    return [i for i in node.operator.state_inputs if node.inputs[i] in tape.state]
