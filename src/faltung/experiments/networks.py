"""The networks that are compared, from raw pixels to scores."""

from __future__ import annotations

from faltung.constraints import CornerLayer
from faltung.datasets import Dataset
from faltung.experiments.digits import scale_of
from faltung.graph.layers import (
    AbstractLayer,
    Chain,
    Conv,
    Dense,
    Flatten,
    GlobalMaxPool,
    MaxPool,
    Normalize,
    Relu,
)


def dense(data: Dataset, hidden: int = 100) -> AbstractLayer:
    """Every pixel to every hidden value, and these to the scores."""
    classes = len(data.classes)
    return Chain(Normalize(*scale_of(data)), Flatten(), Dense(hidden), Relu(), Dense(classes))


def convolution(data: Dataset) -> AbstractLayer:
    """Two 5x5 convolutions, each with pooling, and a dense layer that sees where things are."""
    return Chain(
        Normalize(*scale_of(data)),
        Conv(8, 5, padding="same"),
        Relu(),
        MaxPool(2),
        Conv(16, 5, padding="same"),
        Relu(),
        MaxPool(2),
        Flatten(),
        Dense(len(data.classes)),
    )


def pooled(data: Dataset) -> AbstractLayer:
    """Two 5x5 convolutions whose maxima over the whole image are all that the scores are made of.

    Black stays 0, as the padding is: a digit on black means the same wherever it stands.
    """
    _, std = scale_of(data)
    return Chain(
        Normalize(0.0, std),
        Conv(8, 5, padding="same"),
        Relu(),
        MaxPool(2),
        Conv(32, 5, padding="same"),
        Relu(),
        GlobalMaxPool(),
        Flatten(),
        Dense(len(data.classes)),
    )


def corner(data: Dataset, name: str, channels: int) -> AbstractLayer:
    """One layer of the square; its greatest values in 2x2 positions go to the scores."""
    layer = CornerLayer(name, channels, window=1, bias=True, name="corner")
    return Chain(
        Normalize(*scale_of(data)),
        layer,
        Relu(),
        MaxPool(2),
        Flatten(),
        Dense(len(data.classes)),
    )
