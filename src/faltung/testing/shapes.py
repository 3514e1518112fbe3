"""Shapes and dtypes: what an operator announces, and what then comes out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from faltung.errors import FaltungError
from faltung.ops.operator import Array, Shape, point
from faltung.testing.cases import Case, is_open
from faltung.testing.compare import require
from faltung.testing.data import draw, draw_like
from faltung.testing.running import Run, naming, run


def check_shapes(case: Case) -> None:
    """Compare the shapes and dtypes that come out with those that were announced.

    float32 and float64 stay what they are, in outputs, gradients and state; a gradient is shaped
    like its input. A named batch size is handed on, or refused with an error.
    """
    with naming("check_shapes", case):
        announced = tuple(case.operator.out_shapes(case.in_shapes))
        for dtype, training in product((np.float32, np.float64), (False, True)):
            done = run(case, draw(case, dtype=dtype), training=training)
            shapes = tuple(y.shape for y in done.outputs)
            fit = len(shapes) == len(announced) and all(map(_fits, shapes, announced))
            require(fit, f"outputs are {shapes}, announced {announced}")
            _require_dtypes(done)
            grads = done.gradients(draw_like(case, done.outputs))
            _require_like(grads, done.inputs, "gradient")
            state = [done.state.get(i) for i in range(len(done.inputs))]
            _require_like(state, done.inputs, "state")
        if not is_open(case):
            _check_named_batch(case, announced)


def _fits(shape: Shape, announced: Shape) -> bool:
    """Whether a shape is what was announced; a name stands for any size."""
    same = len(shape) == len(announced)
    return same and all(
        n == want or not isinstance(want, int) for n, want in zip(shape, announced, strict=True)
    )


def _require_dtypes(done: Run) -> None:
    announced = tuple(done.case.operator.out_dtypes([x.dtype for x in done.inputs]))
    for y in done.outputs:
        require(isinstance(y, np.ndarray), f"an output is no array but {type(y)}")
    dtypes = tuple(y.dtype for y in done.outputs)
    require(dtypes == announced, f"outputs are of {dtypes}, announced {announced}")
    floats = next((x.dtype for x in done.inputs if x.dtype.kind == "f"), None)
    for dtype in dtypes:
        kept = dtype.kind != "f" or floats in (None, dtype) or is_converted(done.case)
        require(kept, f"an output is {dtype}, want {floats}")


def is_converted(case: Case) -> bool:
    """Whether the operator is there to change the dtype."""
    return hasattr(case.operator, "to")


def _require_like(arrays: Sequence[Array | None], like: Sequence[Array], what: str) -> None:
    for i, (array, other) in enumerate(zip(arrays, like, strict=True)):
        if array is not None:
            require(isinstance(array, np.ndarray), f"{what} {i} is no array but {type(array)}")
            require(array.dtype == other.dtype, f"{what} {i} is {array.dtype}, want {other.dtype}")
            shapes = f"{what} {i} is {array.shape}, want {other.shape}"
            require(array.shape == other.shape, shapes)


def _check_named_batch(case: Case, announced: tuple[Shape, ...]) -> None:
    followers = batch_axes(case, announced[0])
    if not followers:
        return
    named: list[Shape] = list(case.in_shapes)
    for i, axis in followers:
        named[i] = (*named[i][:axis], "N", *named[i][axis + 1 :])
    try:
        got = tuple(case.operator.out_shapes(named))
    except FaltungError:
        return  # it says that it needs a number; whether it should is its own examples' matter
    want = ("N", *announced[0][1:])
    require(tuple(got[0]) == want, f"with a named batch the output is {got[0]}, want {want}")


def batch_axes(case: Case, out: Shape) -> list[tuple[int, int]]:
    """Return the (input, axis) whose position is that of output axis 0, wherever that is tried."""
    if not out or 0 in out:
        return []
    rows = [(n, *rest) for n in range(int(out[0])) for rest in _corners(out[1:])]
    taps = [case.operator.taps(case.in_shapes, row) for row in rows]
    found = []
    for i, shape in enumerate(case.in_shapes):
        for axis, size in enumerate(shape):
            same = all(t[i][axis] == point(row[0]) for t, row in zip(taps, rows, strict=True))
            if same and size == out[0] and size > 1:
                found.append((i, axis))
    return found


def _corners(shape: Shape) -> list[tuple[int, ...]]:
    return [tuple(0 for _ in shape), tuple(int(n) - 1 for n in shape)]
