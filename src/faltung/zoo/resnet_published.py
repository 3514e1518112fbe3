"""The residual networks of the paper: ResNet-20 for CIFAR-10, ResNet-50 for ImageNet.

Source: He, Zhang, Ren, Sun, *Deep residual learning for image recognition* (2016), section 4.2
and table 1. A bottleneck has its stride in the first 1x1 convolution, and the pooling keeps its
last window (ceil mode), as in the models that the authors published.
"""

from __future__ import annotations

from faltung import ops
from faltung.graph.layers import (
    AbstractLayer,
    Chain,
    Dense,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    Operation,
    Relu,
    Residual,
)
from faltung.zoo.resnet import conv_norm

BOTTLENECKS = ((64, 3), (128, 4), (256, 6), (512, 3))
"""Narrow channels of each stage, and how many blocks it has."""


def resnet20(in_shape: tuple[int, int, int], classes: int) -> AbstractLayer:
    """Nine basic blocks on 16, 32 and 64 channels: 269,722 parameters for 3 channels, 10 classes.

    Shortcuts that change shape take every other position and add channels of zeros (option A).
    """
    widths = [16] * 3 + [32] * 3 + [64] * 3
    blocks = (_basic(width, before) for before, width in zip([16, *widths], widths, strict=False))
    return Chain(conv_norm(16, 3), Relu(), *blocks, GlobalAvgPool(), Flatten(), Dense(classes))


def resnet50(in_shape: tuple[int, int, int], classes: int) -> AbstractLayer:
    """Sixteen bottlenecks: 25,557,032 parameters for 3 channels and 1000 classes."""
    stages = (
        _bottleneck(width, 2 if block == 0 and width > 64 else 1, is_first=block == 0)
        for width, blocks in BOTTLENECKS
        for block in range(blocks)
    )
    return Chain(
        conv_norm(64, 7, 2),
        Relu(),
        MaxPool(3, 2, ceil_mode=True),
        *stages,
        GlobalAvgPool(),
        Flatten(),
        Dense(classes),
    )


def _basic(width: int, before: int) -> AbstractLayer:
    stride = width // before
    body = Chain(conv_norm(width, 3, stride), Relu(), conv_norm(width, 3))
    if stride == 1:
        return Chain(Residual(body), Relu())
    zeros = (width - before) // 2
    widened = Operation(ops.Pad(((0, 0), (zeros, zeros), (0, 0), (0, 0))))
    return Chain(Residual(body, Chain(MaxPool(1, stride), widened)), Relu())


def _bottleneck(width: int, stride: int, *, is_first: bool) -> AbstractLayer:
    body = Chain(
        conv_norm(width, 1, stride),
        Relu(),
        conv_norm(width, 3),
        Relu(),
        conv_norm(4 * width, 1),
    )
    shortcut = conv_norm(4 * width, 1, stride) if is_first else None
    return Chain(Residual(body, shortcut), Relu())
