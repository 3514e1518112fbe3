"""Operators that compute nothing: other shapes, parts of arrays, and zeros around them."""

from __future__ import annotations

import numpy as np

from faltung import ops
from faltung.kernels.chain_call import axes_of, chain
from faltung.ops.operator import Array
from faltung.plan.lowerings.training import Backward
from faltung.plan.stages import Stage
from faltung.plan.tape import MOVED, Arrays, Reader, Tape


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


def train_concat(stage: Stage, tape: Tape) -> Backward | None:
    """Move each input to its part of the output, and each part of the gradient back."""
    operator, names, y = stage.main.operator, stage.main.inputs, stage.output
    assert isinstance(operator, ops.Concat)
    if not tape.is_compiled(y, *names):
        return None
    axis = operator.axis
    cuts = np.cumsum([tape.values[name].shape[axis] for name in names])[:-1]

    def forward(at: Arrays) -> Array:
        for name, part in zip(names, np.split(at[y], cuts, axis), strict=True):
            chain(MOVED, (at[name],), part)
        return at[y]

    tape.run(stage, "moves", names, (y,), forward)

    def backward(dout: str) -> None:
        for i, name in enumerate(names):

            def dx(at: Arrays, out: Array, residual: Array | None, i: int = i) -> Array:
                return chain(MOVED, (np.split(at[dout], cuts, axis)[i],), out)

            tape.give(stage, "moves", name, Reader(dx, (dout,)))

    return backward


def train_pad(stage: Stage, tape: Tape) -> Backward | None:
    """Fill the frame, and move the input into its middle; of the gradient the middle counts."""
    operator, (x,), y = stage.main.operator, stage.main.inputs, stage.output
    assert isinstance(operator, ops.Pad)
    is_frame = operator.mode == "zeros" and min(map(min, operator.pads), default=0) >= 0
    if not is_frame or not tape.is_compiled(y, x):
        return None
    sizes = zip(operator.pads, tape.values[x].shape, strict=True)
    middle = tuple(slice(lo, lo + size) for (lo, _), size in sizes)
    if axes_of((np.empty(*tape.values[y])[middle],), np.empty(*tape.values[x])) is None:
        return None
    filled = (("number", float(operator.value)),)

    def forward(at: Arrays) -> Array:
        chain(filled, (), at[y])
        chain(MOVED, (at[x],), at[y][middle])
        return at[y]

    tape.run(stage, "moves", (x,), (y,), forward)

    def backward(dout: str) -> None:
        def dx(at: Arrays, out: Array, residual: Array | None) -> Array:
            return chain(MOVED, (at[dout][middle],), out)

        tape.give(stage, "moves", x, Reader(dx, (dout,)))

    return backward
