"""The comparisons, and that each of them fails: on kernels that are broken on purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from faltung import reference
from faltung.testing import assert_exact, assert_same_bits, assert_within, rounding_bound
from faltung.testing.compare import require

X = np.random.default_rng(5).integers(-4, 5, (2, 2, 6, 7)).astype(np.float32)
W = np.random.default_rng(6).integers(-4, 5, (3, 2, 3, 3)).astype(np.float32)
RIGHT = {"stride": (1, 2), "pads": ((1, 0), (2, 1))}


def conv(x: Any, w: Any, stride: Any, pads: Any) -> Any:
    return reference.conv(x, w, stride=stride, pads=pads)


def y() -> Any:
    return conv(X, W, **RIGHT)


BROKEN: dict[str, Callable[[], Any]] = {
    "padding off by one": lambda: conv(X, W, (1, 2), ((0, 1), (1, 2))),
    "padding swapped": lambda: conv(X, W, (1, 2), ((0, 1), (1, 2))),
    "flipped": lambda: conv(X, W[..., ::-1, ::-1], **RIGHT),
    "transposed kernel": lambda: conv(X, W.swapaxes(2, 3), **RIGHT),
    "strides swapped": lambda: conv(X, W, (2, 1), ((1, 0), (2, 1))),
    "all zeros": lambda: 0 * y(),
    "a single value": lambda: np.where(np.arange(y().size).reshape(y().shape) == 7, y() + 1, y()),
    "NaN": lambda: np.where(y() == y()[0, 0, 0, 0], np.nan, y()),
    "infinity": lambda: np.where(y() == y()[0, 0, 0, 0], np.inf, y()),
    "one image only": lambda: y()[:1],
    "an axis less": lambda: y()[0],
}


@pytest.mark.parametrize("name", BROKEN)
def test_every_comparison_fails_on_a_broken_kernel(name: str) -> None:
    wrong = BROKEN[name]()
    magnitude = conv(abs(X), abs(W), **RIGHT)
    bound = rounding_bound(19, magnitude, np.dtype(np.float32))
    with pytest.raises(AssertionError, match="differ"):
        assert_exact(wrong, y())
    with pytest.raises(AssertionError, match="differ"):
        assert_within(wrong, y(), bound)
    with pytest.raises(AssertionError, match="differ"):
        assert_same_bits(wrong, y())


def test_every_comparison_passes_on_the_right_one() -> None:
    assert_exact(y().astype(np.float32), y())
    assert_within(y().astype(np.float32), y(), 0.0)
    assert_same_bits(y(), y())


def test_a_message_names_the_first_place_and_how_many() -> None:
    with pytest.raises(AssertionError) as caught:
        assert_exact([[1.0, 2.0], [0.0, 4.0]], [[1.0, 2.0], [3.0, 0.0]], "dx")
    text = "dx: 2 of 4 values differ, first at (1, 0): got 0.0, want 3.0"
    assert str(caught.value) == text
    with pytest.raises(AssertionError, match=r"shapes differ: got \(2,\), want \(2, 1\)"):
        assert_exact([1.0, 2.0], [[1.0], [2.0]])


def test_nothing_is_broadcast() -> None:
    with pytest.raises(AssertionError, match="shapes differ"):
        assert_within(1.0, [1.0, 1.0], 0.5)


def test_nan_equals_nan_alone() -> None:
    assert_exact([np.nan, np.inf, -np.inf], [np.nan, np.inf, -np.inf])
    assert_within([np.nan, np.inf, -np.inf], [np.nan, np.inf, -np.inf], 0.0)
    for wrong in (0.0, np.inf, -np.inf):
        with pytest.raises(AssertionError, match="1 of 1 values differ"):
            assert_exact([wrong], [np.nan])
        with pytest.raises(AssertionError, match="1 of 1 values differ"):
            assert_within([np.nan], [wrong], np.inf)
    with pytest.raises(AssertionError, match="1 of 1 values differ"):
        assert_within([np.inf], [-np.inf], np.inf)


def test_a_bound_that_is_no_number_fails() -> None:
    for bound in (np.nan, -1.0):
        with pytest.raises(AssertionError, match="the bound must be a number"):
            assert_within([1.0], [1.0], bound)


def test_bits_tell_what_numbers_do_not() -> None:
    with pytest.raises(AssertionError, match="the dtypes differ"):
        assert_same_bits(np.float32([1]), np.float64([1]))
    with pytest.raises(AssertionError, match="the bits differ"):
        assert_same_bits(np.float64([0.0]), np.float64([-0.0]))
    assert_same_bits(np.float64([np.nan]), np.float64([np.nan]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_bound_holds_for_sums_in_any_order_and_is_not_loose(dtype: type) -> None:
    rng = np.random.default_rng(11)
    worst = 0.0
    for _ in range(200):
        a, b = (rng.standard_normal(50).astype(dtype) for _ in range(2))
        exact = np.sum(a.astype(np.longdouble) * b.astype(np.longdouble))
        magnitude = float(np.sum(np.abs(a.astype(np.float64) * b)))
        total = dtype(0)
        for i in rng.permutation(50):
            total = dtype(total + a[i] * b[i])
        bound = float(rounding_bound(50, magnitude, np.dtype(dtype)))
        error = abs(float(total - exact))
        assert error <= bound
        worst = max(worst, error / bound)
    assert worst > 0.01


def test_whole_numbers_leave_no_room_until_they_do_not_fit() -> None:
    bound = rounding_bound(9, [0.0, 2.0**24 - 1, 2.0**24], np.dtype(np.float32), whole=True)
    assert bound[0] == bound[1] == 0
    assert bound[2] > 1
    assert rounding_bound(9, 2.0**24, np.dtype(np.float64), whole=True) == 0


def test_require_is_no_assert() -> None:
    require(True, "never")
    with pytest.raises(AssertionError, match="always"):
        require(False, "always")
