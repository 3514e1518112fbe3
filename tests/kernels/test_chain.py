"""Chains against NumPy, with an unreadable page behind every buffer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.kernels.chain_call import SEGMENT, axes_of, chain
from faltung.kernels.isa import ISAS, VARIABLE, has

HERE = [isa.name for isa in ISAS if has(isa)]
RNG = np.random.default_rng(0)
ODD = [np.nan, np.inf, -np.inf, 0.0, -0.0]


@pytest.fixture(params=HERE)
def isa(request: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(VARIABLE, request.param)
    return str(request.param)


def whole(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return RNG.integers(-4, 5, shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("space", [(), (1,), (7, 9), (SEGMENT + 3,)])
def test_arrays_are_broadcast_as_numpy_has_it(
    isa: str, guarded: Any, dtype: type, space: tuple[int, ...]
) -> None:
    ones = (1,) * len(space)
    x = whole(2, 5, *space, dtype=dtype)
    others = [whole(5, *ones, dtype=dtype), whole(2, 5, *ones, dtype=dtype), whole(dtype=dtype)]
    others.append(whole(*space[-1:], dtype=dtype))
    a, b, c, d = others
    loads = [("load", i) for i in range(5)]
    steps = [*loads, ("mul", 0, 1), ("add", 5, 2), ("sub", 6, 3), ("max", 7, 4), ("relu", 8)]
    given = [guarded.copy(array) for array in (x, *others)]
    y = guarded.array(x.shape, dtype)
    chain(steps, given, y)
    np.testing.assert_array_equal(y, np.maximum(np.maximum(x * a + b - c, d), 0))
    guarded.check()


@pytest.mark.parametrize("order", [(0, 2, 1, 3), (0, 2, 3, 1), (3, 2, 1, 0), (1, 0, 3, 2)])
def test_values_move_to_where_another_order_has_them(
    isa: str, guarded: Any, order: tuple[int, ...]
) -> None:
    x = guarded.copy(whole(2, 3, 5, 19))
    turned = x.transpose(order)
    y = guarded.array(turned.shape, np.float32)
    chain([("load", 0)], [turned], y)
    np.testing.assert_array_equal(y, turned)
    back = guarded.array(x.shape, np.float32)
    chain([("load", 0)], [y], back.transpose(order))
    np.testing.assert_array_equal(back, x)
    guarded.check()


def test_more_loops_than_there_are_are_not_taken() -> None:
    x = np.zeros((2, 2, 2, 2, 2, 2), np.float32)
    assert axes_of([x.transpose(5, 4, 3, 2, 1, 0)], x) is None
    assert axes_of([x.astype(np.float64)], x) is None
    assert axes_of([x] * 9, x) is None
    assert axes_of([x[:0]], x[:0]) is None


FUNCTIONS = {
    "exp": (np.exp, 2.0),
    "tanh": (np.tanh, 8.0),
    "logistic": (lambda x: 1 / (1 + np.exp(-x)), 5.0),
    "abs": (np.abs, 0.0),
    "neg": (np.negative, 0.0),
    "square": (np.square, 0.5),
    "sqrt": (np.sqrt, 0.5),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_within_units_of_the_last_place(isa: str, dtype: type, name: str) -> None:
    """As many units as roundings were made, at worst all to one side."""
    function, units = FUNCTIONS[name]
    drawn = [RNG.uniform(-low, low, 2000) for low in (110, 2, 1e-3)]
    x: np.ndarray = np.concatenate([*drawn, ODD]).astype(dtype)
    y = np.empty_like(x)
    chain([("load", 0), (name, 0)], [x], y)
    with np.errstate(all="ignore"):
        wide = np.asarray(function(x.astype(np.longdouble)))
        near = wide.astype(dtype)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(near))
    np.testing.assert_array_equal(y[np.isinf(near)], near[np.isinf(near)])
    known = np.isfinite(near)
    unit = np.spacing(np.abs(near[known])).astype(np.longdouble)
    assert (np.abs(y[known] - wide[known]) <= (units + 0.5) * unit).all()


def test_activations_keep_nan(isa: str) -> None:
    x: np.ndarray = np.array([*ODD, -7, 2, 8], np.float32)
    y = np.empty_like(x)
    with np.errstate(invalid="ignore"):
        swish = x * np.clip(x + 3, 0, 6) / 6
    wanted = {
        ("relu", 0, 0.0, 0.0): np.maximum(x, 0),
        ("clip", 0, -1.0, 2.0): np.minimum(np.maximum(x, -1), 2),
        ("leaky_relu", 0, 0.5, 0.0): np.where(x < 0, x * np.float32(0.5), x),
        ("hard_sigmoid", 0, 0.25, 0.5): np.clip(x * np.float32(0.25) + np.float32(0.5), 0, 1),
        ("hard_swish", 0, 0.0, 0.0): swish,
    }
    for step, expected in wanted.items():
        chain([("load", 0), step], [x], y)
        np.testing.assert_allclose(y, expected, rtol=1e-6)
