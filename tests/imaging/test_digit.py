"""Digits as MNIST's: its own are left as they are, and where one was drawn does not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from faltung.datasets import load
from faltung.errors import PictureError
from faltung.imaging.digit import averaged, centred_digit

INK = arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)))


def test_mnist_is_left_alone() -> None:
    """Of the 1,000 test digits, 999 already stand as the function puts them."""
    images = load("sample", split="test").images[:, 0]
    same = sum(np.array_equal(centred_digit(image), image) for image in images)
    assert same == 999


def test_size_and_mass() -> None:
    """The longer side has 20 pixels, and the mass is within half a pixel of (14, 14)."""
    rng = np.random.default_rng(0)
    for _ in range(100):
        height, width = rng.integers(6, 90, 2)
        drawn = np.zeros((112, 112), np.uint8)
        top, left = rng.integers(0, 112 - height), rng.integers(0, 112 - width)
        drawn[top : top + height, left : left + width] = rng.integers(100, 256, (height, width))
        digit = centred_digit(drawn).astype(int)
        rows, cols = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
        assert max(np.ptp(rows), np.ptp(cols)) + 1 == 20
        mass = [(digit.sum(axis=1 - a) @ np.arange(28)) / digit.sum() for a in (0, 1)]
        assert max(abs(m - 14) for m in mass) <= 0.5


@given(INK, st.integers(0, 9), st.integers(0, 9))
def test_where_it_was_drawn_does_not_matter(ink: np.ndarray, top: int, left: int) -> None:
    """Equal for every place, and for every margin."""
    moved = np.pad(ink, ((top, 3), (left, 5)))
    np.testing.assert_array_equal(centred_digit(moved), centred_digit(ink))


@given(INK, st.integers(2, 4))
def test_scale_does_not_matter(ink: np.ndarray, times: int) -> None:
    """A drawing with every pixel repeated gives the same."""
    larger = ink.repeat(times, axis=0).repeat(times, axis=1)
    np.testing.assert_array_equal(centred_digit(larger), centred_digit(ink))


@given(INK, st.integers(1, 33), st.integers(1, 33))
def test_means_keep_the_mean(ink: np.ndarray, height: int, width: int) -> None:
    """Every old pixel counts equally; blocks are the means of their pixels."""
    means = averaged(ink, (height, width))
    assert means.shape == (height, width)
    assert abs(means.mean() - ink.mean()) <= 1e-12 * 255
    assert means.min() >= ink.min()
    assert means.max() <= ink.max()
    blocks = averaged(ink.repeat(2, axis=0).repeat(3, axis=1), ink.shape)
    np.testing.assert_array_equal(blocks, ink)


def test_nothing_drawn() -> None:
    """No ink stays no ink; ink too faint to be seen at 20 pixels is none."""
    assert not centred_digit(np.zeros((50, 30), np.uint8)).any()
    faint = np.zeros((400, 400), np.uint8)
    faint[[0, 399], [0, 399]] = 1
    assert not centred_digit(faint).any()


@pytest.mark.parametrize(
    "ink", [np.zeros(4, int), np.zeros((0, 3), int), np.full((2, 2), 256), np.zeros((2, 2))]
)
def test_what_is_no_drawing(ink: np.ndarray) -> None:
    with pytest.raises(PictureError, match=r"^digit: .* \[digit G1\]$"):
        centred_digit(ink)
