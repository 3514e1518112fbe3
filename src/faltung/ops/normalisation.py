"""Batch normalisation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import numpy as np

from faltung.errors import GeometryError, message
from faltung.ops import dispatch
from faltung.ops.operator import (
    EVERYTHING,
    AbstractOperator,
    Array,
    Attribute,
    Example,
    Key,
    OnnxNode,
    Result,
    Shape,
    Spans,
    Taps,
    point,
    whole,
)

_SCALED: Final = (
    *(("load", i) for i in range(4)),
    *(("sub", 0, 1), ("mul", 4, 2), ("add", 5, 3)),
)
"""``(x - mean) scale + bias``, in one pass."""


def moments(x: Array) -> tuple[Array, Array]:
    """Return mean and (population) variance of each channel, in float64."""
    mean = channel_mean(x)
    centred = x - _column(mean.astype(x.dtype), x)
    return mean, channel_mean(centred * centred)


def channel_mean(x: Array) -> Array:
    """Return the mean of each channel: float64 sums over the batch of each image's own sum."""
    rows = x.reshape(x.shape[0], x.shape[1], -1)
    count = max(rows.shape[0] * rows.shape[2], 1)
    mean: Array = rows.sum(axis=2).sum(axis=0, dtype=np.float64) / count
    return mean


@dataclass(frozen=True)
class BatchNormalization(AbstractOperator):
    """``y = scale (x - mean) / sqrt(var + eps) + bias``, channel by channel.

    In training the mean and the (population) variance are the batch's own, and the running ones,
    inputs 3 and 4, become ``momentum * running + (1 - momentum) * batch``. With ``training_mode``
    this is so in inference as well, and outputs 1 and 2 are what the running ones would become.
    """

    onnx_type: ClassVar[str] = "BatchNormalization"
    arity: ClassVar[tuple[int, int]] = (5, 5)
    state_inputs: ClassVar[tuple[int, ...]] = (3, 4)
    epsilon: float = 1e-5
    momentum: float = 0.9
    training_mode: bool = False

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the shape of x."""
        shape = tuple(in_shapes[0])
        if len(shape) < 2:
            rule = "the input must have a channel axis"
            raise GeometryError(message(self.subject, rule, {"shape": shape}))
        for name, given in zip(("scale", "bias", "mean", "var"), in_shapes[1:], strict=True):
            if tuple(given) != (shape[1],):
                values = {name: given, "channels": shape[1]}
                raise GeometryError(message(self.subject, f"{name} must be (channels,)", values))
        return (shape, (shape[1],), (shape[1],)) if self.training_mode else (shape,)

    def out_dtypes(self, in_dtypes: Sequence[np.dtype[Any]]) -> tuple[np.dtype[Any], ...]:
        """Return the dtype of x, and those of the statistics."""
        return (in_dtypes[0], *in_dtypes[3:]) if self.training_mode else (in_dtypes[0],)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Normalise by the batch in training, by the running statistics otherwise."""
        self.out_shapes([x.shape for x in inputs])
        x, scale, bias, mean, var = inputs
        own = training or self.training_mode
        done = dispatch.normalised(x, scale, bias, self.epsilon) if own else None
        if done is None:
            done = self._scaled(x, scale, bias, *(moments(x) if own else (mean, var)))
        y, used_mean, used_var, inverse = done
        saved = (x, used_mean, inverse, scale, own)
        state = {3: self._moved(mean, used_mean), 4: self._moved(var, used_var)} if own else {}
        if self.training_mode:
            return (y, state[3], state[4]), state if training else {}, saved
        return (y,), state, saved

    def _scaled(
        self, x: Array, scale: Array, bias: Array, mean: Array, var: Array
    ) -> tuple[Array, Array, Array, Array]:
        """Return y, the statistics as they are, and ``1 / sqrt(var + eps)`` in float64."""
        inverse = 1 / np.sqrt(var.astype(np.float64) + self.epsilon)
        slope = scale * inverse.astype(x.dtype)
        columns = [_column(values, x) for values in (mean.astype(x.dtype), slope, bias)]
        y = dispatch.chained(_SCALED, x, *columns)
        if y is None:
            y = x - columns[0]
            y *= columns[1]
            y += columns[2]
        return y, mean, var, inverse

    def _moved(self, running: Array, batch: Array) -> Array:
        moved = self.momentum * running.astype(np.float64) + (1 - self.momentum) * batch
        return moved.astype(running.dtype)

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return dx, dscale and dbias; in training dx also goes through the statistics.

        ``dx = scale inverse (dout - mean(dout) - xhat mean(dout xhat))``
        """
        x, wide_mean, wide_inverse, scale, through = saved
        dout, mean = douts[0], wide_mean.astype(np.float64)
        done = dispatch.normalised_dx(x, dout, scale, mean, wide_inverse, through=through)
        if done is not None:
            return (*done, None, None)
        count = max(dout.size // max(dout.shape[1], 1), 1)
        inverse = wide_inverse.astype(dout.dtype)
        centred = x - _column(mean.astype(x.dtype), x)
        mean_dout, mean_product = channel_mean(dout), channel_mean(dout * centred)
        dscale = (mean_product * inverse * count).astype(dout.dtype)
        dbias = (mean_dout * count).astype(dout.dtype)
        dx = dout
        if through:
            slope = (mean_product * wide_inverse**2).astype(dout.dtype)
            dx = dout - centred * _column(slope, dout)
            dx -= _column(mean_dout.astype(dout.dtype), dout)
        return dx * _column(scale * inverse, dout), dscale, dbias, None, None

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the position, and its channel's statistics: what inference uses.

        In training mode all positions of the channel are used.
        """
        channel = index[0] if output else index[1]
        x = tuple(point(i) for i in index)
        if self.training_mode:
            sizes = [whole(n) for n in in_shapes[0]]
            x = (sizes[0], point(channel), *sizes[2:])
        return (x, *((point(channel),) for _ in range(4)))

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return the spans, and those of the channels."""
        channels, x = spans[0] if output else spans[1], tuple(spans)
        if self.training_mode:
            x = (EVERYTHING, channels, *(EVERYTHING for _ in in_shapes[0][2:]))
        return (x, *((channels,) for _ in range(4)))

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return what inference needs, and the momentum for whoever trains on."""
        attributes: dict[str, Attribute] = {"training_mode": 1} if self.training_mode else {}
        return attributes | {"epsilon": float(self.epsilon), "momentum": float(self.momentum)}

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read epsilon, momentum and, since opset 14, whether the batch's statistics count."""
        operator = cls(
            epsilon=node.real("epsilon", 1e-5),
            momentum=node.real("momentum", 0.9),
            training_mode=bool(node.integer("training_mode", 0)),
        )
        return operator, node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return images, a signal, plain vectors and another epsilon."""
        four = ((3,),) * 4
        return [
            Example(cls(), ((4, 3, 2, 3), *four), positive=(1, 4)),
            Example(cls(epsilon=0.1, momentum=0.5), ((5, 3, 4), *four), positive=(1, 4)),
            Example(cls(), ((6, 3), *four), positive=(1, 4)),
        ]


def _column(values: Array, x: Array) -> Array:
    """Shape one value a channel so that it meets the channel axis of x."""
    return values.reshape(1, math.prod(values.shape), *(1 for _ in x.shape[2:]))
