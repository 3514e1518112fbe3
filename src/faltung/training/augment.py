"""Augmentation: images as they might also have been. Every image of a batch gets its own chance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from faltung.errors import GeometryError, TrainingError, message
from faltung.training.state import Array


class AbstractAugmentation(ABC):
    """What the training loop asks of an augmentation."""

    @abstractmethod
    def apply(self, images: Array, rng: np.random.Generator) -> Array:
        """Return a batch changed by chance: a new array of the same shape and dtype.

        Parameters
        ----------
        images : array (N, C, H, W)
            Any dtype; it is not changed.
        rng : numpy.random.Generator
            Where chance comes from; the same state gives the same batch.

        Raises
        ------
        GeometryError
            Images that are not (N, C, H, W) [augment A1].
        """


@dataclass(frozen=True, slots=True)
class Shift(AbstractAugmentation):
    """Move each image by up to ``pixels`` up, down, left and right; what comes in is 0.

    Both offsets are uniform on the integers from ``-pixels`` to ``pixels``.

    Parameters
    ----------
    pixels : int
        0 or more.

    Raises
    ------
    TrainingError
        A negative number [augment A2].

    Examples
    --------
    >>> image = np.arange(1, 5).reshape(1, 1, 2, 2)
    >>> Shift(1).apply(image, np.random.default_rng(0)).tolist()  # one up
    [[[[3, 4], [0, 0]]]]
    """

    pixels: int

    def __post_init__(self) -> None:
        if self.pixels < 0:
            rule = "pixels must not be negative"
            raise TrainingError(message("Shift", rule, {"pixels": self.pixels}, "", "augment A2"))

    def apply(self, images: Array, rng: np.random.Generator) -> Array:
        """See `AbstractAugmentation.apply`."""
        _check_images("Shift", images)
        n, reach = len(images), self.pixels
        border = ((0, 0), (0, 0), (reach, reach), (reach, reach))
        windows = np.lib.stride_tricks.sliding_window_view(
            np.pad(images, border), images.shape[2:], axis=(2, 3)
        )
        oy, ox = rng.integers(0, 2 * reach + 1, size=(2, n))
        shifted: Array = windows[np.arange(n), :, oy, ox]
        return shifted


@dataclass(frozen=True, slots=True)
class Flip(AbstractAugmentation):
    """Mirror each image left to right with probability 1/2.

    >>> image = np.arange(1, 5).reshape(1, 1, 2, 2)
    >>> Flip().apply(image, np.random.default_rng(0)).tolist()
    [[[[2, 1], [4, 3]]]]
    """

    def apply(self, images: Array, rng: np.random.Generator) -> Array:
        """See `AbstractAugmentation.apply`."""
        _check_images("Flip", images)
        mirrored = rng.integers(0, 2, size=len(images)).astype(bool)
        return np.where(mirrored[:, None, None, None], images[..., ::-1], images)


def _check_images(subject: str, images: Array) -> None:
    if images.ndim != 4:
        rule, cure = "images must be (N, C, H, W)", "Use images[:, None] for grey images (N, H, W)"
        raise GeometryError(message(subject, rule, {"shape": images.shape}, cure, "augment A1"))
