"""Dense rows, means, softmax and larger images against NumPy, on every instruction set."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.kernels.dense_rows import dense
from faltung.kernels.epilogue import Epilogue
from faltung.kernels.isa import ISAS, VARIABLE, chosen, has
from faltung.kernels.largest import largest
from faltung.kernels.means import means
from faltung.kernels.registry import gamma
from faltung.kernels.softmax_rows import softmax, softmax_dx
from faltung.kernels.weave import can_repeat, repeat, weave

HERE = [isa.name for isa in ISAS if has(isa)]
RNG = np.random.default_rng(0)
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(params=HERE)
def isa(request: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(VARIABLE, request.param)
    return str(request.param)


@DTYPES
@pytest.mark.parametrize("rows", [1, 2, 3, 5, 9])
@pytest.mark.parametrize(("inner", "outputs"), [(1, 1), (7, 5), (100, 33), (129, 8), (0, 3)])
def test_dense_layers_are_exact_on_whole_numbers(
    isa: str, guarded: Any, dtype: type, rows: int, inner: int, outputs: int
) -> None:
    x, w, b = (
        guarded.copy(RNG.integers(-4, 5, shape).astype(dtype))
        for shape in ((rows, inner), (outputs, inner), (outputs,))
    )
    y = guarded.array((rows, outputs), dtype)
    dense(x, w, b, out=y)
    np.testing.assert_array_equal(y, x @ w.T + b)
    np.testing.assert_array_equal(dense(x, w, epilogue=Epilogue("relu")), np.maximum(x @ w.T, 0))
    guarded.check()


def test_a_row_has_the_same_bits_among_any_others(isa: str) -> None:
    x, w = (RNG.normal(size=(9, 77)).astype(np.float32) for _ in range(2))
    whole = dense(x, w)
    for count in (1, 2, 4):
        np.testing.assert_array_equal(dense(x[:count], w), whole[:count])


@DTYPES
@pytest.mark.parametrize("shape", [(1, 1), (3, 49), (70, 196), (2, 1000)])
def test_means_are_rounded_once_of_a_sum_in_float64(
    isa: str, guarded: Any, dtype: type, shape: tuple[int, int]
) -> None:
    x = guarded.copy(RNG.normal(size=shape).astype(dtype))
    y = guarded.array(shape[:1], dtype)
    means(x, out=y)
    wide = x.astype(np.longdouble)
    size = np.abs(wide).mean(axis=1)
    bound = gamma(shape[1] + 1, np.dtype(np.float64)) * size + np.finfo(dtype).eps * np.abs(y) / 2
    assert (np.abs(y - wide.mean(axis=1)) <= bound).all()
    guarded.check()


@DTYPES
@pytest.mark.parametrize("shape", [(1, 1), (3, 1000), (40, 7), (2, 33)])
def test_softmax_is_within_its_roundings(
    isa: str, guarded: Any, dtype: type, shape: tuple[int, int]
) -> None:
    x = guarded.copy((5 * RNG.normal(size=shape)).astype(dtype))
    y = guarded.array(shape, dtype)
    softmax(x, out=y)
    wide = np.exp(x.astype(np.longdouble) - x.max(axis=1, keepdims=True))
    wide /= wide.sum(axis=1, keepdims=True)
    # Of a difference up to d, rounded, the exponential moves by d units; then two of its own, a
    # sum and a quotient.
    largest = float(x.max() - x.min())
    bound = gamma(shape[1] + 8 + 2 * round(largest), np.dtype(dtype)) * wide
    assert (np.abs(y - wide) <= bound).all()
    guarded.check()


def test_what_is_no_number_stays_in_its_row(isa: str) -> None:
    x = np.zeros((4, 20), np.float32)
    x[0, 3], x[1, 4], x[2, 19] = np.nan, -np.inf, np.inf
    y = softmax(x)
    assert np.isnan(y[0]).all()
    assert y[1, 4] == 0
    assert np.isnan(y[2]).all()  # its largest less itself is no number, and so is the sum
    np.testing.assert_allclose(y[3], 0.05, rtol=1e-6)


@DTYPES
@pytest.mark.parametrize("space", [(1, 1), (5, 19), (3, 64)])
def test_images_are_repeated_and_woven(
    isa: str, guarded: Any, dtype: type, space: tuple[int, int]
) -> None:
    x = guarded.copy(RNG.normal(size=(2, 12, *space)).astype(dtype))
    h, w = space
    for times in (2, 4, 8):
        found = chosen("")
        assert found is not None
        if can_repeat(times, found, x.itemsize):
            y = guarded.array((2, 12, times * h, times * w), dtype)
            repeat(x, times, out=y)
            np.testing.assert_array_equal(y, x.repeat(times, 2).repeat(times, 3))
    y = guarded.array((2, 3, 2 * h, 2 * w), dtype)
    weave(x, out=y)
    parts = x.reshape(2, 3, 2, 2, h, w).transpose(0, 1, 4, 2, 5, 3)
    np.testing.assert_array_equal(y, parts.reshape(y.shape))
    guarded.check()


@DTYPES
@pytest.mark.parametrize("shape", [(1, 1), (3, 49), (70, 196), (2, 1000)])
def test_gradients_of_softmax_are_within_their_bound(
    isa: str, guarded: Any, dtype: type, shape: tuple[int, int]
) -> None:
    y = guarded.copy(softmax(RNG.normal(size=shape).astype(dtype)))
    dy = guarded.copy(RNG.normal(size=shape).astype(dtype))
    dx = softmax_dx(y, dy, out=guarded.array(shape, dtype))
    wide, given = y.astype(np.longdouble), dy.astype(np.longdouble)
    inner = (wide * given).sum(1, keepdims=True)
    sizes = np.abs(wide * given).sum(1, keepdims=True)
    few, many = gamma(3, np.dtype(dtype)), gamma(shape[1] + 4, np.dtype(dtype))
    bound = wide * (few * np.abs(given) + many * sizes)
    assert (np.abs(dx - wide * (given - inner)) <= bound).all()
    np.testing.assert_array_equal(softmax_dx(y, dy, out=dy), dx)
    guarded.check()


@DTYPES
@pytest.mark.parametrize("shape", [(1, 1), (3, 49), (70, 196), (2, 1000)])
def test_the_largest_is_found_wherever_it_stands(
    isa: str, guarded: Any, dtype: type, shape: tuple[int, int]
) -> None:
    x = guarded.copy(RNG.normal(size=shape).astype(dtype) - dtype(9))
    y = guarded.array(shape[:1], dtype)
    np.testing.assert_array_equal(largest(x, out=y), x.max(1))
    for at in {0, shape[1] // 2, shape[1] - 1}:
        for number in (dtype(5), dtype(np.inf), dtype(-np.inf), dtype(np.nan)):
            x[-1, at] = number
            np.testing.assert_array_equal(largest(x), x.max(1))
        x[-1, at] = -9
    guarded.check()
