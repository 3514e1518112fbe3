"""MobileNet v1 and v2: convolutions split into one for each channel and one across channels.

Sources: Howard et al., *MobileNets* (2017), table 1; Sandler et al., *MobileNetV2: inverted
residuals and linear bottlenecks* (2018), table 2.
"""

from __future__ import annotations

from dataclasses import dataclass

from faltung.graph.layers import (
    AbstractLayer,
    BatchNorm,
    Chain,
    Clip,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Relu,
    Residual,
    Symbol,
)

V1 = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    *[(512, 1)] * 5, (1024, 2), (1024, 1),
)  # fmt: skip
"""Channels and stride of each separable convolution."""

V2 = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
    (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
"""Expansion, channels, number of blocks and first stride of each stage."""


def mobilenet_v1(in_shape: tuple[int, int, int], classes: int) -> AbstractLayer:
    """Thirteen separable convolutions: 4,231,976 parameters for 3 channels and 1000 classes."""
    separable = (Chain(_Depthwise(stride), Relu(), _pointwise(c), Relu()) for c, stride in V1)
    first = Conv(32, 3, stride=2, padding="same", bias=False)
    return Chain(first, BatchNorm(), Relu(), *separable, GlobalAvgPool(), Flatten(), Dense(classes))


def mobilenet_v2(in_shape: tuple[int, int, int], classes: int) -> AbstractLayer:
    """Seventeen inverted residuals: 3,504,872 parameters for 3 channels and 1000 classes."""
    blocks = (
        _Inverted(expansion, channels, stride if block == 0 else 1)
        for expansion, channels, count, stride in V2
        for block in range(count)
    )
    return Chain(
        Conv(32, 3, stride=2, padding=1, bias=False),
        BatchNorm(),
        Clip(0, 6),
        *blocks,
        _pointwise(1280),
        Clip(0, 6),
        GlobalAvgPool(),
        Flatten(),
        Dropout(0.2),
        Dense(classes),
    )


@dataclass(frozen=True)
class _Inverted(AbstractLayer):
    """Widen, filter each channel, narrow; beside the identity where shapes allow it."""

    expansion: int
    channels: int
    stride: int

    def __call__(self, *sources: Symbol) -> Symbol:
        (x,) = sources
        before = int(x.shape[1])
        widen = [_pointwise(self.expansion * before), Clip(0, 6)] if self.expansion > 1 else []
        body = Chain(*widen, _Depthwise(self.stride, 1), Clip(0, 6), _pointwise(self.channels))
        return (Residual(body) if self.stride == 1 and before == self.channels else body)(x)


def _pointwise(channels: int) -> AbstractLayer:
    return Chain(Conv(channels, 1, bias=False), BatchNorm())


@dataclass(frozen=True)
class _Depthwise(AbstractLayer):
    """One 3x3 kernel for each channel, and its normalisation."""

    stride: int
    padding: int | str = "same"

    def __call__(self, *sources: Symbol) -> Symbol:
        channels = int(sources[0].shape[1])
        conv = Conv(channels, 3, self.stride, self.padding, groups=channels, bias=False)
        return Chain(conv, BatchNorm())(*sources)
