"""Layer builders: networks written as they are read, chains and branches alike.

A layer is a record of what to add; calling it on a `Symbol` returns the symbol of its output, and
`build` turns symbols into a `faltung.Graph` with initial parameters::

    net = build(Chain(Conv(16, 3, padding="same"), Relu(), MaxPool(2), Flatten(), Dense(10)),
                input_shape=(1, 28, 28))

Most layers take a ``name``, which their arrays and errors carry; without one they are counted:
conv1, conv2. Branches are calls::

    x = Input((3, 32, 32))
    h = Chain(Conv(16, 3, padding="same"), Relu())(x)
    y = Conv(16, 3, padding="same")(h) + h
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import comb

import numpy as np

from faltung import ops
from faltung.errors import GraphError, message
from faltung.geometry import PaddingLike, per_axis
from faltung.graph.build import build as build
from faltung.graph.build import sketch as sketch
from faltung.graph.operations import Add as Add
from faltung.graph.operations import AvgPool as AvgPool
from faltung.graph.operations import Clip as Clip
from faltung.graph.operations import Concat as Concat
from faltung.graph.operations import Dropout as Dropout
from faltung.graph.operations import Flatten as Flatten
from faltung.graph.operations import GlobalAvgPool as GlobalAvgPool
from faltung.graph.operations import GlobalMaxPool as GlobalMaxPool
from faltung.graph.operations import LeakyRelu as LeakyRelu
from faltung.graph.operations import MaxPool as MaxPool
from faltung.graph.operations import Mul as Mul
from faltung.graph.operations import Operation as Operation
from faltung.graph.operations import Pad as Pad
from faltung.graph.operations import Relu as Relu
from faltung.graph.operations import Sigmoid as Sigmoid
from faltung.graph.operations import Softmax as Softmax
from faltung.graph.operations import Tanh as Tanh
from faltung.graph.symbols import AbstractLayer as AbstractLayer
from faltung.graph.symbols import Input as Input
from faltung.graph.symbols import Symbol as Symbol
from faltung.graph.symbols import Weight as Weight
from faltung.graph.symbols import apply as apply
from faltung.graph.symbols import constant as constant
from faltung.graph.symbols import he_normal as he_normal
from faltung.graph.symbols import ones as ones
from faltung.graph.symbols import zeros as zeros


def _channels(x: Symbol, subject: str) -> int:
    if len(x.shape) < 2 or not isinstance(x.shape[1], int):
        rule = "the input must have a channel axis of known size"
        raise GraphError(message(subject, rule, {"shape": x.shape}))
    return x.shape[1]


@dataclass(frozen=True)
class Conv(AbstractLayer):
    """Cross-correlation; its weights are (out_channels, in_channels/groups, *kernel_size).

    Parameters
    ----------
    out_channels
        How many filters.
    kernel_size, stride, dilation
        An int, or one for each space axis.
    padding
        A word (``"valid"``, ``"same"``, ``"same_lower"``, ``"full"``), an int, one int or one pair
        ``(lo, hi)`` for each space axis.
    groups
        Groups of channels that do not see each other.
    padding_mode
        ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.
    bias
        Whether each output channel has a number added.
    """

    out_channels: int
    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...] = 1
    padding: PaddingLike = 0
    dilation: int | tuple[int, ...] = 1
    groups: int = 1
    padding_mode: str = "zeros"
    bias: bool = True
    name: str | None = None

    def __call__(self, *sources: Symbol) -> Symbol:
        """Add the convolution with He-normal weights and a zero bias."""
        (x,) = sources
        kernel = per_axis(self.kernel_size, len(x.shape) - 2, "kernel_size")
        per_group = _channels(x, "conv") // self.groups
        shape = (self.out_channels, per_group, *kernel)
        weight = Weight("weight", shape, he_normal(shape, per_group * int(np.prod(kernel))))
        bias = (Weight("bias", shape[:1], zeros(shape[:1])),) if self.bias else ()
        operator = ops.Conv(
            self.stride, self.padding, self.dilation, self.groups, self.padding_mode
        )
        return apply(operator, x, weight, *bias, name=self.name)


@dataclass(frozen=True)
class ConvTranspose(AbstractLayer):
    """Transposed convolution; its weights are (in_channels, out_channels/groups, *kernel_size).

    Parameters
    ----------
    out_channels, kernel_size, stride, padding, dilation, groups, bias
        As in `Conv`; what padding adds there, it takes away here.
    output_padding
        How much further the output reaches at its end; an int, or one for each space axis.
    """

    out_channels: int
    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...] = 1
    padding: PaddingLike = 0
    output_padding: int | tuple[int, ...] = 0
    dilation: int | tuple[int, ...] = 1
    groups: int = 1
    bias: bool = True
    name: str | None = None

    def __call__(self, *sources: Symbol) -> Symbol:
        """Add the transposed convolution with He-normal weights and a zero bias."""
        (x,) = sources
        kernel = per_axis(self.kernel_size, len(x.shape) - 2, "kernel_size")
        channels = _channels(x, "conv_transpose")
        shape = (channels, self.out_channels // self.groups, *kernel)
        # Each output meets about kernel / stride taps of each input channel of its group.
        steps = int(np.prod(per_axis(self.stride, len(kernel), "stride")))
        fan_in = max(channels // self.groups * int(np.prod(kernel)) // steps, 1)
        weight = Weight("weight", shape, he_normal(shape, fan_in))
        out = (self.out_channels,)
        bias = (Weight("bias", out, zeros(out)),) if self.bias else ()
        operator = ops.ConvTranspose(
            self.stride, self.padding, self.output_padding, self.dilation, self.groups
        )
        return apply(operator, x, weight, *bias, name=self.name)


@dataclass(frozen=True)
class LocallyConnected(AbstractLayer):
    """A convolution's window with other weights at each output position: for one size of image.

    Its weights are (out_channels, in_channels, pairs of an output and a tap inside the image).

    Parameters
    ----------
    out_channels, kernel_size, stride, padding, dilation
        As in `Conv`.
    bias
        Whether each output has a number added.
    """

    out_channels: int
    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...] = 1
    padding: PaddingLike = 0
    dilation: int | tuple[int, ...] = 1
    bias: bool = True
    name: str | None = None

    def __call__(self, *sources: Symbol) -> Symbol:
        """Add the layer with He-normal weights, and an Add with a zero bias."""
        (x,) = sources
        kernel = per_axis(self.kernel_size, len(x.shape) - 2, "kernel_size")
        operator = ops.LocallyConnected(kernel, self.stride, self.padding, self.dilation)
        shape = operator.weight_shape(x.shape, self.out_channels)
        weight = Weight("weight", shape, he_normal(shape, shape[1] * int(np.prod(kernel))))
        y = apply(operator, x, weight, name=self.name)
        if not self.bias:
            return y
        own = tuple(int(n) for n in y.shape[1:])
        return apply(ops.Add(), y, Weight("bias", own, zeros(own)))


@dataclass(frozen=True)
class Dense(AbstractLayer):
    """A dense layer on (N, in_features); its weights are (out_features, in_features).

    Parameters
    ----------
    out_features
        How many outputs.
    bias
        Whether each has a number added.
    """

    out_features: int
    bias: bool = True
    name: str | None = None

    def __call__(self, *sources: Symbol) -> Symbol:
        """Add the dense layer with He-normal weights and a zero bias."""
        (x,) = sources
        features = _channels(x, "dense")
        shape = (self.out_features, features)
        weight = Weight("weight", shape, he_normal(shape, features))
        bias = (Weight("bias", shape[:1], zeros(shape[:1])),) if self.bias else ()
        return apply(ops.Gemm(trans_b=True), x, weight, *bias, name=self.name)


@dataclass(frozen=True)
class BatchNorm(AbstractLayer):
    """Batch normalisation with running statistics as state.

    Parameters
    ----------
    epsilon
        Added to the variance.
    momentum
        The share of the running statistics that a batch leaves.
    """

    epsilon: float = 1e-5
    momentum: float = 0.9
    name: str | None = None

    def __call__(self, *sources: Symbol) -> Symbol:
        """Add the normalisation: scale 1, bias 0, running mean 0, running variance 1."""
        (x,) = sources
        shape = (_channels(x, "batch norm"),)
        operator = ops.BatchNormalization(self.epsilon, self.momentum)
        return apply(
            operator,
            x,
            Weight("scale", shape, ones(shape)),
            Weight("bias", shape, zeros(shape)),
            Weight("mean", shape, zeros(shape), trainable=False),
            Weight("var", shape, ones(shape), trainable=False),
            name=self.name,
        )


@dataclass(frozen=True)
class Normalize(AbstractLayer):
    """``(x - mean) / std`` with fixed numbers, so that a network takes raw pixels.

    Parameters
    ----------
    mean, std
        One number, or one for each channel; they are state, not trained.
    """

    mean: float | tuple[float, ...]
    std: float | tuple[float, ...]

    def __call__(self, *sources: Symbol) -> Symbol:
        """Add the subtraction and the division."""
        (x,) = sources
        ones_after = (1,) * (len(x.shape) - 2)
        mean, std = (
            np.asarray(v, dtype=np.float32).reshape(-1, *ones_after) for v in (self.mean, self.std)
        )
        centred = apply(
            ops.Sub(), x, Weight("mean", mean.shape, constant(mean), False), name="centre"
        )
        return apply(
            ops.Div(), centred, Weight("std", std.shape, constant(std), False), name="scale"
        )


@dataclass(frozen=True)
class BlurPool(AbstractLayer):
    """Anti-aliased subsampling: each channel blurred with binomial weights, then strided.

    Behind a max pooling of stride 1 it makes one that small shifts of the input disturb less. The
    weights are state, not trained; the border is reflected. Source: Zhang, *Making convolutional
    networks shift-invariant again* (2019), section 3.

    Parameters
    ----------
    kernel_size
        Weights along each axis: 3 for 1, 2, 1.
    stride
        Every how many positions of the blurred image are kept.
    """

    kernel_size: int = 3
    stride: int = 2
    name: str | None = None

    def __call__(self, *sources: Symbol) -> Symbol:
        """Add the blur as a depthwise convolution."""
        (x,) = sources
        channels, axes, k = _channels(x, "blur pool"), len(x.shape) - 2, self.kernel_size
        row = np.array([comb(k - 1, i) for i in range(k)]) / 2 ** (k - 1)
        kernel = reduce(np.multiply.outer, [row] * axes)
        filters = np.broadcast_to(kernel, (channels, 1, *kernel.shape))
        weight = Weight("blur", filters.shape, constant(filters), trainable=False)
        padding = (((k - 1) // 2, k // 2),) * axes
        operator = ops.Conv(self.stride, padding, 1, channels, "reflect")
        return apply(operator, x, weight, name=self.name or "blurpool")


class Chain(AbstractLayer):
    """Layers one after the other.

    Parameters
    ----------
    layers
        From the input on.
    """

    def __init__(self, *layers: AbstractLayer) -> None:
        self.layers = layers

    def __call__(self, *sources: Symbol) -> Symbol:
        """Add the layers; the first takes all the given symbols."""
        for layer in self.layers:
            sources = (layer(*sources),)
        return sources[0]


@dataclass(frozen=True)
class Residual(AbstractLayer):
    """``body(x) + shortcut(x)``; without a shortcut, ``body(x) + x``.

    Parameters
    ----------
    body, shortcut
        Layers whose outputs have one shape.
    """

    body: AbstractLayer
    shortcut: AbstractLayer | None = None

    def __call__(self, *sources: Symbol) -> Symbol:
        """Add both branches and their sum."""
        (x,) = sources
        return self.body(x) + (x if self.shortcut is None else self.shortcut(x))
