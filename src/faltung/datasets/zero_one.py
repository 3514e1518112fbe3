"""The smallest task on real digits: zeros against ones at 14x14."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from faltung.datasets.dataset import Dataset
from faltung.errors import DatasetError, message


def zero_one(digits: Dataset) -> Dataset:
    """The images of the first two classes, each 2x2 block of pixels replaced by its mean.

    float32, because a mean of four pixels is a multiple of 1/4: the means are exact there and
    rounded in uint8. The range stays 0 to 255.

    Parameters
    ----------
    digits : Dataset
        Images of even height and width, the zeros and ones first among their classes.

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetError
        Where there are fewer than two classes or the sides are odd.

    Examples
    --------
    >>> pixels = np.arange(8, dtype=np.uint8).reshape(2, 1, 2, 2)
    >>> zero_one(Dataset(pixels, [0, 1], ("0", "1"), "digits")).images.ravel()
    array([1.5, 5.5], dtype=float32)
    """
    channels, height, width = digits.image_shape
    if len(digits.classes) < 2 or height % 2 or width % 2:
        rule = "two classes and images of even sides are needed"
        values = {"classes": len(digits.classes), "sides": (height, width)}
        raise DatasetError(message("zero_one", rule, values, "Use the MNIST digits"))
    pair = digits.subset(digits.labels < 2)
    blocks = pair.images.reshape(len(pair), channels, height // 2, 2, width // 2, 2)
    images = blocks.mean(axis=(3, 5), dtype=np.float32)
    return replace(pair, images=images, classes=pair.classes[:2], name=f"{digits.name} 0 and 1")
