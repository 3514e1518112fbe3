"""Layers drawn at random, of which `random_graphs` makes networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from faltung import ops
from faltung.geometry.padding import PaddingLike
from faltung.graph import layers as L
from faltung.graph.symbols import AbstractLayer, Input, Symbol, Weight, apply, ones, zeros
from faltung.ops.operator import AbstractOperator

Layer = Callable[[Symbol], Symbol]
SPACE: Final = {1: (25, 40), 2: (11, 18), 3: (7, 9)}
"""Least and largest size of an image, by how many axes it has."""
ROOM: Final = {1: 80, 2: 30, 3: 14}
"""Sizes past which nothing is enlarged any more."""
WIDE: Final = (8, 13, 16, 24)
"""Channels of a wide layer: vectors of them, and some that are left over."""
FUNCTIONS: Final[tuple[AbstractOperator, ...]] = (
    *(ops.Tanh(), ops.Clip(0.0, 6.0), ops.HardSwish(), ops.HardSigmoid(), ops.Elu()),
    *(ops.Softmax(1), ops.LogSoftmax(1), ops.Neg(), ops.Abs()),
)


class Drawing:
    """Draws layers.

    Parameters
    ----------
    seed
        Decides everything.
    axes
        How many space axes; drawn if None.
    is_wide
        Whether some layers have vectors of channels.
    """

    def __init__(self, seed: int, axes: int | None, is_wide: bool) -> None:
        self.is_wide = is_wide
        self.rng = np.random.default_rng([seed, 4])
        self.axes = int(self.rng.integers(1, 4)) if axes is None else axes

    def start(self) -> Symbol:
        """An input of a few channels."""
        least, most = SPACE[self.axes]
        space = (self.number(least, most) for _ in range(self.axes))
        return Input((self.number(1, 3), *space))

    def number(self, least: int, most: int) -> int:
        """A whole number; both ends are drawn too."""
        return int(self.rng.integers(least, most + 1))

    def each(self, least: int, most: int) -> tuple[int, ...]:
        """One number for each axis of space."""
        return tuple(self.number(least, most) for _ in range(self.axes))

    def one_of(self, choices: Sequence[str]) -> str:
        """One of several words."""
        return choices[self.number(0, len(choices) - 1)]

    def is_so(self) -> bool:
        """Yes or no."""
        return bool(self.number(0, 1))

    def width(self) -> int:
        """So many channels: few, or at times some vectors of them."""
        if self.is_wide and self.number(0, 7) == 0:
            return WIDE[self.number(0, len(WIDE) - 1)]
        return self.number(1, 4)

    def padding(self) -> PaddingLike:
        """A word, or pairs that differ."""
        pairs = tuple((self.number(0, 2), self.number(0, 2)) for _ in range(self.axes))
        word = self.one_of(("same", "same_lower", "valid", ""))
        return word or pairs

    def stride(self, x: Symbol) -> int | tuple[int, ...]:
        """Only larger images are made smaller."""
        return self.each(1, 2) if min(space_of(x)) >= 8 else 1

    def fits(self, layer: AbstractLayer, x: Symbol) -> Symbol:
        """Add a layer if it leaves something, else nothing."""
        y = layer(x)
        return y if min(space_of(y)) >= 3 else x

    def conv(self, x: Symbol) -> Symbol:
        """With any padding, and all of its modes."""
        mode = self.one_of(("zeros", "zeros", "reflect", "replicate", "circular"))
        layer = L.Conv(
            self.width(),
            self.each(1, 3),
            stride=self.stride(x),
            padding=self.padding(),
            padding_mode=mode,
        )
        return self.fits(layer, x)

    def dilated(self, x: Symbol) -> Symbol:
        """Taps that lie apart on each axis."""
        layer = L.Conv(self.width(), self.each(2, 3), padding="same", dilation=self.each(2, 3))
        return layer(x)

    def large(self, x: Symbol) -> Symbol:
        """Long on one axis or on all of them, with steps past the kernel too."""
        kernel = self.each(4, 7) if self.is_so() else (self.number(5, 7), *(1,) * (self.axes - 1))
        small = L.Conv(self.width(), 1, stride=self.number(2, 3))
        longest = L.Conv(self.width(), kernel, stride=self.stride(x), padding="same", bias=False)
        return self.fits(longest if self.is_so() else small, x)

    def cropped(self, x: Symbol) -> Symbol:
        """Padding below 0, which cuts off."""
        most = -2 if min(space_of(x)) >= 6 else -1
        pads = tuple((self.number(most, 1), self.number(most, 1)) for _ in range(self.axes))
        return self.fits(L.Conv(self.width(), self.each(1, 3), padding=pads), x)

    def grouped(self, x: Symbol) -> Symbol:
        """Each channel by itself, one or two filters for each."""
        channels = int(x.shape[1])
        many = channels * self.number(1, 2)
        return self.fits(L.Conv(many, self.each(1, 3), padding=self.padding(), groups=channels), x)

    def groups(self, x: Symbol) -> Symbol:
        """Groups of some channels each, forward or transposed."""
        many = self.number(2, 3)
        inner = L.Conv(many * self.number(1, 3), 1)(x)
        if self.is_so():
            layer = L.Conv(many * self.number(1, 3), self.each(1, 3), padding="same", groups=many)
            return layer(inner)
        return L.ConvTranspose(many * self.number(1, 2), 3, padding=1, groups=many)(inner)

    def transposed(self, x: Symbol) -> Symbol:
        """Up to twice the size, as long as that is small."""
        stride = 2 if max(space_of(x)) <= ROOM[self.axes] // 2 else 1
        layer = L.ConvTranspose(
            self.number(1, 3),
            self.each(2, 3),
            stride=stride,
            padding=self.number(0, 1),
            output_padding=self.number(0, stride - 1),
        )
        return layer(x)

    def resize(self, x: Symbol) -> Symbol:
        """By nearest or linear neighbours, larger or smaller."""
        grows = max(space_of(x)) <= ROOM[self.axes] // 2
        scale = 2.0 if grows else 0.5 if min(space_of(x)) >= 6 else 1.5
        mode = self.one_of(("nearest", "linear"))
        at = self.one_of(("half_pixel", "asymmetric"))
        scales = (scale,) * self.axes
        where = tuple(range(2, 2 + self.axes))
        operator = ops.Resize(scales, axes=where, mode=mode, coordinate=at)
        return L.Operation(operator)(x)

    def pool(self, x: Symbol) -> Symbol:
        """The largest or the mean of windows that overlap."""
        kind = (L.MaxPool, L.AvgPool)[self.number(0, 1)]
        ceil = bool(self.number(0, 1))
        layer = kind(self.each(2, 3), stride=self.stride(x), padding=1, ceil_mode=ceil)
        return self.fits(layer, x)

    def blur(self, x: Symbol) -> Symbol:
        """Smooth each channel, and take every second number."""
        return self.fits(L.BlurPool(3, stride=2 if min(space_of(x)) >= 8 else 1), x)

    def act(self, x: Symbol) -> Symbol:
        """A common function, or a normalisation."""
        choices = (L.Relu(), L.Sigmoid(), L.LeakyRelu(), L.BatchNorm())
        return choices[self.number(0, len(choices) - 1)](x)

    def function(self, x: Symbol) -> Symbol:
        """One of the rarer functions, a softmax over channels among them."""
        return L.Operation(FUNCTIONS[self.number(0, len(FUNCTIONS) - 1)])(x)

    def standard(self, x: Symbol) -> Symbol:
        """Normalise each image by itself, channel by channel or all of them."""
        shape = (int(x.shape[1]),)
        weights = Weight("scale", shape, ones(shape)), Weight("bias", shape, zeros(shape))
        operator = ops.InstanceNormalization() if self.is_so() else ops.GroupNormalization(1)
        return apply(operator, x, *weights)

    def pad(self, x: Symbol) -> Symbol:
        """Zeros around, or less than there was."""
        pads = tuple((self.number(-1, 2), self.number(-1, 2)) for _ in range(self.axes))
        return self.fits(L.Operation(ops.Pad(((0, 0), (0, 0), *pads))), x)

    def drop(self, x: Symbol) -> Symbol:
        """Drop numbers in training."""
        return L.Dropout(0.3)(x)


def space_of(x: Symbol) -> tuple[int, ...]:
    """Return the sizes of space."""
    return tuple(int(n) for n in x.shape[2:])
