"""Convolution by transforms of blocks: its bound, its exceptions, and that no schedule shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import faltung
from faltung.kernels import fft, filter_choice

CASES = [((5000,), (700,)), ((9000,), (64,)), ((70, 90), (20, 30)), ((20, 30, 18), (5, 6, 7))]


def by_definition(x: Any, w: Any, pads: Any) -> Any:
    padded = np.pad(x.astype(np.float64), pads)
    return faltung.convolve(padded, np.flip(w).astype(np.float64), "valid", "fft")


def refused(box: Any) -> Any:
    raise AssertionError("no block has to be summed directly")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("size", "kernel"), CASES)
def test_errors_stay_within_the_bound(size: Any, kernel: Any, dtype: Any) -> None:
    """Against transforms of the whole in float64, and wrong by no more than both may be."""
    rng = np.random.default_rng(1)
    x, w = (rng.standard_normal(shape).astype(dtype) for shape in (size, kernel))
    pads = [(k // 2, k - 2) for k in kernel]
    y = fft.correlate(x, w, pads, refused)
    exact = by_definition(x, w, pads)
    assert y.shape == exact.shape
    assert y.dtype == dtype
    norms = np.linalg.norm(x) * np.linalg.norm(w) * (2 + np.sqrt(w.size))
    bound = fft.error_bound(w, float(np.abs(x).max())) + 8 * 2.0**-53 * 20 * norms
    assert (np.abs(y - exact) <= bound).all()


def summed(x: Any, w: Any, box: Any) -> Any:
    ((first, last),) = box
    return np.correlate(x[first : last + len(w) - 1], w, "valid")


def test_a_block_that_is_not_finite_is_summed_directly() -> None:
    """Non-finite values reach their own outputs and no others."""
    k = 600
    x, w = np.ones(40_000, np.float32), np.ones(k, np.float32)
    (n,) = fft.block_shape(w.shape, 4)
    for value in (np.nan, np.inf):
        x[20_000] = value
        boxes: list[Any] = []

        def direct(box: Any, x: Any = x, boxes: Any = boxes) -> Any:
            boxes.append(box)
            return summed(x, w, box)

        y = fft.correlate(x, w, [(0, 0)], direct)
        wrong = ~np.isfinite(y)
        assert wrong.sum() == k
        assert wrong[20_001 - k : 20_001].all()
        assert 1 <= len(boxes) <= 2
        assert all(span.size < n for (span,) in boxes)


def test_a_quiet_stretch_is_summed_directly() -> None:
    """What is small beside what is loud in its block has the error of direct sums."""
    x, w = np.full(60_000, 1e-4, np.float32), np.ones(500, np.float32)
    x[30_000:30_100] = 1e4
    auto = fft.correlate(x, w, [(0, 0)], lambda box: summed(x, w, box))
    direct = faltung.correlate(x, w, "valid", "direct")
    np.testing.assert_allclose(auto, direct, rtol=1e-4)


def test_neither_threads_nor_length_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bits for 1 to 3 threads, ten times, and of a signal that goes on."""
    rng = np.random.default_rng(3)
    x, w = (rng.standard_normal(n).astype(np.float32) for n in (90_000, 1000))
    monkeypatch.setenv("FALTUNG_NUM_THREADS", "1")
    wanted = fft.correlate(x, w, [(9, 5)], refused)
    for threads in "123":
        monkeypatch.setenv("FALTUNG_NUM_THREADS", threads)
        for _ in range(4):
            assert (fft.correlate(x, w, [(9, 5)], refused) == wanted).all()
    shorter = fft.correlate(x[:50_000], w, [(9, 0)], refused)
    (step,) = fft.steps(fft.block_shape(w.shape, 4), w.shape)
    whole = len(shorter) // step * step
    assert (shorter[:whole] == wanted[:whole]).all()


def test_which_lengths_are_transformed() -> None:
    """Direct below the crossover, transforms past it; blocks follow from the kernel alone."""
    assert filter_choice.algorithm((1_000_000,), (14,), 8) == filter_choice.DIRECT
    assert filter_choice.algorithm((1_000_000,), (8000,), 4) == filter_choice.FFT
    assert filter_choice.algorithm((1_000_000,), (8000,), 8) == filter_choice.FFT
    assert filter_choice.algorithm((200_000,), (300,), 8) == filter_choice.TOOM
    assert fft.block_shape((65_536,), 4)[0] >= 1 << 17


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_auto_takes_it_for_floats(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the crossover `convolve` transforms, ``method="direct"`` never does."""
    taken: list[int] = []
    original = fft.correlate

    def noted(*given: Any) -> Any:
        taken.append(1)
        return original(*given)

    monkeypatch.setattr(fft, "correlate", noted)
    rng = np.random.default_rng(4)
    x, w = (rng.standard_normal(n).astype(np.float32) for n in (60_000, 9000))
    direct = faltung.convolve(x, w, mode, "direct")
    assert not taken
    y = faltung.convolve(x, w, mode)
    assert taken
    assert y.shape == direct.shape
    assert np.abs(y - direct).max() < 1e-4 * np.abs(direct).max()


def test_no_stray_byte(guarded: Any) -> None:
    """Working memory and result end where a page begins that nobody may touch."""
    rng = np.random.default_rng(5)
    for size, kernel in CASES:
        x, w = (rng.standard_normal(shape) for shape in (size, kernel))
        pads = [(k - 1, k // 2) for k in kernel]
        y = fft.correlate(guarded.copy(x), w, pads, refused)
        np.testing.assert_allclose(y, by_definition(x, w, pads), atol=1e-9)
        guarded.check()
