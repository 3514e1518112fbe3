"""What is computed number by number."""

from __future__ import annotations

from faltung import ops
from faltung.kernels.chain_call import chain
from faltung.ops.operator import Array
from faltung.plan.chains import FUNCTIONS
from faltung.plan.lowerings.training import Backward
from faltung.plan.stages import Stage
from faltung.plan.tape import Arrays, Reader, Tape


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


def train_function(stage: Stage, tape: Tape) -> Backward | None:
    """Compute a function; its gradient follows from its output, or from its input."""
    operator, (x,), y = stage.main.operator, stage.main.inputs, stage.output
    assert isinstance(operator, (ops.LeakyRelu, ops.Sigmoid, ops.Tanh))
    if not tape.has_chain(y, x):
        return None
    steps, steps_dx = operator.steps, operator.steps_dx
    tape.run(stage, "chain", (x,), (y,), lambda at: chain(steps, (at[x],), at[y]))
    saved = x if isinstance(operator, ops.LeakyRelu) else y

    def backward(dout: str) -> None:
        def dx(at: Arrays, out: Array, residual: Array | None) -> Array:
            return chain(steps_dx, (at[dout], at[saved]), out)

        tape.give(stage, "chain", x, Reader(dx, (dout, saved)))

    return backward


TIMES = (("load", 0), ("load", 1), ("mul", 0, 1))


def train_dropout(stage: Stage, tape: Tape) -> Backward | None:
    """Draw what stays as the operator does, and thin out input and gradient by that."""
    operator, (x,), y = stage.main.operator, stage.main.inputs, stage.output
    assert isinstance(operator, ops.Dropout)
    if operator.mask or not operator.ratio or not tape.has_chain(y, x):
        return None
    factor, position = tape.like(f"{y} factor", x), tape.positions[stage.main.name]

    def draw(at: Arrays) -> None:
        key = tape.turn.key
        at[factor][...] = operator.drawn(at[x], (*key, position) if key else None)

    def forward(at: Arrays) -> Array:
        return chain(TIMES, (at[x], at[factor]), at[y])

    tape.run(stage, "drawn", (x,), (factor,), draw, is_launched=False)
    tape.run(stage, "chain", (x, factor), (y,), forward)

    def backward(dout: str) -> None:
        def dx(at: Arrays, out: Array, residual: Array | None) -> Array:
            return chain(TIMES, (at[dout], at[factor]), out)

        tape.give(stage, "chain", x, Reader(dx, (dout, factor)))

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
