"""Softmax and its logarithm along one axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from faltung.errors import GeometryError, message
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


@dataclass(frozen=True)
class Softmax(AbstractOperator):
    """``y = exp(x) / sum(exp(x))`` along one axis; the maximum is taken off first."""

    onnx_type: ClassVar[str] = "Softmax"
    axis: int = -1

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
        self.out_shapes([inputs[0].shape])
        y = np.exp(_shifted(inputs[0], self.axis))
        y /= y.sum(axis=self.axis, keepdims=True)
        return (y,), {}, y

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``y (dout - sum(y dout))``."""
        inner = (saved * douts[0]).sum(axis=self.axis, keepdims=True)
        return (saved * (douts[0] - inner),)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the whole axis."""
        taps = [point(i) for i in index]
        taps[self.axis] = whole(in_shapes[0][self.axis])
        return (tuple(taps),)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return everything along the axis."""
        out = list(spans)
        out[self.axis] = EVERYTHING
        return (tuple(out),)

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return the axis."""
        return {"axis": self.axis}

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the axis."""
        return cls(axis=node.integer("axis", -1)), node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return the last axis and the channels."""
        return [Example(cls(), ((3, 5),)), Example(cls(axis=1), ((2, 4, 3),))]


@dataclass(frozen=True)
class LogSoftmax(Softmax):
    """``y = x - log(sum(exp(x)))`` along one axis."""

    onnx_type: ClassVar[str] = "LogSoftmax"

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Compute the logarithm of the softmax."""
        self.out_shapes([inputs[0].shape])
        shifted = _shifted(inputs[0], self.axis)
        y = shifted - np.log(np.exp(shifted).sum(axis=self.axis, keepdims=True))
        return (y,), {}, y

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``dout - exp(y) sum(dout)``."""
        total = douts[0].sum(axis=self.axis, keepdims=True)
        return (douts[0] - np.exp(saved) * total,)


def _shifted(x: Array, axis: int) -> Array:
    # The quotient does not change when a constant is taken off, and exp of the rest is at most 1.
    return np.asarray(x - x.max(axis=axis, keepdims=True)) if x.size else x
