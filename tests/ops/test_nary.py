"""Several arrays at once: ties, integers, one array alone, what NaN is."""

from __future__ import annotations

import numpy as np

from faltung.ops import Equal, Max, Min, Sum, Where


def test_the_first_of_equals_takes_the_gradient() -> None:
    a, b, c = np.array([1.0, 5.0, np.nan]), np.array([1.0, 5.0, 2.0]), np.array([0.0, 7.0, np.nan])
    (y,), _, saved = Max().forward([a, b, c])
    np.testing.assert_array_equal(y, [1.0, 7.0, np.nan])
    grads = Max().backward(saved, [np.array([1.0, 2.0, 4.0])])
    assert [dx.tolist() for dx in grads if dx is not None] == [[1, 0, 4], [0, 0, 0], [0, 2, 0]]
    (y,), _, _ = Min().forward([a, b, c])
    np.testing.assert_array_equal(y, [0.0, 5.0, np.nan])


def test_integers_have_no_gradient() -> None:
    a = np.array([1, 2], np.int32)
    for operator in (Max(), Min()):
        (y,), _, saved = operator.forward([a, a])
        assert y.dtype == np.int32
        assert operator.backward(saved, [y]) == (None, None)
    (y,), _, saved = Where().forward([np.array([True, False]), a, -a])
    assert y.tolist() == [1, -2]
    assert Where().backward(saved, [y]) == (None, None, None)


def test_one_array_alone_is_handed_on_as_a_copy() -> None:
    a = np.array([1.0, 2.0])
    (y,), _, _ = Sum().forward([a])
    assert not np.shares_memory(a, y)


def test_names_of_sizes_are_handed_on() -> None:
    assert Sum().out_shapes([("N", 3), (3,), (1, 1)]) == (("N", 3),)
    assert Where().out_shapes([(1,), ("N", 3), ()]) == (("N", 3),)


def test_nan_equals_nothing() -> None:
    nan = np.array([np.nan])
    assert Equal().forward([nan, nan])[0][0].tolist() == [False]
