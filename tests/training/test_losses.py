"""Losses: exact values, torch, central differences, and a sum whose order is fixed."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from faltung.errors import DatasetError, DTypeError, GeometryError
from faltung.training.losses import _block_sum, cross_entropy, mean_squared_error

Floats = NDArray[np.float64]


def gamma(k: int, u: float = 2.0**-53) -> float:
    """Higham's bound for k roundings in a row."""
    return k * u / (1 - k * u)


def scores(n: int, k: int, seed: int = 0) -> tuple[Floats, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    return 5 * rng.standard_normal((n, k)), rng.integers(k, size=n)


def sum_as_described(values: Floats, block: int = 64) -> float:
    """Blocks in order, then pairs, pairs of pairs, and so on."""
    sums = []
    for start in range(0, len(values), block):
        total = 0.0
        for value in values[start : start + block]:
            total += float(value)
        sums.append(total)
    while len(sums) > 1:
        sums = [sum(sums[at : at + 2]) for at in range(0, len(sums), 2)]
    return sums[0] if sums else 0.0


@pytest.mark.parametrize("n", [0, 1, 2, 63, 64, 65, 128, 129, 200, 1000])
def test_block_sum_has_the_order_it_says(n: int) -> None:
    rng = np.random.default_rng(n)
    values = rng.standard_normal(n) * 10.0 ** rng.integers(-3, 4, n)
    assert _block_sum(values) == sum_as_described(values)


def test_block_sum_of_a_strided_vector_is_the_same() -> None:
    values = np.random.default_rng(1).standard_normal(777)
    assert _block_sum(np.repeat(values, 2)[::2]) == _block_sum(values)


@pytest.mark.parametrize(("n", "k"), [(1, 1), (1, 10), (64, 10), (65, 3), (200, 1000)])
def test_cross_entropy_agrees_with_torch(torch: ModuleType, n: int, k: int) -> None:
    logits, labels = scores(n, k)
    loss, dlogits = cross_entropy(logits, labels)
    theirs = torch.tensor(logits, requires_grad=True)
    their_loss = torch.nn.functional.cross_entropy(theirs, torch.tensor(labels))
    their_loss.backward()
    # An error of u in a logit moves the loss by u |logit|; sums over K and N round K + N times.
    reach = 1 + 2 * np.abs(logits).max()
    assert abs(loss - their_loss.item()) <= gamma(k + n + 20) * (reach + math.log(k))
    assert np.abs(dlogits - theirs.grad.numpy()).max() <= gamma(k + 20) * reach / n


def test_mean_squared_error_agrees_with_torch(torch: ModuleType) -> None:
    rng = np.random.default_rng(3)
    y, target = rng.standard_normal((2, 5, 3, 4, 6))
    loss, dy = mean_squared_error(y, target)
    theirs = torch.tensor(y, requires_grad=True)
    their_loss = torch.nn.functional.mse_loss(theirs, torch.tensor(target))
    their_loss.backward()
    assert abs(loss - their_loss.item()) <= gamma(y.size + 4) * loss
    assert np.all(np.abs(dy - theirs.grad.numpy()) <= gamma(4) * np.abs(dy))


def test_exact_values() -> None:
    # Two equal scores of two: log 2, and gradients that are dyadic.
    loss, dlogits = cross_entropy(np.full((4, 2), 7.0), np.array([0, 1, 1, 0]))
    assert loss == math.log(2)
    assert dlogits.tolist() == [[-0.125, 0.125], [0.125, -0.125], [0.125, -0.125], [-0.125, 0.125]]
    y, target = np.arange(8.0).reshape(2, 4), np.full((2, 4), 2.0)
    loss, dy = mean_squared_error(y, target)
    assert loss == (4 + 1 + 0 + 1 + 4 + 9 + 16 + 25) / 8
    assert dy.tolist() == [[-0.5, -0.25, 0.0, 0.25], [0.5, 0.75, 1.0, 1.25]]


@pytest.mark.parametrize("name", ["cross_entropy", "mean_squared_error"])
def test_gradient_agrees_with_central_differences(name: str) -> None:
    logits, labels = scores(7, 5, seed=4)
    direction = np.random.default_rng(5).standard_normal(logits.shape)
    other: Any = labels if name == "cross_entropy" else logits[::-1]
    loss = cross_entropy if name == "cross_entropy" else mean_squared_error
    h = 2.0**-17  # the cube root of u balances truncation and rounding
    up, down = loss(logits + h * direction, other)[0], loss(logits - h * direction, other)[0]
    value, gradient = loss(logits, other)
    # Rounding: some u (loss + |logits|) over h. Truncation: h**2 / 6 times the third derivative
    # along the direction, for a softmax at most (its range)**3, for a square 0.
    bound = gamma(100) * (value + np.abs(logits).max()) / h
    bound += h**2 / 6 * float(np.ptp(direction)) ** 3
    slope = float((gradient * direction).sum())
    assert abs((up - down) / (2 * h) - slope) <= bound
    assert bound < 1e-6 * abs(slope)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_narrow_inputs_are_computed_in_float64(dtype: type) -> None:
    logits, labels = scores(9, 4)
    narrow = logits.astype(dtype)
    loss, dlogits = cross_entropy(narrow, labels)
    wide_loss, wide = cross_entropy(narrow.astype(np.float64), labels)
    assert (loss, dlogits.dtype) == (wide_loss, np.dtype(dtype))
    assert np.array_equal(dlogits, wide.astype(dtype))
    loss, dy = mean_squared_error(narrow, narrow[::-1])
    wide_loss, wide = mean_squared_error(narrow.astype(np.float64), narrow[::-1].astype(np.float64))
    assert (loss, dy.dtype) == (wide_loss, np.dtype(dtype))
    assert np.array_equal(dy, wide.astype(dtype))


def test_memory_order_changes_no_bit() -> None:
    logits, labels = scores(130, 33)
    loss, dlogits = cross_entropy(logits, labels)
    again, dagain = cross_entropy(np.asfortranarray(logits), labels)
    assert loss == again
    assert np.array_equal(dlogits, dagain)


def test_inputs_are_left_alone() -> None:
    logits, labels = scores(3, 4)
    logits.flags.writeable = labels.flags.writeable = False
    cross_entropy(logits, labels)
    mean_squared_error(logits, logits)


def test_large_scores_overflow_nothing() -> None:
    logits = np.array([[1e30, 0.0], [-1e30, 0.0], [0.0, -np.inf]], np.float32)
    loss, dlogits = cross_entropy(logits, np.array([0, 1, 0]))
    assert loss == 0.0
    assert np.array_equal(dlogits, np.zeros((3, 2)))
    assert cross_entropy(logits[:1], np.array([1]))[0] == float(np.float32(1e30))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_give_such_a_loss_and_no_warning(bad: float) -> None:
    logits, labels = scores(3, 4)
    logits[1, 2] = bad
    assert not math.isfinite(cross_entropy(logits, labels)[0])
    assert not math.isfinite(mean_squared_error(logits, np.zeros_like(logits))[0])


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 99))
def test_each_gradient_row_sums_to_nothing(n: int, k: int, seed: int) -> None:
    logits, labels = scores(n, k, seed)
    loss, dlogits = cross_entropy(logits, labels)
    assert loss >= 0.0
    assert np.abs(dlogits.sum(axis=1)).max() <= gamma(2 * k + 4) * 2 / n


