"""Dense layers with the ReLU behind them."""

from __future__ import annotations

from math import prod

from faltung import ops
from faltung.kernels.chain import Step
from faltung.kernels.chain_call import chain
from faltung.kernels.channel_sums import channel_sums
from faltung.kernels.gemm_call import matmul
from faltung.ops.operator import Array
from faltung.plan.lowerings.dense import SMALL
from faltung.plan.lowerings.training import Backward
from faltung.plan.stages import Stage
from faltung.plan.tape import Arrays, Reader, Tape


def train_gemm(stage: Stage, tape: Tape) -> Backward | None:
    """Multiply as matrices lie, turned round or not."""
    operator, (x, w, *bias) = stage.main.operator, stage.main.inputs
    assert isinstance(operator, ops.Gemm)
    y, values, turned = stage.output, tape.values, operator.trans_b
    rows, columns = values[y].shape
    is_plain = operator.alpha == operator.beta == 1 and not operator.trans_a
    is_bias = all(values[b].shape == (columns,) for b in bias)
    if not is_plain or not is_bias or not tape.is_compiled(x, w, y):
        return None
    is_parallel = rows * prod(values[w].shape) >= SMALL

    def forward(at: Arrays) -> Array:
        made = matmul(at[x], at[w].T if turned else at[w], out=at[y])
        steps: list[Step] = [("load", i) for i in range(1 + len(bias))]
        if bias:
            steps.append(("add", 0, 1))
        if stage.activation[0]:
            steps.append(("relu", len(steps) - 1))
        return chain(steps, [made, *(at[b] for b in bias)], made) if len(steps) > 1 else made

    tape.run(stage, "matmul", stage.main.inputs, (y,), forward, is_parallel=is_parallel)

    def backward(dout: str) -> None:
        g = tape.masked(stage, dout)

        def dw(at: Arrays, out: Array, residual: Array | None) -> Array:
            return matmul(at[g].T, at[x], out=out) if turned else matmul(at[x].T, at[g], out=out)

        def db(at: Arrays, out: Array, residual: Array | None) -> Array:
            return channel_sums(at[g], out=out)

        def dx(at: Arrays, out: Array, residual: Array | None) -> Array:
            return matmul(at[g], at[w] if turned else at[w].T, out=out)

        tape.give(stage, "matmul", w, Reader(dw, (x, g)), is_parallel=is_parallel)
        for b in bias:
            tape.give(stage, "sums", b, Reader(db, (g,)))
        tape.give(stage, "matmul", x, Reader(dx, (g, w)), is_parallel=is_parallel)

    return backward
