"""Softmax and its logarithm along one axis."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

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
    integers,
    point,
    whole,
)
from faltung.ops.shape import Reshape


@dataclass(frozen=True)
class Softmax(AbstractOperator):
    """``y = exp(x) / sum(exp(x))`` along one axis; the maximum is taken off first.

    With ``flatten`` the sum runs over all axes from this one on, as ONNX had it before opset 13.
    """

    onnx_type: ClassVar[str] = "Softmax"
    axis: int = -1
    flatten: bool = False

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the shape of the input."""
        rank = len(in_shapes[0])
        if not -rank <= self.axis < rank:
            values = {"axis": self.axis, "rank": rank}
            raise GeometryError(message(self.subject, "axis must be one of the input's", values))
        return (in_shapes[0],)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Compute the softmax."""
        x, axis = self._rows(inputs[0])
        y = dispatch.softmax(_flat(x)) if _is_last(x, axis) else None
        if y is None:
            y = np.exp(_shifted(x, axis))
            y /= y.sum(axis=axis, keepdims=True)
        y = y.reshape(x.shape)
        return (y.reshape(inputs[0].shape),), {}, y

    def _rows(self, x: Array) -> tuple[Array, int]:
        """Return the values with one axis to sum along, and that axis."""
        self.out_shapes([x.shape])
        if not self.flatten:
            return x, self.axis
        axis = self.axis % x.ndim
        return x.reshape(*x.shape[:axis], math.prod(x.shape[axis:])), axis

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``y (dout - sum(y dout))``."""
        dout, axis = self._rows(douts[0])
        dx = dispatch.softmax_dx(_flat(saved), _flat(dout)) if _is_last(dout, axis) else None
        if dx is None:
            inner = (saved * dout).sum(axis=axis, keepdims=True)
            dx = saved * (dout - inner)
        return (dx.reshape(douts[0].shape),)

    def _summed(self, rank: int) -> range:
        """Return the axes that are summed over."""
        axis = self.axis % rank
        return range(axis, rank if self.flatten else axis + 1)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the whole axis."""
        taps = [point(i) for i in index]
        for axis in self._summed(len(index)):
            taps[axis] = whole(in_shapes[0][axis])
        return (tuple(taps),)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return everything along the axis."""
        out = list(spans)
        for axis in self._summed(len(spans)):
            out[axis] = EVERYTHING
        return (tuple(out),)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write one node, between two that merge and part the axes that it is flattened over."""
        shape = in_shapes[0]
        axes = self._summed(len(shape))
        if len(axes) == 1:
            return super().to_onnx(inputs, outputs, in_shapes)
        kept = (0,) * axes.start
        rows, softmax = f"{outputs[0]}.rows", f"{outputs[0]}.softmax"
        sizes = integers(shape[axes.start :], self.subject)
        merge = Reshape((*kept, math.prod(sizes)), allow_zero=not kept and 0 in sizes)
        part = Reshape((*kept, *sizes), allow_zero=not kept and 0 in sizes)
        merged = merge.out_shapes([shape])
        node = OnnxNode(self.onnx_type, (rows,), (softmax,), {"axis": axes.start})
        return (
            *merge.to_onnx(inputs, (rows,), [shape]),
            node,
            *part.to_onnx((softmax,), outputs, merged),
        )

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return the axis."""
        return {"axis": self.axis}

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the axis: before opset 13 the first of those that are flattened, 1 by default."""
        if not node.opset or node.opset >= 13:
            return cls(axis=node.integer("axis", -1)), node.inputs
        axis, shape = node.integer("axis", 1), node.shape(0)
        last = axis == -1 or (shape is not None and axis == len(shape) - 1)
        return cls(axis, not last), node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return the last axis, the channels, and axes that are flattened."""
        return [
            Example(cls(), ((3, 5),)),
            Example(cls(axis=1), ((2, 4, 3),)),
            Example(cls(axis=1, flatten=True), ((2, 3, 2, 2),)),
            Example(cls(axis=-3, flatten=True), ((2, 3, 2),)),
        ]


class LogSoftmax(Softmax):
    """``y = x - log(sum(exp(x)))`` along one axis."""

    onnx_type: ClassVar[str] = "LogSoftmax"

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Compute the logarithm of the softmax."""
        x, axis = self._rows(inputs[0])
        shifted = _shifted(x, axis)
        y = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
        return (y.reshape(inputs[0].shape),), {}, y

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``dout - exp(y) sum(dout)``."""
        dout, axis = self._rows(douts[0])
        total = dout.sum(axis=axis, keepdims=True)
        return ((dout - np.exp(saved) * total).reshape(douts[0].shape),)


def _is_last(x: Array, axis: int) -> bool:
    """Whether what is summed lies together."""
    return x.size > 0 and axis % x.ndim == x.ndim - 1


def _flat(x: Array) -> Array:
    return x.reshape(-1, x.shape[-1])


def _shifted(x: Array, axis: int) -> Array:
    # The quotient does not change when a constant is taken off, and exp of the rest is at most 1.
    return np.asarray(x - x.max(axis=axis, keepdims=True)) if x.size else x