WRONG: list[tuple[Any, Any, type[Exception], str]] = [
    (np.zeros(3), [0, 0, 0], GeometryError, r"logits must be \(N, K\).*\(3,\)\. \[loss L1\]"),
    (np.zeros((0, 3)), [], GeometryError, r"N and K at least 1, got shape=\(0, 3\)\. \[loss L1\]"),
    (np.zeros((3, 0)), [0, 0, 0], GeometryError, r"\[loss L1\]"),
    (np.zeros((3, 2)), [0, 1], GeometryError, r"one class for each row.*\(2,\).*\[loss L2\]"),
    (np.zeros((2, 2)), [[0], [1]], GeometryError, r"\[loss L2\]"),
    (np.zeros((2, 2), int), [0, 1], DTypeError, r"logits must be floating, got dtype=int64.*L3\]"),
    (np.zeros((2, 2)), [0.0, 1.0], DTypeError, r"labels must be integers.*float64\. \[loss L4\]"),
    (np.zeros((2, 2)), [0, 2], DatasetError, r"in \[0, 2\), got label=2, row=1\. .*\[loss L5\]"),
    (np.zeros((2, 2)), [-1, 0], DatasetError, r"got label=-1, row=0.*\[loss L5\]"),
]


@pytest.mark.parametrize(("logits", "labels", "error", "text"), WRONG)
def test_cross_entropy_refuses(logits: Any, labels: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        cross_entropy(logits, np.array(labels))


def test_mean_squared_error_refuses() -> None:
    with pytest.raises(
        GeometryError, match=r"shape of y, got y=\(2,\), target=\(2, 1\)\. \[loss L6\]"
    ):
        mean_squared_error(np.zeros(2), np.zeros((2, 1)))
    with pytest.raises(GeometryError, match=r"at least one value, got y=\(0,\)\. \[loss L7\]"):
        mean_squared_error(np.zeros(0), np.zeros(0))
    with pytest.raises(DTypeError, match=r"y must be floating, got dtype=int64\. .*\[loss L3\]"):
        mean_squared_error(np.zeros(2, np.int64), np.zeros(2))


@pytest.mark.parametrize("n", [1, 7, 130])
def test_whole_weights_are_rows_repeated_and_zero_is_a_row_left_out(n: int) -> None:
    logits, labels = scores(n, 4)
    times = np.random.default_rng(n).integers(0, 4, n) + (n == 1)
    repeated = np.repeat(np.arange(n), times)
    loss, dlogits = cross_entropy(logits, labels, times.astype(float))
    their_loss, theirs = cross_entropy(logits[repeated], labels[repeated])
    many = len(repeated)
    assert abs(n * loss - many * their_loss) <= gamma(2 * many + 20) * n * loss
    summed = np.zeros_like(logits)
    np.add.at(summed, repeated, many * theirs)
    assert np.abs(n * dlogits - summed).max() <= gamma(20) * times.max()


def test_weights_of_squares_are_exact_on_whole_numbers() -> None:
    y, target = np.array([[3.0, 1.0], [5.0, 0.0]]), np.array([[1.0, 1.0], [4.0, 4.0]])
    loss, dy = mean_squared_error(y, target, np.array([2.0, 4.0]))
    assert loss == (2 * 4 + 4 * (1 + 16)) / 4
    assert dy.tolist() == [[2.0, 0.0], [2.0, -8.0]]


def test_weights_that_do_not_belong_to_the_rows_are_refused() -> None:
    text = r"weights must hold one number for each row, got weights=\(3,\), rows=2\. \[loss L8\]"
    with pytest.raises(GeometryError, match=text):
        cross_entropy(np.zeros((2, 4)), np.array([0, 1]), np.ones(3))
    with pytest.raises(GeometryError, match=text):
        mean_squared_error(np.zeros((2, 3)), np.zeros((2, 3)), np.ones(3))
