"""Row R5: correlation against distance and stationarity, beside the same values shuffled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import faltung
from faltung.analysis.data import DataReport
from faltung.datasets import PHOTOS, photo

NOISE = np.random.RandomState(42).randn(100, 100)


@pytest.fixture(scope="module")
def photographs() -> dict[str, DataReport]:
    return {name: faltung.data_report(name) for name in PHOTOS}


def test_noise() -> None:
    report = faltung.data_report(NOISE)
    vertical, horizontal = report.curves
    assert f"{vertical.neighbours:.4f}" == "-0.0140"
    assert f"{report.far.value:.4f}" == "0.0106"
    # The far quarters are the first and the last, position by position.
    want = np.corrcoef(NOISE[:50, :50].ravel(), NOISE[50:, 50:].ravel())[0, 1]
    assert report.far.value == pytest.approx(want, abs=1e-13)
    # Neither figure is that of another axis, another distance or other quarters.
    others = [horizontal.neighbours, float(vertical.values[2])]
    others += [
        float(np.corrcoef(NOISE[:50, :50].ravel(), NOISE[at].ravel())[0, 1])
        for at in (np.s_[:50, 50:], np.s_[50:, :50], np.s_[49:99, 49:99])
    ]
    assert not {"-0.0140", "0.0106"} & {f"{other:.4f}" for other in others}


def test_noise_is_within_what_shuffling_gives() -> None:
    report = faltung.data_report(NOISE)
    assert report.shuffles == 200
    for curve in report.curves:
        assert curve.low[1] < curve.neighbours < curve.high[1]
        assert curve.reach == 1
        assert curve.beyond()[1:].mean() < 0.15  # one in twenty
    assert report.far.is_within
    assert report.places is not None
    assert report.places.outside("means") == report.places.outside("variances") == 0
    assert report.verdict.fits == "no"


@pytest.mark.parametrize("name", PHOTOS)
def test_neighbours_in_photographs(photographs: Any, name: str) -> None:
    for curve in photographs[name].curves:
        assert 0.7 <= curve.neighbours <= 0.99
        at = [float(curve.values[d]) for d in (1, 2, 5, 10, 20, 50, 100)]
        assert at == sorted(at, reverse=True)  # falling
        assert curve.beyond()[1:21].all()
        assert 1 < curve.length < curve.size // 2
    assert photographs[name].verdict.fits == "yes"


@pytest.mark.parametrize("name", PHOTOS)
def test_neighbours_in_photographs_are_numpys(photographs: Any, name: str) -> None:
    pixels = np.atleast_3d(photo(name)).astype(np.float64)
    z = (pixels - pixels.mean((0, 1))) / pixels.std((0, 1))
    for axis, curve in enumerate(photographs[name].curves):
        n = z.shape[axis]
        left, right = np.take(z, range(n - 1), axis), np.take(z, range(1, n), axis)
        x, y = (end - end.mean((0, 1)) for end in (left, right))
        want = (x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum())
        assert curve.neighbours == pytest.approx(want, abs=1e-12)


def test_what_is_left_at_a_hundred_pixels(photographs: Any) -> None:
    """Said: almost no correlation of far pixels. It depends on the picture; up to 0.6 is left."""
    left = {name: [c.values[100] for c in photographs[name].curves] for name in PHOTOS}
    assert max(left["cat"]) < 0.1
    assert 0.4 < min(left["camera"]) <= max(left["camera"]) <= 0.6
    assert "Often said: far pixels have almost no correlation." in str(photographs["camera"])


@pytest.mark.parametrize("name", PHOTOS)
def test_shuffled_photographs_turn_the_verdict(name: str) -> None:
    report = faltung.data_report(name, shuffled=True)
    assert report.verdict.fits == "no"
    for curve in report.curves:
        assert abs(curve.neighbours) < 0.01
        assert curve.length < 1
    assert report.places is not None
    assert report.places.outside("means") <= 2
    assert f"{name}, shuffled" in str(report)


def test_the_derived_interval_is_that_of_shuffling(photographs: Any) -> None:
    """More values than are really shuffled: 50 shufflings of the photograph, by hand."""
    pixels = photo("camera").astype(np.float64)
    curve = photographs["camera"].curves[0]
    assert photographs["camera"].shuffles == 0
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(50):
        mixed = rng.permutation(pixels.ravel()).reshape(pixels.shape)
        found = np.corrcoef(mixed[:-1].ravel(), mixed[1:].ravel())[0, 1]
        inside += bool(curve.low[1] <= found <= curve.high[1])
    assert inside >= 41  # of 50, 47.5 are expected; fewer than 41 with a chance of 0.2 %
    assert inside < 50 or curve.high[1] < 0.005


def test_signals_and_columns() -> None:
    rng = np.random.default_rng(0)
    slow = np.convolve(rng.standard_normal(3000), np.ones(9) / 9, "valid")
    report = faltung.data_report(slow)
    # A mean of nine: neighbours share eight of nine, and nothing is shared nine apart.
    assert report.curves[0].neighbours == pytest.approx(8 / 9, abs=0.02)
    assert report.curves[0].length == pytest.approx(9 * (1 - 1 / np.e), abs=0.5)
    assert abs(report.curves[0].values[9]) < 0.1
    assert report.verdict.fits == "yes"
    assert faltung.data_report(slow, shuffled=True).verdict.fits == "no"
    drifting = faltung.data_report(rng.standard_normal(3000) + np.arange(3000) / 1000)
    assert drifting.places is not None
    assert drifting.places.outside("means") == 4
    assert not drifting.places.drifts[0].is_within
