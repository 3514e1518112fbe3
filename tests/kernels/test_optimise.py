"""Steps of optimisers in one pass: NumPy's bits, whatever the instruction set and the threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.kernels import optimise
from faltung.kernels.isa import ISAS, VARIABLE, has
from faltung.kernels.program import Program, noted

HERE = [isa.name for isa in ISAS if has(isa)]
DTYPES = [np.float32, np.float64]
SIZES, DECAYS = (3, 20_011, 0, 1, 300), (False, True, False, True, False)


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile here, also where the suite as a whole runs on NumPy alone."""
    monkeypatch.delenv("FALTUNG_ISA", raising=False)


def drawn(count: int, dtype: Any, guarded: Any) -> list[Any]:
    """Arrays of all parameters, the first numbers denormal; squares of none overflow."""
    rng = np.random.default_rng(0)
    arrays = rng.standard_normal((count, sum(SIZES))).astype(dtype)
    arrays[:, :2] *= np.finfo(dtype).tiny
    return [guarded.copy(array) for array in arrays]


def decayed() -> Any:
    """Whether each number is decayed."""
    return np.repeat(DECAYS, SIZES)


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("moves", "nesterov"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("decays", [False, True])
def test_gradient_descent_has_the_bits_of_numpy(
    isa: str, dtype: Any, moves: bool, nesterov: bool, decays: bool, guarded: Any, monkeypatch: Any
) -> None:
    """Each operation is rounded once; what is not decayed is not even multiplied by 0."""
    monkeypatch.setenv(VARIABLE, isa)
    p, g, v = drawn(3, dtype, guarded)
    p[0] = np.inf
    old, speed = p.copy(), v.copy()
    lr, momentum, decay = numbers = guarded.copy(np.array([0.1, 0.9, 0.01], dtype))
    cut = optimise.pieces(SIZES, DECAYS)
    optimise.sgd(p, g, v if moves else None, numbers, cut, nesterov=nesterov, decays=decays)
    wanted = np.where(decayed() & decays, g + decay * old, g)
    if moves:
        speed = speed * momentum + wanted
        wanted = wanted + momentum * speed if nesterov else speed
    np.testing.assert_array_equal(p, old - lr * wanted)
    np.testing.assert_array_equal(v, speed)
    guarded.check()


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("dtype", DTYPES)
def test_adam_has_the_bits_of_numpy(isa: str, dtype: Any, guarded: Any, monkeypatch: Any) -> None:
    """With decay apart from the gradient, where it is asked for."""
    monkeypatch.setenv(VARIABLE, isa)
    p, g, m, v = drawn(4, dtype, guarded)
    v[:] = np.abs(v)
    old, first, second = p.copy(), m.copy(), v.copy()
    given = [0.1, 0.19, 0.9, 0.1, 0.99, 0.01, 1e-8, 0.999]
    numbers = guarded.copy(np.array(given, dtype))
    step, correction, beta1, rest1, beta2, rest2, eps, kept = numbers
    optimise.adam(p, g, m, v, numbers, optimise.pieces(SIZES, DECAYS))
    first = first * beta1 + rest1 * g
    second = second * beta2 + rest2 * np.square(g)
    whole = np.where(decayed(), old * kept, old)
    np.testing.assert_array_equal(p, whole - step * first / (np.sqrt(second / correction) + eps))
    np.testing.assert_array_equal(m, first)
    np.testing.assert_array_equal(v, second)
    guarded.check()


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_found(
    isa: str, dtype: Any, wrong: float, guarded: Any, monkeypatch: Any
) -> None:
    """Wherever one stands, and its own piece alone; the largest numbers are finite."""
    monkeypatch.setenv(VARIABLE, isa)
    cut = optimise.pieces(SIZES, DECAYS)
    x, found = (
        guarded.copy(np.full(sum(SIZES), np.finfo(dtype).max)),
        guarded.array(cut.shape[:1], dtype),
    )
    for at in (0, 2, 3, 16_386, 16_387, 20_014, len(x) - 1):
        optimise.finite(x, found, cut)
        np.testing.assert_array_equal(found, 0)
        x[at] = wrong
        optimise.finite(x, found, cut)
        inside = (cut[:, 0] <= at) & (at < cut[:, 1])
        np.testing.assert_array_equal(np.isnan(found), inside)
        x[at] = 0
    guarded.check()


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_a_step_can_be_written_down_and_repeated(threads: str, monkeypatch: Any) -> None:
    """The learning rate is read anew; any number of threads gives the same bits."""
    monkeypatch.setenv("FALTUNG_NUM_THREADS", threads)
    rng = np.random.default_rng(0)
    p, g, v = (rng.standard_normal(100_000).astype(np.float32) for _ in range(3))
    numbers, cut = np.array([0.1, 0.5, 0], np.float32), optimise.pieces((100_000,), (False,))
    with noted() as recorder:
        optimise.sgd(p, g, v, numbers, cut, nesterov=False, decays=False)
    numbers[0], old, speed = 0.25, p.copy(), v * np.float32(0.5) + g
    Program(recorder.launches, [True]).run()
    np.testing.assert_array_equal(p, old - np.float32(0.25) * speed)
