"""VGG-16.

Source: Simonyan, Zisserman, *Very deep convolutional networks for large-scale image recognition*
(2015), table 1, column D.
"""

from __future__ import annotations

from faltung.graph.layers import (
    AbstractLayer,
    Chain,
    Conv,
    Dense,
    Dropout,
    Flatten,
    MaxPool,
    Relu,
)

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels of each stage, and how many convolutions it has."""


def vgg16(in_shape: tuple[int, int, int], classes: int) -> AbstractLayer:
    """Thirteen 3x3 convolutions in five stages, three dense layers: 138,357,544 parameters.

    So many on 3x224x224 and 1000 classes; 14,714,688 of them are the convolutions'.
    """
    return Chain(
        *(_stage(channels, convs) for channels, convs in STAGES),
        Flatten(),
        Dense(4096),
        Relu(),
        Dropout(0.5),
        Dense(4096),
        Relu(),
        Dropout(0.5),
        Dense(classes),
    )


def _stage(channels: int, convs: int) -> AbstractLayer:
    pairs = (Chain(Conv(channels, 3, padding=1), Relu()) for _ in range(convs))
    return Chain(*pairs, MaxPool(2))
