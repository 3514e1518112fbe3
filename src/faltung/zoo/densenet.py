"""DenseNet-121: every layer of a block sees the outputs of all layers before it.

Source: Huang, Liu, van der Maaten, Weinberger, *Densely connected convolutional networks* (2017),
table 1, with k = 32.
"""

from __future__ import annotations

from dataclasses import dataclass

from faltung.graph.layers import (
    AbstractLayer,
    AvgPool,
    BatchNorm,
    Chain,
    Concat,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    Relu,
    Symbol,
)

GROWTH = 32
BLOCKS = (6, 12, 24, 16)


def densenet121(in_shape: tuple[int, int, int], classes: int) -> AbstractLayer:
    """Four blocks of 58 layers: 7,978,856 parameters for 3 channels and 1000 classes."""
    stages: list[AbstractLayer] = []
    for layers in BLOCKS:
        stages += [*(_Grow() for _ in range(layers)), _Halve()]
    return Chain(
        Conv(2 * GROWTH, 7, stride=2, padding=3, bias=False),
        BatchNorm(),
        Relu(),
        MaxPool(3, 2, 1),
        *stages[:-1],
        BatchNorm(),
        Relu(),
        GlobalAvgPool(),
        Flatten(),
        Dense(classes),
    )


@dataclass(frozen=True)
class _Grow(AbstractLayer):
    """Append 32 maps, computed from all those that are there."""

    def __call__(self, *sources: Symbol) -> Symbol:
        (x,) = sources
        new = Chain(
            BatchNorm(),
            Relu(),
            Conv(4 * GROWTH, 1, bias=False),
            BatchNorm(),
            Relu(),
            Conv(GROWTH, 3, padding=1, bias=False),
        )
        return Concat()(x, new(x))


@dataclass(frozen=True)
class _Halve(AbstractLayer):
    """Between blocks: half as many maps, half as many positions along each axis."""

    def __call__(self, *sources: Symbol) -> Symbol:
        (x,) = sources
        conv = Conv(int(x.shape[1]) // 2, 1, bias=False)
        return Chain(BatchNorm(), Relu(), conv, AvgPool(2))(x)
