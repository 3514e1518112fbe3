"""Values: an operator against its definition, and its gradients against both of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np

from faltung.ops.operator import Array
from faltung.testing.cases import Case
from faltung.testing.compare import assert_exact, assert_within, require, rounding_bound
from faltung.testing.data import draw, draw_like, gap, rng_of
from faltung.testing.onnx_model import evaluate_by_onnx
from faltung.testing.oracles import Expected, oracle_of
from faltung.testing.running import Run, naming, run, strict

FINITE: Final = (("integers", np.float32), ("reals", np.float64), ("extreme", np.float32))
UNKNOWN_TERMS: Final = 64
"""Roundings granted to an operator of which nothing is known but its ONNX form."""


def check_values(case: Case) -> None:
    """Compare the outputs with the definition.

    That is `faltung.reference` for the operators it defines, else the operator's own ONNX form run
    by ONNX's reference evaluator in float64. Whole numbers whose sums are exact have to come out
    exactly; others within the bound that the number and the size of their terms give. NaN and
    infinities have to be exactly where the definition has them.
    """
    with naming("check_values", case):
        for kind, dtype in FINITE:
            inputs = draw(case, kind, dtype)
            with strict():
                done = run(case, inputs)
            compare_with(done.outputs, definition(case, inputs), dtype, f"outputs on {kind}")
        for i in range(len(case.in_shapes)):
            _check_non_finite(case, i)


def _check_non_finite(case: Case, i: int) -> None:
    inputs = draw(case, "non-finite", np.float64, broken=i)
    with np.errstate(all="ignore"):
        done = run(case, inputs)
    what = f"outputs where input {i} has NaN and infinity"
    compare_with(done.outputs, definition(case, inputs), np.float64, what)


def definition(case: Case, inputs: Sequence[Array]) -> list[Expected]:
    """Return what the outputs are by definition, computed in float64."""
    wide = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in inputs]
    oracle = oracle_of(case.operator)
    with np.errstate(all="ignore"):
        if oracle is not None:
            return [oracle.forward(case.operator, wide)]
        return [_of_unknown_size(y, wide) for y in evaluate_by_onnx(case, wide)]


def _of_unknown_size(values: Array, inputs: Sequence[Array]) -> Expected:
    """Values of whose terms nothing is known: as large as anything that is there."""
    largest = max(float(np.abs(a[np.isfinite(a)]).max(initial=1.0)) for a in (values, *inputs))
    return Expected(values, np.full(values.shape, largest), UNKNOWN_TERMS)


def compare_with(
    got: Sequence[Array | None], want: Sequence[Expected | None], dtype: Any, what: str
) -> None:
    """Fail unless every array is what was expected, computed in ``dtype``."""
    require(len(got) == len(want), f"{what}: {len(got)} arrays, want {len(want)}")
    for position, (array, expected) in enumerate(zip(got, want, strict=True)):
        name = f"{what}, number {position}"
        if expected is None:
            require(array is None, f"{name}: an array where there should be none")
            continue
        if array is None:
            raise AssertionError(f"{name}: none where there should be an array")
        if array.dtype.kind != "f":
            require(array.dtype == expected.values.dtype, f"{name} is {array.dtype}")
            assert_exact(array, expected.values, name)
            continue
        values, magnitude, terms, whole = expected
        narrow = min(array.dtype, np.dtype(dtype), key=lambda d: d.itemsize)
        with np.errstate(over="ignore"):  # what the dtype does not hold is infinite in it
            values = np.where(np.isinf(values.astype(dtype)), values.astype(dtype), values)
        whole = whole and bool(np.all((magnitude == np.floor(magnitude))[np.isfinite(magnitude)]))
        bound = rounding_bound(terms, magnitude, narrow, whole)
        assert_within(array, values, bound, name)


def check_gradients(case: Case) -> None:
    """Compare the gradients with central differences and, where they are defined, with those.

    Each input is moved along random directions, in float64, at values that no kink is near; in
    inference and, where it does something else, in training. The definition's gradients are
    compared value by value, on whole numbers with ties among them.
    """
    with naming("check_gradients", case):
        oracle = oracle_of(case.operator)
        for kind, dtype in FINITE if oracle is not None else ():
            inputs = draw(case, kind, dtype)
            with strict():
                done = run(case, inputs)
                douts = draw_like(case, done.outputs, "integers" if kind == "integers" else "reals")
                got = done.gradients(douts)
            wide = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in (*inputs, douts[0])]
            with np.errstate(all="ignore"):
                want = oracle.backward(case.operator, wide[:-1], wide[-1])  # type: ignore[union-attr]
            compare_with(got, want, dtype, f"gradients on {kind}")
        for training in (False, True):
            _check_slopes(case, training)


def _check_slopes(case: Case, training: bool) -> None:
    inputs = draw(case, "distinct", np.float64)
    done = run(case, inputs, training=training)
    douts = draw_like(case, done.outputs, "reals")
    grads = done.gradients(douts)
    rng = rng_of(case, "directions")
    step = min(gap(inputs) / 4, 2.0**-6)
    for i, (x, dx) in enumerate(zip(inputs, grads, strict=True)):
        if i in case.operator.state_inputs:
            require(dx is None, f"input {i} is state, which has no gradient")
            continue
        if x.dtype.kind != "f":
            require(dx is None, f"input {i} is of {x.dtype}, which has no gradient")
            continue
        direction = rng.uniform(-1, 1, x.shape)
        slope, error = _slope(done, douts, i, direction * step, training)
        mine = 0.0 if dx is None else float(np.sum(dx * direction * step))
        mode = "training" if training else "inference"
        name = f"input {i} in {mode}: <dx, d> against the central difference"
        assert_within(mine, slope, error, name)


def _slope(
    done: Run, douts: Sequence[Array], i: int, move: Array, training: bool
) -> tuple[float, float]:
    """Return the slope of ``sum(dout * f)`` along ``move``, and how far off it may be.

    Central differences over the whole move, half and a quarter of it, extrapolated twice
    (Richardson): what the last extrapolation changed bounds what it left. Rounding adds
    what it may do to the two sums, divided by the smallest of the moves.
    """
    size = 0.0

    def total(factor: float) -> float:
        nonlocal size
        moved = np.asarray(done.inputs[i] + factor * move)
        inputs = [moved if j == i else x for j, x in enumerate(done.inputs)]
        outputs = run(done.case, inputs, training=training).outputs
        size = max(
            size, sum(float(np.sum(abs(d * y))) for d, y in zip(douts, outputs, strict=True))
        )
        return sum(float(np.sum(d * y)) for d, y in zip(douts, outputs, strict=True))

    table = [(total(f) - total(-f)) / (2 * f) for f in (1.0, 0.5, 0.25)]
    once = [(4 * fine - coarse) / 3 for coarse, fine in pairwise(table)]
    twice = (16 * once[1] - once[0]) / 15
    count = sum(y.size for y in done.outputs) + UNKNOWN_TERMS
    floats = [y.dtype for y in done.outputs if y.dtype.kind == "f"]
    narrow = min(floats, key=lambda d: d.itemsize, default=np.dtype(np.float64))
    rounding = float(rounding_bound(4 * count, max(size, 1.0), narrow)) / 0.25
    return twice, abs(twice - once[1]) + rounding
