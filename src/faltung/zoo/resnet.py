"""A small residual network with batch normalisation, made to be trained on a CPU.

Source: He, Zhang, Ren, Sun, *Deep residual learning for image recognition* (2016), section 4.2,
basic blocks. Pooling right after the first convolution leaves a quarter of the positions to all
others, so that 60,000 digits are learned in minutes.
"""

from __future__ import annotations

from faltung.graph.layers import (
    AbstractLayer,
    BatchNorm,
    Chain,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    Relu,
    Residual,
)


def resnet(in_shape: tuple[int, int, int], classes: int) -> AbstractLayer:
    """One convolution, two stages of residual blocks (32 and 64 channels), global pooling."""
    return Chain(
        conv_norm(16, 3),
        Relu(),
        MaxPool(2),
        block(32, widen=True),
        block(32),
        block(64, stride=2, widen=True),
        block(64),
        GlobalAvgPool(),
        Flatten(),
        Dense(classes),
    )


def block(channels: int, *, stride: int = 1, widen: bool = False) -> AbstractLayer:
    """Two 3x3 convolutions beside the identity, or beside a 1x1 convolution where shapes change."""
    body = Chain(conv_norm(channels, 3, stride), Relu(), conv_norm(channels, 3))
    shortcut = conv_norm(channels, 1, stride) if widen else None
    return Chain(Residual(body, shortcut), Relu())


def conv_norm(channels: int, kernel_size: int, stride: int = 1) -> AbstractLayer:
    """A convolution whose bias the normalisation after it would take away again."""
    conv = Conv(channels, kernel_size, stride, padding="same", bias=False)
    return Chain(conv, BatchNorm())
