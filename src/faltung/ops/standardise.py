"""Normalisation by the input's own mean and variance: instances, groups of channels, layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from faltung.errors import GeometryError, message
from faltung.geometry import Interval
from faltung.ops import dispatch
from faltung.ops.elementwise import broadcast, summed_to
from faltung.ops.moved import known_axes, repeated_spans, repeated_taps
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
    integers,
    point,
    whole,
)
from faltung.ops.windowed import channel_span


class Standard(NamedTuple):
    """Values of mean 0 and variance 1 over some axes, and what undoes it."""

    values: Array
    mean: Array
    inverse: Array


def _mean(x: Array, axes: tuple[int, ...]) -> Array:
    count = max(math.prod(x.shape[axis] for axis in axes), 1)
    return np.asarray(x.sum(axis=axes, keepdims=True, dtype=np.float64) / count)


def standardised(x: Array, axes: tuple[int, ...], epsilon: float) -> Standard:
    """Take off the mean, divide by ``sqrt(variance + epsilon)``; both are summed in float64."""
    kind = x.dtype
    found = dispatch.standardised(_rows(x, axes), epsilon) if _are_last(axes, x.ndim) else None
    if found is None:
        mean = _mean(x, axes)
        centred = x - mean.astype(kind)
        inverse = 1 / np.sqrt(_mean(centred * centred, axes) + epsilon)
        return Standard(np.asarray(centred * inverse.astype(kind)), mean, inverse)
    shape = (*x.shape[: axes[0]], *(1 for _ in axes))
    values, mean, inverse = found
    return Standard(values.reshape(x.shape), mean.reshape(shape), inverse.reshape(shape))


def standardised_dx(done: Standard, dout: Array, axes: tuple[int, ...]) -> Array:
    """Return ``inverse (dout - mean(dout) - values mean(dout values))``."""
    kind, values = dout.dtype, done.values
    if _are_last(axes, dout.ndim):
        rows, rstd = _rows(values, axes), done.inverse.reshape(-1)
        found = dispatch.standardised_dx(rows, _rows(dout, axes), rstd)
        if found is not None:
            return found.reshape(dout.shape)
    columns = [_mean(sums, axes).astype(kind) for sums in (dout, dout * values)]
    centred, along = dout - columns[0], values * columns[1]
    return np.asarray((centred - along) * done.inverse.astype(kind))


def _are_last(axes: tuple[int, ...], rank: int) -> bool:
    """Whether what is normalised together lies together, after at least one other axis."""
    return 0 < len(axes) < rank and axes == tuple(range(rank - len(axes), rank))


def _rows(x: Array, axes: tuple[int, ...]) -> Array:
    """Return what is normalised together as rows."""
    return x.reshape(math.prod(x.shape[: axes[0]]), math.prod(x.shape[axes[0] :]))


class AbstractChannelwise(AbstractOperator):
    """``y = scale standardised(x) + bias`` with a scale and a bias for each channel."""

    arity: ClassVar[tuple[int, int]] = (3, 3)
    epsilon: float

    def groups(self, channels: int) -> int:
        """Return how many groups of channels share their statistics."""
        return channels

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the shape of x."""
        shape = tuple(in_shapes[0])
        if len(shape) < 2:
            rule = "the input must have a channel axis"
            raise GeometryError(message(self.subject, rule, {"shape": shape}))
        for name, given in zip(("scale", "bias"), in_shapes[1:], strict=True):
            if tuple(given) != (shape[1],):
                values = {name: given, "channels": shape[1]}
                raise GeometryError(message(self.subject, f"{name} must be (channels,)", values))
        self.groups(integers((shape[1],), self.subject)[0])
        return (shape,)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Normalise, scale and shift."""
        x, scale, bias = inputs
        self.out_shapes([x.shape, scale.shape, bias.shape])
        count = self.groups(x.shape[1])
        size = math.prod(x.shape[1:]) // max(count, 1)
        done = standardised(x.reshape(x.shape[0], count, size), (2,), self.epsilon)
        column = (1, -1, *(1 for _ in x.shape[2:]))
        scaled = done.values.reshape(x.shape) * scale.reshape(column)
        return (np.asarray(scaled + bias.reshape(column)),), {}, (done, scale, column)

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return dx, which also goes through the statistics, dscale and dbias."""
        done, scale, column = saved
        dout = douts[0]
        values = done.values
        inner = np.asarray(dout * scale.reshape(column)).reshape(values.shape)
        dx = standardised_dx(done, inner, (2,)).reshape(dout.shape)
        axes = (0, *range(2, dout.ndim))
        dscale = (dout * values.reshape(dout.shape)).sum(axis=axes, dtype=np.float64)
        dbias = dout.sum(axis=axes, dtype=np.float64)
        return dx, dscale.astype(dout.dtype), dbias.astype(dout.dtype)

    def _per_group(self, shape: Shape) -> int:
        (channels,) = integers((shape[1],), self.subject)
        return channels // max(self.groups(channels), 1)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the group's channels, and all of space."""
        shape, each = in_shapes[0], self._per_group(in_shapes[0])
        start = index[1] // each * each
        space = (whole(n) for n in shape[2:])
        channel = (point(index[1]),)
        return (point(index[0]), range(start, start + each), *space), channel, channel

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return whole groups of channels, and everything in space."""
        shape, each = in_shapes[0], self._per_group(in_shapes[0])
        channels = channel_span(spans[1], each, each)
        space = (Interval(0, 0) if n == 0 else EVERYTHING for n in shape[2:])
        return (spans[0], channels, *space), (spans[1],), (spans[1],)


@dataclass(frozen=True)
class InstanceNormalization(AbstractChannelwise):
    """Normalise each channel of each image by its own mean and variance.

    Source: Ulyanov, Vedaldi, Lempitsky, *Instance normalization* (2016), equation 4.
    """

    onnx_type: ClassVar[str] = "InstanceNormalization"
    epsilon: float = 1e-5

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return epsilon."""
        return {"epsilon": float(self.epsilon)}

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read epsilon."""
        return cls(node.real("epsilon", 1e-5)), node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return images, signals, volumes and another epsilon."""
        return [
            Example(cls(), ((2, 3, 3, 2), (3,), (3,))),
            Example(cls(0.125), ((3, 2, 5), (2,), (2,))),
            Example(cls(), ((1, 2, 2, 2, 2), (2,), (2,))),
        ]


