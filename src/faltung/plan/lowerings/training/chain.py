"""What is computed number by number."""

from __future__ import annotations

from faltung import ops
from faltung.kernels.chain_call import chain
from faltung.ops.operator import Array
from faltung.plan.chains import FUNCTIONS
from faltung.plan.lowerings.training import Backward
from faltung.plan.stages import Stage
from faltung.plan.tape import Arrays, Tape


def train_relu(stage: Stage, tape: Tape) -> Backward | None:
    """Cut off; the output says where the gradient goes on."""
    (x,), y = stage.main.inputs, stage.output
    if not tape.has_chain(y, x):
        return None
    steps = (("load", 0), ("relu", 0))
    tape.run(stage, "chain", (x,), (y,), lambda at: chain(steps, (at[x],), at[y]))

    def backward(dout: str) -> None:
        if x in tape.needed:
            tape.pass_on(stage, x, tape.through_relu(stage, dout))

    return backward


def train_add(stage: Stage, tape: Tape) -> Backward | None:
    """Add two values of one shape, with the ReLU behind; else see `train_fixed`."""
    assert isinstance(stage.main.operator, ops.Add)
    a, b = stage.main.inputs
    shapes = {tape.values[name].shape for name in (a, b, stage.output)}
    if len(shapes) > 1 or not tape.has_chain(stage.output, a, b):
        return train_fixed(stage, tape)
    steps = [("load", 0), ("load", 1), ("add", 0, 1)]
    if stage.activation[0]:
        steps.append(("relu", 2))
    y = stage.output
    tape.run(stage, "chain", (a, b), (y,), lambda at: chain(steps, (at[a], at[b]), at[y]))

    def backward(dout: str) -> None:
        g = tape.masked(stage, dout)
        for name in (a, b):
            tape.pass_on(stage, name, g)

    return backward


def train_fixed(stage: Stage, tape: Tape) -> Backward | None:
    """Combine two values that no gradient goes to, as normalised pixels are."""
    a, b = stage.main.inputs
    y = stage.output
    if y in tape.needed or stage.activation[0] or not tape.has_chain(y, a, b):
        return None
    steps = (("load", 0), ("load", 1), (FUNCTIONS[stage.main.operator.onnx_type], 0, 1))

    def forward(at: Arrays) -> Array:
        return chain(steps, (at[a], at[b]), at[y])

    tape.run(stage, "chain", (a, b), (y,), forward)
    return lambda dout: None
