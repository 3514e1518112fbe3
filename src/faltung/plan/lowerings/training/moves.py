"""Operators that compute nothing: the same memory under another shape."""

from __future__ import annotations

from faltung.plan.lowerings.training import Backward
from faltung.plan.stages import Stage
from faltung.plan.tape import Tape


def train_view(stage: Stage, tape: Tape) -> Backward | None:
    """Give input and gradient their other shape."""
    x, *others = stage.main.inputs
    if others or x in tape.graph.params or x in tape.graph.state:
        return None
    tape.inside[stage.output] = x

    def backward(dout: str) -> None:
        if x in tape.needed:
            tape.pass_on(stage, x, tape.view(f"{dout} as {x}", dout, tape.values[x].shape))

    return backward
