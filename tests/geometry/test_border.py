"""What stands beyond the border, held to NumPy's own padding of positions."""

from __future__ import annotations

import numpy as np
import pytest

from faltung.errors import GeometryError
from faltung.geometry.border import PADDING_MODES, check_mode, source

NUMPYS = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@pytest.mark.parametrize("mode", NUMPYS)
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_positions_are_those_that_numpy_copies(mode: str, size: int) -> None:
    reach = 3 * size + 2
    copied = np.pad(np.arange(size), reach, mode=NUMPYS[mode])  # type: ignore[call-overload]
    assert [source(mode, p, size) for p in range(-reach, size + reach)] == copied.tolist()


def test_zeros_have_no_source_outside() -> None:
    assert [source("zeros", p, 2) for p in range(-2, 4)] == [None, None, 0, 1, None, None]
    assert source("zeros", 0, 0) is None


@pytest.mark.parametrize("mode", NUMPYS)
def test_an_empty_axis_has_nothing_to_copy(mode: str) -> None:
    with pytest.raises(GeometryError, match=r"an empty axis has no values to pad with.*Use zeros"):
        source(mode, 0, 0)


def test_modes_are_the_four() -> None:
    assert set(PADDING_MODES) == {"zeros", *NUMPYS}
    for mode in PADDING_MODES:
        check_mode(mode, "conv")
    with pytest.raises(GeometryError, match=r"conv: padding_mode must be known.*'mirror'.*zeros"):
        check_mode("mirror", "conv")
