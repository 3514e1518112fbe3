"""Exponential, logistic, tanh and erf of vectors: how many units in the last place they are off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from faltung.kernels.chain_call import chain
from faltung.kernels.isa import ISAS, VARIABLE, has

HERE = [isa.name for isa in ISAS if has(isa)]


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile here, also where the suite as a whole runs on NumPy alone."""
    monkeypatch.delenv("FALTUNG_ISA", raising=False)


LEAST = 2.0**-126
"""The smallest normal number of float32: below it a unit is one of the subnormal numbers."""


def erf_of_doubles(x: Any) -> Any:
    """Use ours, which `tests/ops` holds to SciPy's."""
    from faltung.ops.erf import erf

    return erf(x)


FUNCTIONS: dict[str, tuple[Callable[[Any], Any], float]] = {
    "exp": (np.exp, 2.0),
    "logistic": (lambda x: np.where(x < 0, np.exp(x), 1) / (1 + np.exp(-np.abs(x))), 3.0),
    "tanh": (np.tanh, 2.0),
    "erf": (erf_of_doubles, 6.0),
}


def ours(name: str, x: Any) -> Any:
    """Compute a function by a chain."""
    return chain((("load", 0), (name, 0)), [x], np.empty_like(x))


def units_off(name: str, x: Any) -> float:
    """Return the largest error in units in the last place of the true value."""
    with np.errstate(all="ignore"):
        wanted = FUNCTIONS[name][0](x.astype(np.float64))
        y = ours(name, x)
        is_large = np.abs(wanted) > np.finfo(np.float32).max
        assert (np.abs(y[is_large]) >= np.finfo(np.float32).max).all()
        exponent = np.floor(np.log2(np.maximum(np.abs(wanted), LEAST)))
        off = np.abs(y.astype(np.float64) - wanted) / 2.0 ** (exponent - 23)
    return float(off[~is_large].max(initial=0))


def every_number(step: int) -> Iterator[Any]:
    """Give the finite numbers of float32, or each `step`-th of them by its bits."""
    size = 1 << 22
    for first in range(0, 1 << 32, size * step):
        bits = np.arange(first, min(first + size * step, 1 << 32), step, dtype=np.uint64)
        x = bits.astype(np.uint32).view(np.float32)
        yield x[np.isfinite(x)]


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_sample_of_float32(name: str, isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every 10,007th number there is, and a million of ordinary size."""
    monkeypatch.setenv(VARIABLE, isa)
    ordinary = np.random.default_rng(0).uniform(-12, 12, 1 << 20).astype(np.float32)
    for x in (ordinary, *every_number(10_007)):
        assert units_off(name, x) <= FUNCTIONS[name][1]


@pytest.mark.long
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_float32(name: str) -> None:
    """All 2**32 of them but those that are not finite."""
    for x in every_number(1):
        assert units_off(name, x) <= FUNCTIONS[name][1]


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_float64(name: str, isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against NumPy's own, which is within a unit or two; erf in units of what it has left."""
    monkeypatch.setenv(VARIABLE, isa)
    x = np.random.default_rng(1).uniform(-20, 20, 1 << 18)
    wanted = FUNCTIONS[name][0](x)
    off = np.abs(ours(name, x) - wanted) / np.spacing(np.abs(wanted))
    assert off.max() <= FUNCTIONS[name][1] + 4


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_not_finite(name: str) -> None:
    """NaN stays, infinities give the limits, zeros keep their sign where the function is odd."""
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], np.float32)
    limits = {"exp": (np.inf, 0, 1, 1), "logistic": (1, 0, 0.5, 0.5)}.get(name, (1, -1, 0, 0))
    y = ours(name, x)
    assert np.isnan(y[0])
    np.testing.assert_array_equal(y[1:], np.array(limits, np.float32))
    if name in ("tanh", "erf"):
        assert np.signbit(y[4])
