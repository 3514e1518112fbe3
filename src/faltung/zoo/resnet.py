"""A small residual network with batch normalisation, made to be trained on a CPU.

Source: He, Zhang, Ren, Sun, *Deep residual learning for image recognition* (2016), section 4.2:
basic blocks of 16, 32 and 64 channels. Two things differ, so that 60,000 digits are learned in
minutes: there is one block of each, and pooling right after the first convolution leaves them a
quarter of the positions. Shortcuts that change shape are 1x1 convolutions (the paper's option B).
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
    """One convolution, pooling, three residual blocks, global pooling: 77,754 parameters."""
    return Chain(
        conv_norm(16, 3),
        Relu(),
        MaxPool(2),
        block(16),
        block(32, stride=2),
        block(64, stride=2),
        GlobalAvgPool(),
        Flatten(),
        Dense(classes),
    )


def block(channels: int, *, stride: int = 1) -> AbstractLayer:
    """Two 3x3 convolutions beside the identity; with a stride, which widens, beside a 1x1 one."""
    body = Chain(conv_norm(channels, 3, stride), Relu(), conv_norm(channels, 3))
    shortcut = conv_norm(channels, 1, stride) if stride > 1 else None
    return Chain(Residual(body, shortcut), Relu())


def conv_norm(channels: int, kernel_size: int, stride: int = 1) -> AbstractLayer:
    """A convolution whose bias the normalisation after it would take away again."""
    conv = Conv(channels, kernel_size, stride, padding=kernel_size // 2, bias=False)
    return Chain(conv, BatchNorm())
