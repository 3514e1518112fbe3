"""Signals: the box beside the median, and the weighted average of past measurements."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faltung.definitions import past_report, signal_report
from faltung.errors import DTypeError, GeometryError


@given(st.lists(st.integers(-9, 9), min_size=5, max_size=40), st.integers(1, 5))
def test_means_and_medians_are_numpys(signal: list[int], width: int) -> None:
    report = signal_report(signal, width)
    windows = [signal[i : i + width] for i in range(len(signal) - width + 1)]
    assert report.median.tolist() == [np.median(w) for w in windows]
    assert (report.valid * width).round().tolist() == [sum(w) for w in windows]
    assert report.scaled.sum() == sum(signal) * width
    assert len(report.full) == len(signal) + width - 1


@given(st.lists(st.integers(-9, 9), min_size=7, max_size=20), st.integers(0, 6))
def test_what_the_glitch_moves_is_what_changing_it_moves(signal: list[int], at: int) -> None:
    signal[at] += 100
    report = signal_report(signal, 3)
    if 0 < at < len(signal) - 1:  # else no median stands beside it
        assert report.glitch == at
        near = [x for x in (at - 1, at, at + 1) if 0 < x < len(signal) - 1]
        assert list(report.means_moved) == near
        assert report.medians_outside == 0
        assert set(report.medians_moved) <= set(near)


def test_unsigned_samples_do_not_wrap_round() -> None:
    signal = np.array([10, 9, 10, 9, 10, 1, 10, 9, 10, 8], np.uint8)
    assert signal_report(signal).to_dict() == signal_report().to_dict()
    big = np.array([2**64 - 1, 0, 2**64 - 1], np.uint64)
    assert signal_report(big, 1).valid.dtype == np.float64


def test_weights_of_ones_own() -> None:
    report = signal_report([0, 1, 0, 0, 2], [1, -1])
    assert report.scaled.tolist() == [0, 1, -1, 0, 2, -2]
    assert "Here g is [1, -1]" in str(report)
    assert "f*g" in str(report)


def test_a_long_signal_is_shown_around_its_glitch() -> None:
    signal = np.sin(np.arange(1000) / 50)
    signal[700] = 9
    text = str(signal_report(signal))
    assert "positions 688 to 711, at the glitch" in text
    assert "f(700) = 9" in text
    assert len(text) < 3000
    assert "No sample stands apart" in str(signal_report([3] * 9))


def test_the_convolution_with_weights_is_the_sum_as_written() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.integers(-9, 10, 12), np.array([4.0, 2.0, 1.0, 1.0]) / 8
    report = past_report(x, w)
    for t in range(12):
        ages = [(a, t - a) for a in range(t + 1) if t - a < 4]
        assert report.sums[t] == sum(x[a] * w[age] for a, age in ages)
        assert report.used[t] == sum(w[age] for _, age in ages)


def test_halving_is_the_mean_of_the_new_and_the_old() -> None:
    """c(t) = (x(t) + c(t-1)) / 2 for the sums that are not renormalised."""
    x = np.random.default_rng(1).integers(-9, 10, 30)
    sums = past_report(x).sums
    assert np.array_equal(sums[1:], (x[1:] + sums[:-1]) / 2)


def test_what_moves_evenly_is_followed_at_the_mean_age() -> None:
    report = past_report(np.arange(20), [3, 2, 1])
    assert np.allclose(report.averages[2:], np.arange(2, 20) - report.mean_age, rtol=1e-14)
    assert report.mean_age == pytest.approx(4 / 6, rel=1e-15)
    halving = past_report(np.arange(70))
    assert halving.mean_age == pytest.approx(1, rel=1e-15)
    assert halving.noise_left == pytest.approx(1 / 3, rel=1e-15)
    assert halving.averages[-1] == pytest.approx(69 - 1, rel=1e-15)


def test_weights_are_divided_by_their_sum() -> None:
    assert past_report([1, 2, 3], [2, 1, 1]).weights.tolist() == [0.5, 0.25, 0.25]
    assert past_report([5], [1]).averages.tolist() == [5]


def test_a_time_without_weights_has_no_average() -> None:
    report = past_report([4, 8], [0, 1])
    assert report.to_dict()["averages"] == [None, 4.0]
    assert re.search(r"^0 +4 +0 +0 +none$", str(report), re.MULTILINE)


def test_reports_have_three_faces() -> None:
    for report in (signal_report(), past_report()):
        assert json.loads(json.dumps(report.to_dict(), allow_nan=False)) == report.to_dict()
        assert "<table>" in report._repr_html_()
    assert "What is the age? t-a" in str(past_report())


@pytest.mark.parametrize(
    ("call", "options", "text"),
    [
        (signal_report, {"signal": [[1, 2]]}, "finite numbers, got shape=(1, 2), not_finite=0."),
        (signal_report, {"signal": [1, np.nan, 2]}, "Choose one channel, and leave out what"),
        (signal_report, {"signal": []}, "signal must be one axis of finite numbers"),
        (signal_report, {"kernel": 0}, "a box must be at least 1 wide, got kernel=0. Use 3."),
        (signal_report, {"kernel": 11}, "the kernel must not be longer than the signal"),
        (signal_report, {"kernel": [np.inf]}, "kernel must be one axis of finite numbers"),
        (past_report, {"weights": [1, -1]}, "weights must not be negative, nor all 0"),
        (past_report, {"weights": [0, 0]}, "weights must not be negative, nor all 0"),
        (past_report, {"weights": "thirds"}, "weights must be 'halving' or numbers, got"),
        (past_report, {"measurements": 3}, "measurements must be one axis of finite"),
    ],
)  # fmt: skip
def test_what_is_refused(call: Any, options: dict[str, Any], text: str) -> None:
    with pytest.raises(GeometryError, match=re.escape(text)):
        call(**options)


def test_words_are_no_samples() -> None:
    with pytest.raises(
        DTypeError, match=re.escape("signal must hold integers, booleans or floats")
    ):
        signal_report(["a"])
