"""The default network: two 3x3 convolutions, each with pooling, and one dense layer."""

from __future__ import annotations

from faltung.graph.layers import AbstractLayer, Chain, Conv, Dense, Dropout, Flatten, MaxPool, Relu


def small(in_shape: tuple[int, int, int], classes: int) -> AbstractLayer:
    """Convolutions to 16 and 32 channels; three quarters of the values are pooled away twice.

    On 1x28x28 and 10 classes it has 20,490 parameters.
    """
    return Chain(
        Conv(16, 3, padding="same"),
        Relu(),
        MaxPool(2),
        Conv(32, 3, padding="same"),
        Relu(),
        MaxPool(2),
        Flatten(),
        Dropout(0.25),
        Dense(classes),
    )
