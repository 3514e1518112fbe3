"""Training: state that moves, values that are dropped, and operators that do neither."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from faltung.errors import FaltungError
from faltung.ops.operator import Array
from faltung.testing.cases import Case
from faltung.testing.compare import (
    assert_exact,
    assert_same_bits,
    assert_within,
    require,
    rounding_bound,
)
from faltung.testing.data import draw, draw_like
from faltung.testing.oracles import normalisation
from faltung.testing.running import KEY, Run, naming, run, strict
from faltung.testing.values import compare_with

MANY: Final = (48, 64)
"""Enough values for their share to say what the chance was."""


def check_training(case: Case) -> None:
    """Check what training changes: the state, what the key decides, or nothing at all.

    In inference no state moves and the key is of no account. In training only declared state
    moves; an operator that draws gives the same for the same key, something else for another, and
    refuses to go without one. Batch normalisation and dropout are held to their definitions.
    """
    with naming("check_training", case):
        inputs = draw(case, "reals", np.float32)
        calm = run(case, inputs, key=None)
        require(not calm.state, f"inference moves the state {sorted(calm.state)}")
        for y, same in zip(calm.outputs, run(case, inputs, key=KEY).outputs, strict=True):
            assert_same_bits(same, y, "inference, with a key")
        done = run(case, inputs, training=True)
        declared = set(done.state) <= set(case.operator.state_inputs)
        require(declared, f"the state {sorted(done.state)} moves, which is not declared")
        match case.operator.onnx_type:
            case "BatchNormalization":
                _check_normalisation(case)
            case "Dropout":
                _check_dropout(case)
            case _:
                _check_other(case, calm, done)


def _check_other(case: Case, calm: Run, done: Run) -> None:
    """An operator that has neither state nor chance does the same in training."""
    if case.operator.state_inputs or _draws(case):
        return
    for y, same in zip(done.outputs, calm.outputs, strict=True):
        assert_same_bits(y, same, "training, of an operator without state or chance")
    douts = draw_like(case, calm.outputs, "reals")
    for dx, calm_dx in zip(done.gradients(douts), calm.gradients(douts), strict=True):
        if dx is not None and calm_dx is not None:
            assert_same_bits(dx, calm_dx, "gradients in training")


def _draws(case: Case) -> bool:
    """Whether the operator asks for a key; then another key must give other values."""
    inputs = draw(case, "reals")
    try:
        run(case, inputs, training=True, key=None)
    except FaltungError:
        pass
    else:
        return False
    one, same, other = (run(case, inputs, training=True, key=(k,)).outputs for k in (1, 1, 2))
    for a, b in zip(one, same, strict=True):
        assert_same_bits(a, b, "training with the same key")
    differ = any(not np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    require(differ, "another key gives the same values")
    return True


def _check_normalisation(case: Case) -> None:
    operator: Any = case.operator
    for kind, dtype in (("integers", np.float64), ("reals", np.float32), ("reals", np.float64)):
        inputs = draw(case, kind, dtype)
        wide = [x.astype(np.float64) for x in inputs]
        with strict():
            done = run(case, inputs, training=True)
            douts = draw_like(case, done.outputs, "reals")
            grads = done.gradients(douts)
        wanted = normalisation.training_outputs(operator, wide)
        compare_with(done.outputs, [wanted], dtype, "outputs in training")
        state = normalisation.training_state(operator, wide)
        require(set(done.state) == set(state), f"training moves the state {sorted(done.state)}")
        for i, expected in state.items():
            compare_with([done.state[i]], [expected], dtype, f"state {i}")
        dout = douts[0].astype(np.float64)
        by_hand = normalisation.training_gradients(operator, wide, dout)
        compare_with(grads, by_hand, dtype, "gradients in training")


def _check_dropout(case: Case) -> None:
    operator: Any = case.operator
    require(_draws(case), "training must ask for a key")
    large = case._replace(in_shapes=(MANY,))
    for dtype in (np.float32, np.float64):
        (x,) = draw(large, "distinct", dtype)
        done = run(large, [x], training=True)
        kept = done.outputs[0] != 0
        _require_share(kept, 1 - operator.ratio)
        _require_scaled(done.outputs[0], x, kept, operator.ratio)
        (dout,) = draw_like(large, [x], "reals")
        (dx,) = done.gradients([dout])
        require(dx is not None, "training has no gradient")
        _require_scaled(np.asarray(dx), dout, kept, operator.ratio)
        other = run(large, [np.asarray(-2 * x)], training=True)
        assert_exact(other.outputs[0] != 0, kept, "what is kept of other values with the same key")
        calm = run(large, [x])
        assert_same_bits(calm.outputs[0], x, "inference")


def _require_share(kept: Array, share: float) -> None:
    """Five standard deviations around the chance, over all and along each row and column."""
    sigma = math.sqrt(share * (1 - share) / kept.size)
    found = float(kept.mean())
    text = f"{found:.3f} of the values are kept, want {share:.3f} and at most {5 * sigma:.3f} off"
    require(abs(found - share) <= 5 * sigma, text)
    for axis in (0, 1):
        lines = kept.mean(axis=axis)
        require(bool(np.all((lines > 0) & (lines < 1))), "whole rows or columns stay or go")


def _require_scaled(y: Array, x: Array, kept: Array, ratio: float) -> None:
    want = np.where(kept, x.astype(np.float64) / (1 - ratio), 0.0)
    bound = rounding_bound(3, np.abs(want), x.dtype)
    assert_within(y, want, bound, "values that stay, divided by 1 - ratio")
