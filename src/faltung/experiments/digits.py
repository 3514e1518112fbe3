"""The digits of the package, made smaller, moved, mixed up, or fewer."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from faltung.datasets import Dataset, load_pair
from faltung.training.batches import rng
from faltung.training.state import Array

Pair = tuple[Dataset, Dataset]
_BOX = 20
"""Rows and columns into which MNIST's digits were scaled, before their mass was centred."""


@lru_cache(maxsize=1)
def digits() -> Pair:
    """Return 6,000 digits to learn from and 1,000 to test on, 28x28."""
    return load_pair("sample")


def halved(data: Dataset) -> Dataset:
    """Return images of half the height and width: the means of 2x2 pixels, as float32."""
    n, channels, height, width = data.images.shape
    blocks = data.images.reshape(n, channels, height // 2, 2, width // 2, 2)
    return replace(data, images=blocks.mean(axis=(3, 5), dtype=np.float32))


@lru_cache(maxsize=1)
def small_digits() -> Pair:
    """Return the digits at 10x10: the middle of the images, which holds 97 % of the ink, halved.

    Small, because the layer that shares its weights without being local has a kernel of nearly
    four times the image, which costs accordingly.
    """
    train, test = (halved(centred(data, (_BOX, _BOX))) for data in digits())
    return train, test


def centred(data: Dataset, size: tuple[int, int], offset: tuple[int, int] = (0, 0)) -> Dataset:
    """Return images of another size, the old ones in the middle or ``offset`` from there.

    What leaves the image is lost; what comes in is 0.
    """
    pads = [_pads(*axis) for axis in zip(data.images.shape[2:], size, offset, strict=True)]
    grown = [(max(lo, 0), max(hi, 0)) for lo, hi in pads]
    images = np.pad(data.images, ((0, 0), (0, 0), *grown))
    rows, columns = (
        slice(max(-lo, 0), n - max(-hi, 0))
        for (lo, hi), n in zip(pads, images.shape[2:], strict=True)
    )
    return replace(data, images=images[..., rows, columns])


def _pads(old: int, new: int, offset: int) -> tuple[int, int]:
    """How much to add at the start and the end of an axis; negative amounts are cut off."""
    before = (new - old) // 2 + offset
    return before, new - old - before


def permuted(data: Dataset, order: NDArray[np.integer]) -> Dataset:
    """Return images whose pixels (and not channels) have all changed places in the same way."""
    flat = data.images.reshape(*data.images.shape[:2], -1)
    return replace(data, images=flat[:, :, order].reshape(data.images.shape))


def some(data: Dataset, count: int, seed: int) -> Dataset:
    """Return so many images, as many of each class as can be, chosen by the seed.

    All of them, in their order, where there are no more.
    """
    if count >= len(data):
        return data
    chance = rng(seed, "some")
    order = chance.permutation(len(data))
    ranks = np.zeros(len(data), np.int64)
    for label in range(len(data.classes)):
        members = order[data.labels[order] == label]
        ranks[members] = np.arange(len(members))
    chosen = order[np.argsort(ranks[order], kind="stable")][:count]
    return data.subset(np.sort(chosen))


def scale_of(data: Dataset) -> tuple[float, float]:
    """Return the mean and the standard deviation of the pixels."""
    images: Array = data.images
    return float(images.mean(dtype=np.float64)), float(images.std(dtype=np.float64))
