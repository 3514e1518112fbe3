"""Images resized: beside Pillow's, and what cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from faltung.errors import GeometryError
from faltung.imaging.resize import resize


@pytest.mark.parametrize("size", [(20, 20), (64, 64), (37, 20), (5, 9), (37, 106), (1, 1)])
def test_it_is_pillows_bilinear(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((37, 53)).astype(np.float32)
    theirs = np.array(Image.fromarray(image).resize(size[::-1], Image.Resampling.BILINEAR))
    # Each axis sums at most 53 weights that add up to 1.
    assert np.abs(resize(image, size) - theirs).max() <= 2 * 53 * np.finfo(np.float32).eps


def test_channels_are_resized_one_by_one() -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 8, 9)).astype(np.uint8)
    whole = resize(image, (5, 4))
    assert whole.dtype == np.float32
    assert whole.shape == (3, 5, 4)
    for channel, alone in zip(whole, image, strict=True):
        assert (channel == resize(alone, (5, 4))).all()


def test_its_own_size_changes_nothing() -> None:
    image = np.arange(12.0).reshape(3, 4)
    assert (resize(image, (3, 4)) == image).all()


@pytest.mark.parametrize("size", [(0, 4), (-1, 4), (20_000, 20_000)])
def test_sizes_that_are_none(size: tuple[int, int]) -> None:
    with pytest.raises(GeometryError, match="an image of pixels becomes one of at least 1"):
        resize(np.ones((4, 4)), size)
    with pytest.raises(GeometryError, match="and at most 100,000,000"):
        resize(np.ones((0, 4)), (2, 2))
