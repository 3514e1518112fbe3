"""The smallest network that does something: zeros against ones at 14x14."""

from __future__ import annotations

from faltung.graph.layers import AbstractLayer, Chain, Conv, Dense, Flatten, Relu


def zero_one(in_shape: tuple[int, int, int], classes: int) -> AbstractLayer:
    """Conv -> relu -> conv -> relu -> flatten -> dense, the network of cnn_from_scratch.py."""
    return Chain(
        Conv(4, 3),
        Relu(),
        Conv(8, 3, stride=2),
        Relu(),
        Flatten(),
        Dense(classes),
    )
