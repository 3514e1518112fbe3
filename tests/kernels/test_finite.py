"""Arrays with and without numbers that are not finite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import faltung
from faltung.kernels.finite import CHAINS, LARGE, is_finite
from faltung.kernels.isa import ISAS, VARIABLE, has

NAMES = [isa.name for isa in ISAS if has(isa)] + ["none"]
SIZES = (1, LARGE - 1, LARGE, LARGE + 1, LARGE + 16 * CHAINS - 1, 3 * LARGE + 5)


@pytest.mark.parametrize("isa", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES)
def test_one_number_is_found_wherever_it_is(
    isa: str, dtype: Any, size: int, guarded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, isa)
    x = guarded.copy(np.full(size, np.finfo(dtype).max, dtype))
    for _ in range(2):
        assert is_finite(x)
    for at in {0, size // 2, size - 2, size - 1} - {-1}:
        for bad in (np.inf, -np.inf, np.nan):
            with np.errstate(all="ignore"):
                x[at] = bad
                assert not is_finite(x)
            x[at] = 1.0
    assert is_finite(x)
    assert is_finite(x[::2])


def test_a_transposed_convolution_that_comes_again_looks_at_its_weights() -> None:
    """Zeros around x do not meet infinite weights, whatever was called before."""
    x = np.ones((1, 32, 6, 6), np.float32)
    w = np.ones((32, 32, 4, 4), np.float32)
    way: dict[str, Any] = {"stride": 2, "padding": 1}
    right = [faltung.conv_transpose(x, w, **way) for _ in range(3)]
    w[0, 0, 0, 0] = np.inf
    y = faltung.conv_transpose(x, w, **way)
    assert not np.isnan(y).any()
    # This tap lays its copies on odd rows and columns of the first channel.
    where = np.zeros(y.shape, bool)
    where[:, 0, 1::2, 1::2] = True
    assert np.isinf(y[where][y[where] != right[0][where]]).all()
    assert (y[~where] == right[0][~where]).all()
    assert np.isinf(y).any()
