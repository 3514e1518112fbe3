"""Matrix products with weights that are known, and the activation behind them."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Final

import numpy as np

from faltung import ops
from faltung.kernels.choose import compiled_for
from faltung.kernels.dense_rows import dense
from faltung.kernels.epilogue import Epilogue
from faltung.kernels.gemm_call import matmul
from faltung.ops.operator import Array
from faltung.plan.room import Room, Step
from faltung.plan.stages import Stage

ROWS: Final = 512
"""Rows up to which weights are read from memory, not from a cache, most of the time."""
MANY: Final = 16
"""Rows of an image from which weights that are read once stay in a cache."""
PAIRS: Final = 64
"""Products that are written down one by one."""
SMALL: Final = 100_000
"""Multiply-accumulates for which a second thread is not worth waking."""


def lower_gemm(stage: Stage, room: Room) -> Step | None:
    """Run a dense layer; factors are multiplied into weights and bias beforehand."""
    operator, inputs = stage.main.operator, stage.main.inputs
    assert isinstance(operator, ops.Gemm)
    if operator.trans_a or any(name not in room.known for name in inputs[1:]):
        return None
    x, w = (room.arrays[name] for name in inputs[:2])
    columns = w.shape[0] if operator.trans_b else w.shape[1]
    b = None
    if len(inputs) > 2:
        b = room.arrays[inputs[2]]
        if b.ndim == 2 and b.shape[0] != 1:
            return None
        b = np.broadcast_to(b, (1, columns))[0] * b.dtype.type(operator.beta)

    rows = np.ascontiguousarray(w) if operator.trans_b else room.known.turned(inputs[1])
    if operator.alpha != 1:
        rows = rows * w.dtype.type(operator.alpha)
    return _step(stage, room, x, rows, b)


def lower_matmul(stage: Stage, room: Room) -> Step | None:
    """Multiply by a known matrix, whose columns become rows beforehand; or by any others."""
    x, w = (room.arrays[name] for name in stage.main.inputs)
    is_known = stage.main.inputs[1] in room.known
    if not is_known or w.ndim != 2 or x.ndim < 2:
        return _products(stage, room, x, w)
    # The batch has no part in the choice: an image has the same bits in any.
    if prod(x.shape[1:-1]) >= MANY:
        return _products(stage, room, x.reshape(-1, x.shape[-1]), w)
    rows = room.known.turned(stage.main.inputs[1])
    return _step(stage, room, x.reshape(-1, x.shape[-1]), rows, None)


def _step(stage: Stage, room: Room, x: Array, w: Array, b: Array | None) -> Step | None:
    y = room.arrays[stage.output]
    is_float = y.dtype in (np.float32, np.float64) and x.dtype == w.dtype == y.dtype
    if not is_float or not compiled_for() or not y.size or x.shape[0] > ROWS:
        return None
    call = partial(
        dense, x, w, b, out=y.reshape(-1, w.shape[0]), epilogue=Epilogue(*stage.activation)
    )
    is_parallel = x.shape[0] * prod(w.shape) >= SMALL
    return room.step(stage, "dense", [call], is_parallel=is_parallel)


def _products(stage: Stage, room: Room, a: Array, b: Array) -> Step | None:
    """Multiply pairs of matrices, one after the other."""
    y = room.arrays[stage.output]
    y = y.reshape(-1, y.shape[-1]) if a.ndim == b.ndim == 2 else y
    is_float = y.dtype in (np.float32, np.float64) and a.dtype == b.dtype == y.dtype
    if not is_float or not compiled_for() or min(a.ndim, b.ndim) < 2 or not y.size or not a.size:
        return None
    lead = y.shape[:-2]
    if prod(lead) > PAIRS:
        return None
    wide_a, wide_b = (np.broadcast_to(x, (*lead, *x.shape[-2:])) for x in (a, b))
    calls = [partial(matmul, wide_a[at], wide_b[at], out=y[at]) for at in np.ndindex(*lead)]
    is_parallel = prod(y.shape[-2:]) * a.shape[-1] >= SMALL
    return room.step(stage, "matmul", calls, is_parallel=is_parallel)
