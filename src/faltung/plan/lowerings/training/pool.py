"""Of many numbers one: pooling over windows, and the mean over all of space."""

from __future__ import annotations

from math import prod

import numpy as np

from faltung import ops
from faltung.geometry.window import PoolWindow
from faltung.kernels import memory
from faltung.kernels.chain_call import axes_of, chain
from faltung.kernels.means import means
from faltung.ops.operator import Array
from faltung.plan.lowerings.pool import LARGE
from faltung.plan.lowerings.training import Backward
from faltung.plan.stages import Stage
from faltung.plan.tape import Arrays, Reader, Tape


def train_max_pool(stage: Stage, tape: Tape) -> Backward | None:
    """Run rows of the registry; on the way back the input says which number won."""
    operator, (x,) = stage.main.operator, stage.main.inputs
    assert isinstance(operator, ops.MaxPool)
    if operator.indices:
        return None
    return _train_pool(stage, tape, operator.window(tape.values[x].shape), "max_pool", (), (x,))


def train_average_pool(stage: Stage, tape: Tape) -> Backward | None:
    """Run rows of the registry."""
    operator, (x,) = stage.main.operator, stage.main.inputs
    assert isinstance(operator, ops.AveragePool)
    window, more = operator.window(tape.values[x].shape), (operator.count_include_pad,)
    return _train_pool(stage, tape, window, "avg_pool", more, ())


def _train_pool(
    stage: Stage,
    tape: Tape,
    window: PoolWindow,
    operation: str,
    more: tuple[bool, ...],
    saved: tuple[str, ...],
) -> Backward | None:
    (x,), y = stage.main.inputs, stage.output
    dtype, nbytes = tape.values[x].dtype, tape.values[x].nbytes
    if dtype not in (np.float32, np.float64) or 0 in window.out_shape or 0 in window.x_shape:
        return None
    row, row_dx = (tape.row(name, window, dtype) for name in (operation, f"{operation}_dx"))
    if row is None or row_dx is None:
        return None

    def forward(at: Arrays) -> Array:
        return row.load()(window, at[x], *more)

    is_parallel = nbytes >= LARGE
    how = {"is_parallel": is_parallel, "is_launched": row.replays}
    tape.run(stage, row.name, (x,), (y,), forward, **how)

    def backward(dout: str) -> None:
        def dx(at: Arrays, out: Array, residual: Array | None) -> Array:
            return row_dx.load()(window, *(at[name] for name in (*saved, dout)), *more)

        how = {"is_parallel": is_parallel, "is_launched": row_dx.replays}
        tape.give(stage, row_dx.name, x, Reader(dx, (*saved, dout)), **how)

    return backward


SPREAD = (("load", 0), ("load", 1), ("div", 0, 1))


def train_mean(stage: Stage, tape: Tape) -> Backward | None:
    """Average all of space, and spread the gradient evenly."""
    (x,), y = stage.main.inputs, stage.output
    shape = tape.values[x].shape
    if not tape.is_compiled(x):
        return None
    size = prod(shape[2:])
    count = memory.constant(np.full(1, size, tape.values[x].dtype))
    how = {"is_parallel": tape.values[x].nbytes >= LARGE}

    def forward(at: Arrays) -> Array:
        means(at[x].reshape(-1, size), out=at[y].reshape(-1))
        return at[y]

    tape.run(stage, "means", (x,), (y,), forward, **how)

    def backward(dout: str) -> None:
        def dx(at: Arrays, out: Array, residual: Array | None) -> Array:
            # Rows of pixels: however many axes space has, there are two.
            rows = out.reshape(-1, size)
            given = (at[dout].reshape(-1, 1), count)
            assert axes_of(given, rows) is not None
            chain(SPREAD, given, rows)
            return out

        tape.give(stage, "chain", x, Reader(dx, (dout,)), **how)

    return backward
