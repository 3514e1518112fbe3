"""AlexNet of 2012, its two towers as groups.

Source: Krizhevsky, Sutskever, Hinton, *ImageNet classification with deep convolutional neural
networks* (2012), section 3.5. The second, fourth and fifth convolution see only the maps of their
own tower. The paper says 224x224, but its sizes follow from 227x227. Left out: the response
normalisation of section 3.3, which has no weights.
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


def alexnet(in_shape: tuple[int, int, int], classes: int) -> AbstractLayer:
    """Five convolutions, three dense layers: 60,965,224 parameters on 3x227x227, 1000 classes."""
    return Chain(
        Conv(96, 11, stride=4),
        Relu(),
        MaxPool(3, 2),
        Conv(256, 5, padding=2, groups=2),
        Relu(),
        MaxPool(3, 2),
        Conv(384, 3, padding=1),
        Relu(),
        Conv(384, 3, padding=1, groups=2),
        Relu(),
        Conv(256, 3, padding=1, groups=2),
        Relu(),
        MaxPool(3, 2),
        Flatten(),
        Dropout(0.5),
        Dense(4096),
        Relu(),
        Dropout(0.5),
        Dense(4096),
        Relu(),
        Dense(classes),
    )
