"""Functions of one array outside their domain, at kinks and at halves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from faltung.ops import Abs, Cast, Gelu, HardSwish, Log, Pow, PRelu, Reciprocal, Round, Sqrt
from faltung.ops.erf import erf
from faltung.ops.operator import AbstractOperator, Array

inf, nan = math.inf, math.nan


def value(operator: AbstractOperator, *inputs: Array) -> Array:
    return operator.forward(inputs)[0][0]


def gradient(operator: AbstractOperator, *inputs: Array) -> list[Array | None]:
    (y,), _, saved = operator.forward(inputs)
    return list(operator.backward(saved, [np.ones_like(y)]))


@pytest.mark.parametrize(
    ("operator", "x", "y"),
    [
        (Sqrt(), [-1.0, 0.0, inf], [nan, 0.0, inf]),
        (Log(), [-1.0, 0.0, inf], [nan, -inf, inf]),
        (Reciprocal(), [0.0, -0.0, inf], [inf, -inf, 0.0]),
        (Round(), [-1.5, -0.5, 0.5, 1.5, 2.5], [-2.0, 0.0, 0.0, 2.0, 2.0]),
    ],
    ids=["sqrt", "log", "reciprocal", "round"],
)
def test_outside_of_a_domain_and_at_halves(
    operator: AbstractOperator, x: list[float], y: list[float]
) -> None:
    np.testing.assert_array_equal(value(operator, np.array(x)), y)


def test_gradients_at_kinks() -> None:
    (dx,) = gradient(Abs(), np.array([-2.0, 0.0, 2.0]))
    assert dx is not None
    assert dx.tolist() == [-1.0, 0.0, 1.0]
    (dx,) = gradient(HardSwish(), np.array([-3.0, 3.0]))
    assert dx is not None
    assert dx.tolist() == [0.0, 1.0]
    dx, dslope = gradient(PRelu(), np.array([0.0]), np.array([0.25]))
    assert dx is not None
    assert dslope is not None
    assert (dx.tolist(), dslope.tolist()) == ([0.25], [0.0])


def test_integers_keep_their_dtype_and_have_no_gradient() -> None:
    base = np.array([[2, 3], [-2, 7]], np.int32)
    power = value(Pow(), base, np.array([3, 2], np.int64))
    assert power.dtype == np.int32
    assert power.tolist() == [[8, 9], [-8, 49]]
    assert gradient(Pow(), base, base) == [None, None]
    assert value(Abs(), np.array([-3], np.int8)).dtype == np.int8


def test_the_exponent_of_a_number_that_is_not_positive_has_gradient_0() -> None:
    da, db = gradient(Pow(), np.array([-2.0, 0.0, 0.0]), np.array([2.0, 2.0, 0.0]))
    assert da is not None
    assert db is not None
    assert (da.tolist(), db.tolist()) == ([-4.0, 0.0, 0.0], [0.0, 0.0, 0.0])


def test_a_cast_between_floats_hands_its_gradient_on_in_the_inputs_dtype() -> None:
    (dx,) = gradient(Cast("float64"), np.ones(2, np.float32))
    assert dx is not None
    assert dx.dtype == np.float32
    assert gradient(Cast("int64"), np.ones(2, np.float32)) == [None]
    assert value(Cast("int32"), np.array([-1.9, 1.9])).tolist() == [-1, 1]
    assert value(Cast("bool"), np.array([nan, 0.0, -0.5])).tolist() == [True, False, True]


def test_erf_is_within_four_units_of_the_last_place() -> None:
    x = np.concatenate([np.linspace(-7, 7, 20001), [1e-300, -1e-9, 0.46875, 4.0]])
    want = np.array([math.erf(v) for v in x])
    assert np.all(np.abs(erf(x) - want) <= 4 * np.finfo(float).eps * np.abs(want))
    assert erf(np.array([inf, -inf])).tolist() == [1.0, -1.0]
    assert erf(np.float32([0.5])).dtype == np.float32


def test_the_tail_of_gelu_keeps_its_sign() -> None:
    assert value(Gelu(), np.array([-30.0, 30.0])).tolist() == [0.0, 30.0]
