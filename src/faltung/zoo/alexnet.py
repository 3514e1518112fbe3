"""AlexNet of 2012, its two towers as groups.

Source: Krizhevsky, Sutskever, Hinton, *ImageNet classification with deep convolutional neural
networks* (2012), section 3.5. The second, fourth and fifth convolution see only the maps of their
own tower. The paper says 224x224, but its sizes follow from 227x227. The response normalisation of
section 3.3 stands where the paper has it, before the first two poolings.
"""

from __future__ import annotations

from faltung import ops
from faltung.graph.layers import (
    AbstractLayer,
    Chain,
    Conv,
    Dense,
    Dropout,
    Flatten,
    MaxPool,
    Operation,
    Relu,
)

NORMALISED = 5
"""Over how many maps the responses are normalised."""


def alexnet(in_shape: tuple[int, int, int], classes: int) -> AbstractLayer:
    """Five convolutions, three dense layers: 60,965,224 parameters on 3x227x227, 1000 classes."""
    return Chain(
        Conv(96, 11, stride=4),
        Relu(),
        _normalise(),
        MaxPool(3, 2),
        Conv(256, 5, padding=2, groups=2),
        Relu(),
        _normalise(),
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


def _normalise() -> AbstractLayer:
    """The paper's k = 2, n = 5, alpha = 1e-4, beta = 0.75.

    ONNX divides its alpha by the number of maps, the paper does not.
    """
    return Operation(ops.LRN(NORMALISED, alpha=NORMALISED * 1e-4, beta=0.75, bias=2.0))
