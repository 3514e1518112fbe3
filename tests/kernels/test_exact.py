"""``exact=True`` and ``FALTUNG_EXACT=1``: no row that rounds more than direct sums, anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import faltung
from faltung import functional, ops
from faltung.kernels.isa import host_isa
from faltung.kernels.registry import Row
from faltung.ops import dispatch

RNG = np.random.default_rng(0)
X, W = (RNG.standard_normal(s).astype(np.float32) for s in ((2, 32, 28, 28), (48, 32, 3, 3)))
TRANSPOSED = RNG.standard_normal((32, 48, 3, 3)).astype(np.float32)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Row]]:
    """The rows that are chosen meanwhile."""
    rows: list[Row] = []
    choose = dispatch.choose

    def noted(*given: Any, **how: Any) -> Row:
        rows.append(choose(*given, **how))
        return rows[-1]

    functional._replays.clear()
    dispatch._replays.clear()
    monkeypatch.setattr(dispatch, "choose", noted)
    yield rows
    functional._replays.clear()
    dispatch._replays.clear()


def use_everything(**exact: bool) -> None:
    faltung.conv(X, W, padding=1, **exact)
    faltung.conv(np.asfortranarray(X), W, padding=1, flip=True, **exact)
    faltung.prepare(W, padding=1, **exact)(X)
    for operator, w in (
        (ops.Conv(padding=1, **exact), W),
        (ops.Conv(padding=1, padding_mode="reflect", **exact), W),
        (ops.ConvTranspose(padding=1, **exact), TRANSPOSED),
    ):
        (y,), _, saved = operator.forward([X, w])
        operator.backward(saved, [y])


@pytest.mark.skipif(host_isa() is None, reason="nothing can be compiled for this CPU")
def test_others_are_taken_where_nothing_is_said(taken: list[Row]) -> None:
    use_everything()
    assert {row.operation for row in taken if not row.is_exact} == {"conv", "conv_dx", "conv_dw"}


def test_exact_keeps_to_exact_rows_forward_and_back(taken: list[Row]) -> None:
    use_everything(exact=True)
    assert {row.operation for row in taken} == {"conv", "conv_dx", "conv_dw"}
    assert all(row.is_exact for row in taken)


def test_the_variable_does_too(taken: list[Row], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FALTUNG_EXACT", "1")
    use_everything()
    assert all(row.is_exact for row in taken)
    monkeypatch.setenv("FALTUNG_EXACT", "0")
    taken.clear()
    faltung.conv(X, W, padding=1)
    assert host_isa() is None or not taken[0].is_exact


def test_whole_numbers_come_out_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = (RNG.integers(-9, 10, a.shape).astype(np.float32) for a in (X, W))
    right = faltung.conv(x.astype(np.float64), w, padding=1, exact=True)
    np.testing.assert_array_equal(faltung.conv(x, w, padding=1, exact=True), right)
    monkeypatch.setenv("FALTUNG_EXACT", "1")
    np.testing.assert_array_equal(faltung.conv(x, w, padding=1), right)