@dataclass(frozen=True)
class GroupNormalization(AbstractChannelwise):
    """Normalise groups of neighbouring channels of each image by their own mean and variance.

    Source: Wu, He, *Group normalization* (2018), equation 7.
    """

    onnx_type: ClassVar[str] = "GroupNormalization"
    num_groups: int
    epsilon: float = 1e-5

    def groups(self, channels: int) -> int:
        """Return the number of groups, which has to divide the channels."""
        if self.num_groups < 1 or channels % self.num_groups:
            values = {"channels": channels, "num_groups": self.num_groups}
            rule = "channels must be divisible by num_groups"
            raise GeometryError(message(self.subject, rule, values))
        return self.num_groups

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write the node; from operator set 21 on scale and bias are those of channels."""
        attributes: dict[str, Attribute] = {
            "num_groups": self.num_groups,
            "epsilon": float(self.epsilon),
        }
        return (OnnxNode("GroupNormalization", inputs, outputs, attributes, opset=21),)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read groups and epsilon."""
        groups = node.integer("num_groups", 0)
        x, scale = node.shape(0), node.shape(1)
        if 0 < node.opset < 21 and scale and (x is None or scale != tuple(x[1:2])):
            rule = "scale and bias of groups, as operator set 18 had them, must be constants"
            cure = "Give the input's sizes, or convert the model to operator set 21"
            raise GeometryError(message("GroupNormalization", rule, {"scale": scale}, cure))
        return cls(groups, node.real("epsilon", 1e-5)), node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return one group, several, one for each channel, and another epsilon."""
        return [
            Example(cls(2), ((2, 4, 3, 2), (4,), (4,))),
            Example(cls(1, 0.125), ((2, 3, 4), (3,), (3,))),
            Example(cls(3), ((2, 3, 2, 2), (3,), (3,))),
        ]


@dataclass(frozen=True)
class LayerNormalization(AbstractOperator):
    """Normalise everything from ``axis`` on by its own mean and variance.

    Scale and bias are repeated over x; the bias may be left out. With ``statistics`` the means and
    ``1 / sqrt(variance + epsilon)`` are outputs too, in float32 as ONNX has it.

    Source: Ba, Kiros, Hinton, *Layer normalization* (2016), equation 4.
    """

    onnx_type: ClassVar[str] = "LayerNormalization"
    arity: ClassVar[tuple[int, int]] = (2, 3)
    axis: int = -1
    epsilon: float = 1e-5
    statistics: bool = False

    def _axes(self, shape: Shape) -> tuple[int, ...]:
        (axis,) = known_axes((self.axis,), len(shape), self.subject)
        return tuple(range(axis, len(shape)))

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the shape of x; of the statistics, with size 1 where they were taken."""
        shape = tuple(in_shapes[0])
        axes = self._axes(shape)
        for name, given in zip(("scale", "bias"), in_shapes[1:], strict=False):
            if broadcast([shape, tuple(given)], self.subject) != shape:
                values = {"x": shape, name: tuple(given)}
                raise GeometryError(message(self.subject, f"{name} must fit x", values))
        kept = tuple(1 if axis in axes else n for axis, n in enumerate(shape))
        return (shape, kept, kept) if self.statistics else (shape,)

    def out_dtypes(self, in_dtypes: Sequence[np.dtype[Any]]) -> tuple[np.dtype[Any], ...]:
        """Return the input's dtype; statistics are in float32."""
        single = np.dtype(np.float32)
        return (in_dtypes[0], single, single) if self.statistics else (in_dtypes[0],)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Normalise, scale and shift."""
        self.out_shapes([a.shape for a in inputs])
        x, scale, *bias = inputs
        axes = self._axes(x.shape)
        done = standardised(x, axes, self.epsilon)
        y = np.asarray(done.values * scale)
        y = np.asarray(y + bias[0]) if bias else y
        saved = (done, scale, [b.shape for b in bias], axes)
        if not self.statistics:
            return (y,), {}, saved
        return (y, done.mean.astype(np.float32), done.inverse.astype(np.float32)), {}, saved

    def backward(self, saved: Any, douts: Sequence[Array | None]) -> tuple[Array | None, ...]:
        """Return dx, which also goes through the statistics, dscale and, if there is one, dbias."""
        done, scale, biases, axes = saved
        values = done.values
        dout = np.zeros_like(values) if douts[0] is None else douts[0]
        dx = standardised_dx(done, np.asarray(dout * scale), axes)
        count = max(math.prod(values.shape[axis] for axis in axes), 1)
        for given, slope in zip(douts[1:], (1.0, -values * done.inverse**2), strict=False):
            if given is not None:
                dx = dx + (given * slope / count).astype(dx.dtype)
        grads = [np.asarray(dx, dout.dtype), summed_to(np.asarray(dout * values), scale.shape)]
        return (*grads, *(np.array(summed_to(dout, shape)) for shape in biases))

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return all that is normalised together, and the place's scale and bias."""
        shape, axes = in_shapes[0], self._axes(in_shapes[0])
        x = tuple(whole(n) if i in axes else point(index[i]) for i, n in enumerate(shape))
        return x, *(_own_taps(given, index, output) for given in in_shapes[1:])

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return everything on the axes that are normalised."""
        shape, axes = in_shapes[0], self._axes(in_shapes[0])
        along = [Interval(0, 0) if n == 0 else EVERYTHING for n in shape]
        x = tuple(along[i] if i in axes else spans[i] for i in range(len(shape)))
        return x, *(_own_spans(given, spans, output) for given in in_shapes[1:])

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return axis and epsilon."""
        return {"axis": self.axis, "epsilon": float(self.epsilon)}

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read axis and epsilon, and whether the statistics are asked for."""
        asked = any(node.outputs[1:])
        return cls(node.integer("axis", -1), node.real("epsilon", 1e-5), asked), node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return one axis and several, with and without a bias, repeated scales."""
        return [
            Example(cls(), ((3, 2, 4), (4,), (4,))),
            Example(cls(1, 0.125), ((3, 2, 4), (2, 4))),
            Example(cls(-2), ((3, 2, 4), (2, 1), (4,))),
        ]


def _own_taps(shape: Shape, index: Sequence[int], output: int) -> Taps:
    """Return the place of a scale or bias; statistics use none."""
    return tuple(range(0) for _ in shape) if output else repeated_taps(shape, index)


def _own_spans(shape: Shape, spans: Spans, output: int) -> Spans:
    return tuple(Interval(0, 0) for _ in shape) if output else repeated_spans(shape, spans)
