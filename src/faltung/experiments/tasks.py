"""Rules that one convolutional layer cannot follow: for each position of an image, a sign.

The images are signs drawn by chance, so that nothing but the rule can be learned, and they are
circular, so that no border tells where a position is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import comb
from typing import Final

import numpy as np

from faltung.training.batches import rng
from faltung.training.state import Array

SIDE: Final = 16
FAR: Final = 4
"""Pixels to the left of a position where the pixel is that it should show."""


@dataclass(frozen=True)
class Task:
    """A rule that gives each position a sign.

    Parameters
    ----------
    name
        What has to be known for it.
    rule
        In words.
    targets
        Signs (N, 1, H, W) of images (N, 1, H, W).
    """

    name: str
    rule: str
    targets: Callable[[Array], Array]


def copied(images: Array) -> Array:
    """The pixel `FAR` to the left."""
    return np.roll(images, FAR, axis=3)


def turned(images: Array) -> Array:
    """The pixel itself in the left half, its opposite in the right half."""
    targets = images.copy()
    targets[..., SIDE // 2 :] *= -1
    return targets


def majority(images: Array) -> Array:
    """The sign that most pixels of the image have; + where there is no majority."""
    sums = images.sum(axis=(2, 3), keepdims=True)
    return np.broadcast_to(np.where(sums < 0, -1, 1).astype(images.dtype), images.shape)


TASKS: Final[Mapping[str, Task]] = {
    task.name: task
    for task in (
        Task("a far pixel", f"show the pixel {FAR} to the left", copied),
        Task("the place", "show the pixel; its opposite in the right half", turned),
        Task("everything", "show the sign that most of the image has", majority),
    )
}


def signs(count: int, seed: int, *path: int | str) -> Array:
    """Return images (N, 1, H, W) of -1 and 1, float32, drawn by chance."""
    drawn = rng(seed, "signs", *path).integers(0, 2, (count, 1, SIDE, SIDE))
    return (2 * drawn - 1).astype(np.float32)


def paired_signs(count: int, seed: int) -> Array:
    """Return images to test on: ``count``, and the same once more moved by half their width.

    A network that does not know the place gives both the same answers, moved alike: where the rule
    asks for the opposite in the other half, exactly half of them are right.
    """
    images = signs(count, seed, "test")
    return np.concatenate([images, np.roll(images, SIDE // 2, axis=3)])


def best_guess(seen: int, pixels: int = SIDE**2) -> float:
    """Return how often the sign of the whole image can be told from so many of its pixels.

    The whole is + where at least half of the pixels are.

    Parameters
    ----------
    seen
        Pixels that are known.
    pixels
        Of the whole image.

    Examples
    --------
    >>> best_guess(1, 3), round(best_guess(9), 4)
    (0.75, 0.5616)
    """
    rest = pixels - seen
    total, everything = 0, 2**pixels
    for ups in range(seen + 1):
        least = -(-pixels // 2) - ups
        positive = sum(comb(rest, more) for more in range(max(least, 0), rest + 1))
        total += comb(seen, ups) * max(positive, 2**rest - positive)
    return float(total / everything)
