"""Augmentation against the slowest definition, and what it must not touch."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from faltung.errors import GeometryError, TrainingError
from faltung.training.augment import AbstractAugmentation, Flip, Shift
from faltung.training.state import Array


def images(n: int = 20, c: int = 2, h: int = 5, w: int = 4, dtype: Any = np.float32) -> Array:
    """Every value once, and none of them 0."""
    return np.arange(1, n * c * h * w + 1).reshape(n, c, h, w).astype(dtype)


def moved(image: Array, down: int, right: int) -> Array:
    """One pixel at a time."""
    result = np.zeros_like(image)
    _, h, w = image.shape
    for y in range(h):
        for x in range(w):
            if 0 <= y + down < h and 0 <= x + right < w:
                result[:, y + down, x + right] = image[:, y, x]
    return result


@pytest.mark.parametrize("pixels", [1, 2, 7])
def test_shift_moves_each_image_by_one_of_all_offsets(pixels: int) -> None:
    before = images(n=300 if pixels < 7 else 20, dtype=np.float64)
    after = Shift(pixels).apply(before, np.random.default_rng(0))
    reach = range(-pixels, pixels + 1)
    seen: Counter[tuple[int, int]] = Counter()
    for old, new in zip(before, after, strict=True):
        fits = [(d, r) for d in reach for r in reach if np.array_equal(new, moved(old, d, r))]
        assert fits
        seen[fits[0]] += len(fits) == 1
    if pixels < 7:
        assert set(seen) == {(d, r) for d in reach for r in reach}


def test_shift_by_nothing_is_a_copy() -> None:
    before = images()
    after = Shift(0).apply(before, np.random.default_rng(0))
    assert np.array_equal(after, before)
    assert not np.shares_memory(after, before)


def test_flip_mirrors_about_half() -> None:
    before = images(n=1000, c=3, h=2)
    after = Flip().apply(before, np.random.default_rng(0))
    same = (after == before).all(axis=(1, 2, 3))
    mirrored = (after == before[..., ::-1]).all(axis=(1, 2, 3))
    assert np.all(same ^ mirrored)
    assert abs(int(mirrored.sum()) - 500) <= 5 * np.sqrt(250)  # five standard deviations
    assert not np.shares_memory(after, before)


@pytest.mark.parametrize("augmentation", [Shift(2), Flip()])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(0, 1, 4, 4), (3, 1, 1, 1), (3, 2, 5, 0), (2, 3, 8, 6)])
def test_shape_dtype_input_and_chance(
    augmentation: AbstractAugmentation, dtype: Any, shape: tuple[int, ...]
) -> None:
    before = np.random.default_rng(1).integers(1, 255, shape).astype(dtype)
    before.flags.writeable = False
    after = augmentation.apply(before, np.random.default_rng(2))
    assert (after.shape, after.dtype) == (before.shape, before.dtype)
    assert after.flags.writeable
    assert np.array_equal(after, augmentation.apply(before, np.random.default_rng(2)))


@pytest.mark.parametrize("augmentation", [Shift(2), Flip()])
def test_images_without_channels_are_refused(augmentation: AbstractAugmentation) -> None:
    text = r"images must be \(N, C, H, W\), got shape=\(3, 4, 4\)\. Use images\[:, None\].*A1\]"
    with pytest.raises(GeometryError, match=text):
        augmentation.apply(np.zeros((3, 4, 4)), np.random.default_rng(0))


def test_a_shift_is_not_negative() -> None:
    with pytest.raises(TrainingError, match=r"pixels must not be negative, got pixels=-1\. .*A2\]"):
        Shift(-1)
