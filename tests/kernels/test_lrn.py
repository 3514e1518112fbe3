"""Local response normalisation's kernel against its definition in float64."""

from __future__ import annotations

import numpy as np
import pytest

from faltung import ops
from faltung.kernels.isa import ISAS, VARIABLE, has
from faltung.kernels.lrn import PIXELS, applies
from faltung.kernels.registry import gamma

HERE = [isa.name for isa in ISAS if has(isa)]
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("isa", [*HERE, "none"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(2, 7, 3, 5), (1, 3, PIXELS + 3), (3, 1, 1), (0, 4, 2)])
@pytest.mark.parametrize("beta", [0.25, 0.5, 0.75, 1.0, 0.6])
def test_kernel_and_definition_agree_within_their_roundings(
    isa: str, dtype: type, shape: tuple[int, ...], beta: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, isa)
    for size in (1, 2, 5, 9):
        operator = ops.LRN(size, alpha=0.3, beta=beta, bias=1.5)
        x: np.ndarray = (3 * RNG.normal(size=shape)).astype(dtype)
        y = operator.forward([x])[0][0]
        wide = operator.forward([x.astype(np.longdouble)])[0][0]
        assert y.dtype == dtype
        # A sum of squares, a factor, a power of at most four roundings, a division.
        bound = gamma(2 * (size + 8), np.dtype(dtype)) * np.abs(wide)
        assert (np.abs(y - wide) <= bound.astype(float)).all()


def test_gradients_are_those_of_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    operator = ops.LRN(5)
    x, dout = (RNG.normal(size=(2, 7, 3)) for _ in range(2))
    (y,), _, saved = operator.forward([x])
    monkeypatch.setenv(VARIABLE, "none")
    (z,), _, other = operator.forward([x])
    np.testing.assert_allclose(y, z, rtol=1e-14)
    np.testing.assert_array_equal(
        operator.backward(saved, [dout])[0], operator.backward(other, [dout])[0]
    )


def test_powers_that_are_not_quarters_have_no_kernel() -> None:
    assert [applies(beta) for beta in (0.25, 1.0, 0.3, 1.25, 0.0)] == [True, True, False] + [
        False
    ] * 2
