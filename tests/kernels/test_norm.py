"""Sums of channels: exact on whole numbers, within bounds on others, every buffer guarded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.kernels import norm_call
from faltung.kernels.isa import ISAS, VARIABLE, has
from faltung.kernels.registry import gamma

HERE = [isa.name for isa in ISAS if has(isa)]


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile here, also where the suite as a whole runs on NumPy alone."""
    monkeypatch.delenv("FALTUNG_ISA", raising=False)


SHAPES = [(2, 3, 5), (1, 1, 1), (3, 4, 16, 16), (2, 2, 67, 3), (1, 2, 20_000), (4, 3, 2, 3, 4)]


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_sums_of_whole_numbers_are_exact(
    isa: str, dtype: Any, shape: Any, guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sums, and products with a mean that is a whole number."""
    monkeypatch.setenv(VARIABLE, isa)
    rng = np.random.default_rng(0)
    x, g = (guarded.copy(rng.integers(-4, 5, shape).astype(dtype)) for _ in range(2))
    mean = rng.integers(-4, 5, shape[1]).astype(dtype)
    axes = (0, *range(2, len(shape)))
    column = mean.reshape(-1, *(1 for _ in shape[2:]))
    np.testing.assert_array_equal(norm_call.channel_sums(x), x.sum(axis=axes))
    sums, products = norm_call.channel_products(g, x, mean)
    np.testing.assert_array_equal(sums, g.sum(axis=axes))
    np.testing.assert_array_equal(products, (g * (x - column)).sum(axis=axes))
    guarded.check()


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("shape", SHAPES)
def test_moments_are_those_of_float64(
    isa: str, shape: Any, guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mean a hundred deviations away costs no digits of the variance."""
    monkeypatch.setenv(VARIABLE, isa)
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32) + np.float32(100)
    mean, variance = norm_call.channel_moments(guarded.copy(x))
    wide, axes = x.astype(np.float64), (0, *range(2, len(shape)))
    unit = gamma(norm_call.SEGMENT, np.dtype(np.float32))
    assert (np.abs(mean - wide.mean(axis=axes)) <= unit * np.abs(wide).mean(axis=axes)).all()
    # Each segment's squares are rounded as they are summed; its mean is off by an error e, which
    # adds e squared, and so does what is summed of the distances.
    wanted = wide.var(axis=axes)
    away = (unit * np.abs(wide).max()) ** 2
    assert (np.abs(variance - wanted) <= 4 * unit * wanted + away).all()
    guarded.check()


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_threads_change_no_bit(threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 to 3 threads, ten runs, blocks of any size: the same bits."""
    x = np.random.default_rng(2).standard_normal((5, 7, 31, 33)).astype(np.float32)
    monkeypatch.setenv("FALTUNG_NUM_THREADS", "1")
    wanted = np.concatenate(norm_call.channel_moments(x))
    monkeypatch.setenv("FALTUNG_NUM_THREADS", threads)
    monkeypatch.setattr(norm_call, "BLOCK", 1)
    for _ in range(10):
        assert (np.concatenate(norm_call.channel_moments(x)) == wanted).all()


def test_non_finite_numbers_make_their_channel_so() -> None:
    """And no other."""
    x = np.ones((2, 3, 40), np.float32)
    x[1, 0, 5], x[0, 1, 39] = np.nan, np.inf
    with np.errstate(all="ignore"):
        mean, variance = norm_call.channel_moments(x)
    assert np.isnan(mean[0])
    assert np.isinf(mean[1])
    assert mean[2] == 1
    assert np.isnan(variance[:2]).all()
    assert variance[2] == 0
