"""Networks drawn at random: branches, strides, dilation, groups, upsampling, on 1 to 3 axes.

They are small enough for everything about them to be recounted by brute force, and odd on purpose:
sizes that no stride divides, padding that differs on the two sides, kernels of even size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from faltung import ops
from faltung.geometry.padding import PaddingLike
from faltung.graph import Graph
from faltung.graph import layers as L
from faltung.graph.symbols import AbstractLayer, Input, Symbol

SPACE: Final = {1: (25, 40), 2: (11, 18), 3: (7, 9)}
"""Least and largest size of an image, by how many axes it has."""
ROOM: Final = {1: 80, 2: 30, 3: 14}
"""Sizes past which nothing is enlarged any more."""


def random_graph(seed: int, axes: int | None = None, *, training: bool = False) -> Graph:
    """Return a random network, always the same for one seed.

    Every network has a branch that ends in an Add and one that ends in a Concat, a dilated
    convolution, a transposed one and a Resize; the rest is drawn.

    Parameters
    ----------
    seed
        Decides everything.
    axes
        How many space axes, 1 to 3; drawn if None.
    training
        With what is there for training, too: normalisation by the batch behind convolutions, also
        in a branch that ends in an Add, dropout, two dense layers.

    Examples
    --------
    >>> sorted({node.operator.onnx_type for node in random_graph(0).nodes} & {"Add", "Concat"})
    ['Add', 'Concat']
    """
    drawing = _Drawing(seed, axes)
    must: list[Callable[[Symbol], Symbol]] = [
        drawing.add,
        drawing.concat,
        drawing.dilated,
        drawing.transposed,
        drawing.resize,
    ]
    may: list[Callable[[Symbol], Symbol]] = [
        drawing.conv,
        drawing.grouped,
        drawing.pool,
        drawing.blur,
        drawing.act,
        drawing.pad,
        drawing.gate,
    ]
    if training:
        must += [drawing.normalised, drawing.block]
        may += [drawing.drop, drawing.normalised, drawing.block]
    chosen = must + [may[i] for i in drawing.rng.integers(0, len(may), 4)]
    x = drawing.start()
    for i in drawing.rng.permutation(len(chosen)):
        x = chosen[i](x)
    x = drawing.classifier(x) if training else drawing.head(x)
    return L.build(x, seed=seed, metadata={"network": f"random {seed}"})


class _Drawing:
    """Draws one network, layer by layer."""

    def __init__(self, seed: int, axes: int | None) -> None:
        self.rng = np.random.default_rng([seed, 4])
        self.axes = int(self.rng.integers(1, 4)) if axes is None else axes

    def start(self) -> Symbol:
        least, most = SPACE[self.axes]
        space = (self.number(least, most) for _ in range(self.axes))
        return Input((self.number(1, 3), *space))

    def number(self, least: int, most: int) -> int:
        return int(self.rng.integers(least, most + 1))

    def each(self, least: int, most: int) -> tuple[int, ...]:
        return tuple(self.number(least, most) for _ in range(self.axes))

    def one_of(self, choices: Sequence[str]) -> str:
        return choices[self.number(0, len(choices) - 1)]

    def padding(self) -> PaddingLike:
        pairs = tuple((self.number(0, 2), self.number(0, 2)) for _ in range(self.axes))
        word = self.one_of(("same", "same_lower", "valid", ""))
        return word or pairs

    def stride(self, x: Symbol) -> int | tuple[int, ...]:
        """Only larger images are made smaller."""
        return self.each(1, 2) if min(_space(x)) >= 8 else 1

    def fits(self, layer: AbstractLayer, x: Symbol) -> Symbol:
        """Add a layer if it leaves something, else nothing."""
        y = layer(x)
        return y if min(_space(y)) >= 3 else x

    def conv(self, x: Symbol) -> Symbol:
        mode = self.one_of(("zeros", "zeros", "reflect", "replicate", "circular"))
        layer = L.Conv(
            self.number(1, 4),
            self.each(1, 3),
            stride=self.stride(x),
            padding=self.padding(),
            padding_mode=mode,
        )
        return self.fits(layer, x)

    def dilated(self, x: Symbol) -> Symbol:
        layer = L.Conv(self.number(1, 4), self.each(2, 3), padding="same", dilation=self.each(2, 3))
        return layer(x)

    def grouped(self, x: Symbol) -> Symbol:
        """Each channel by itself, one or two filters for each."""
        channels = int(x.shape[1])
        many = channels * self.number(1, 2)
        return self.fits(L.Conv(many, self.each(1, 3), padding=self.padding(), groups=channels), x)

    def transposed(self, x: Symbol) -> Symbol:
        stride = 2 if max(_space(x)) <= ROOM[self.axes] // 2 else 1
        layer = L.ConvTranspose(
            self.number(1, 3),
            self.each(2, 3),
            stride=stride,
            padding=self.number(0, 1),
            output_padding=self.number(0, stride - 1),
        )
        return layer(x)

    def resize(self, x: Symbol) -> Symbol:
        grows = max(_space(x)) <= ROOM[self.axes] // 2
        scale = 2.0 if grows else 0.5 if min(_space(x)) >= 6 else 1.5
        mode = self.one_of(("nearest", "linear"))
        at = self.one_of(("half_pixel", "asymmetric"))
        scales = (scale,) * self.axes
        where = tuple(range(2, 2 + self.axes))
        operator = ops.Resize(scales, axes=where, mode=mode, coordinate=at)
        return L.Operation(operator)(x)

    def pool(self, x: Symbol) -> Symbol:
        kind = (L.MaxPool, L.AvgPool)[self.number(0, 1)]
        ceil = bool(self.number(0, 1))
        layer = kind(self.each(2, 3), stride=self.stride(x), padding=1, ceil_mode=ceil)
        return self.fits(layer, x)

    def blur(self, x: Symbol) -> Symbol:
        return self.fits(L.BlurPool(3, stride=2 if min(_space(x)) >= 8 else 1), x)

    def act(self, x: Symbol) -> Symbol:
        choices = (L.Relu(), L.Sigmoid(), L.LeakyRelu(), L.BatchNorm())
        return choices[self.number(0, len(choices) - 1)](x)

    def pad(self, x: Symbol) -> Symbol:
        pads = tuple((self.number(-1, 2), self.number(-1, 2)) for _ in range(self.axes))
        return self.fits(L.Operation(ops.Pad(((0, 0), (0, 0), *pads))), x)

    def gate(self, x: Symbol) -> Symbol:
        """Squeeze and excite: each channel times a number that all of space decides."""
        weights = L.Chain(L.GlobalAvgPool(), L.Conv(int(x.shape[1]), 1), L.Sigmoid())
        return L.Mul()(x, weights(x))

    def add(self, x: Symbol) -> Symbol:
        channels = int(x.shape[1])
        body = L.Chain(
            L.Conv(channels, self.each(1, 3), padding="same", dilation=self.number(1, 2)),
            L.Relu(),
            L.Conv(channels, self.each(1, 3), padding="same_lower"),
        )
        return L.Residual(body)(x)

    def normalised(self, x: Symbol) -> Symbol:
        conv = L.Conv(self.number(1, 4), self.each(1, 3), padding="same", bias=self.is_so())
        layers = (conv, L.BatchNorm(), *((L.Relu(),) if self.is_so() else ()))
        return L.Chain(*layers)(x)

    def block(self, x: Symbol) -> Symbol:
        """Add the input, as it is or convolved, to what is normalised; and cut off, perhaps."""
        inner = L.Chain(
            *(L.Conv(self.number(1, 4), 3, padding="same"), L.BatchNorm(), L.Relu()),
            *(L.Conv(int(x.shape[1]), 3, padding="same"), L.BatchNorm()),
        )
        other = L.Conv(int(x.shape[1]), 1)(x) if self.is_so() else x
        total = L.Add()(inner(x), other) if self.is_so() else L.Add()(other, inner(x))
        return L.Relu()(total) if self.is_so() else total

    def drop(self, x: Symbol) -> Symbol:
        return L.Dropout(0.3)(x)

    def is_so(self) -> bool:
        return bool(self.number(0, 1))

    def concat(self, x: Symbol) -> Symbol:
        near = L.Conv(self.number(1, 2), 1)(x)
        far = L.Conv(self.number(1, 2), 3, padding="same", dilation=self.number(1, 3))(x)
        pooled = L.MaxPool(3, stride=1, padding=1)(x)
        return L.Conv(self.number(2, 4), 1)(L.Concat()(near, far, pooled))

    def head(self, x: Symbol) -> Symbol:
        """Nothing, a mean over space, or a dense layer."""
        match self.number(0, 3):
            case 0:
                return L.Chain(L.GlobalAvgPool(), L.Flatten(), L.Dense(3))(x)
            case 1:
                return L.Chain(L.Conv(1, 1), L.Flatten(), L.Dense(2))(x)
        return x

    def classifier(self, x: Symbol) -> Symbol:
        """Two dense layers, on all of space or on its mean."""
        first = L.GlobalAvgPool() if self.is_so() else L.Conv(1, 1)
        return L.Chain(first, L.Flatten(), L.Dense(4), L.Relu(), L.Dense(3))(x)


def _space(x: Symbol) -> tuple[int, ...]:
    return tuple(int(n) for n in x.shape[2:])
