"""Operators that say where the largest values are: ArgMax, ArgMin, TopK."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from faltung.errors import GeometryError, message
from faltung.ops.moved import known_axes
from faltung.ops.operator import (
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
)
from faltung.ops.reduce import reduced_shape, reduced_spans, reduced_taps

INDEX = np.dtype(np.int64)


class AbstractArg(AbstractOperator):
    """The position of an extreme along an axis: the first of equal ones, or the last."""

    onnx_kinds: ClassVar[str] = "fiu"
    axis: int
    keepdims: bool
    select_last_index: bool

    def _axis(self, shape: Shape) -> int:
        (axis,) = known_axes((self.axis,), len(shape), self.subject)
        if shape[axis] == 0:
            values = {"shape": tuple(shape), "axis": self.axis}
            raise GeometryError(message(self.subject, "the axis must not be empty", values))
        return axis

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the other axes, or all with this one of size 1."""
        shape = tuple(in_shapes[0])
        return (reduced_shape(shape, (self._axis(shape),), self.keepdims),)

    def out_dtypes(self, in_dtypes: Sequence[np.dtype[Any]]) -> tuple[np.dtype[Any], ...]:
        """Return int64."""
        return (INDEX,)

    def place(self, x: Array, axis: int) -> Array:
        """Return the first position of the extreme."""
        return np.asarray(np.argmax(x, axis=axis, keepdims=True))

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Find the positions; NaN counts as the extreme."""
        x = inputs[0]
        (shape,) = self.out_shapes([x.shape])
        axis = self._axis(x.shape)
        found = self.place(np.flip(x, axis) if self.select_last_index else x, axis)
        if self.select_last_index:
            found = x.shape[axis] - 1 - found
        return (found.reshape(integers(shape, self.subject)).astype(INDEX),), {}, None

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return none: a position does not move by degrees."""
        return (None,)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the whole axis."""
        shape = in_shapes[0]
        return (reduced_taps(shape, (self._axis(shape),), index, self.keepdims),)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return everything along the axis."""
        shape = in_shapes[0]
        return (reduced_spans(shape, (self._axis(shape),), spans, self.keepdims),)

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return axis, and what happens to it and among equals."""
        return {
            "axis": self.axis,
            "keepdims": int(self.keepdims),
            "select_last_index": int(self.select_last_index),
        }

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read them."""
        make: Any = cls
        operator = make(
            node.integer("axis", 0),
            bool(node.integer("keepdims", 1)),
            bool(node.integer("select_last_index", 0)),
        )
        return operator, node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return axes kept and dropped, the first and the last of equals."""
        make: Any = cls
        return [
            Example(make(), ((3, 4),)),
            Example(make(-1, False), ((2, 3, 4),)),
            Example(make(1, True, True), ((2, 6),)),
        ]


@dataclass(frozen=True)
class ArgMax(AbstractArg):
    """The position of the largest value."""

    onnx_type: ClassVar[str] = "ArgMax"
    axis: int = 0
    keepdims: bool = True
    select_last_index: bool = False


@dataclass(frozen=True)
class ArgMin(AbstractArg):
    """The position of the smallest value."""

    onnx_type: ClassVar[str] = "ArgMin"
    axis: int = 0
    keepdims: bool = True
    select_last_index: bool = False

    def place(self, x: Array, axis: int) -> Array:
        """Return the first position of the smallest value."""
        return np.asarray(np.argmin(x, axis=axis, keepdims=True))


@dataclass(frozen=True)
class TopK(AbstractOperator):
    """The k largest (or smallest) values along an axis, in order, and their positions.

    Of equal values the earlier comes first. The positions have no gradient.
    """

    onnx_type: ClassVar[str] = "TopK"
    onnx_kinds: ClassVar[str] = "fiu"
    k: int
    axis: int = -1
    largest: bool = True

    def _axis(self, shape: Shape) -> int:
        (axis,) = known_axes((self.axis,), len(shape), self.subject)
        (size,) = integers((shape[axis],), self.subject)
        if not 0 <= self.k <= size:
            values = {"k": self.k, "size": size}
            raise GeometryError(message(self.subject, "k must be at most the axis's size", values))
        return axis

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return k in the axis's place, for values and positions."""
        shape = tuple(in_shapes[0])
        axis = self._axis(shape)
        out = (*shape[:axis], self.k, *shape[axis + 1 :])
        return out, out

    def out_dtypes(self, in_dtypes: Sequence[np.dtype[Any]]) -> tuple[np.dtype[Any], ...]:
        """Return the input's dtype, and int64."""
        return in_dtypes[0], INDEX

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Sort, and keep the first k."""
        x = inputs[0]
        axis = self._axis(x.shape)
        if self.largest:
            # Backwards twice: a stable sort then keeps the earlier of equal values in front.
            back = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
            order = x.shape[axis] - 1 - np.flip(back, axis)
        else:
            order = np.argsort(x, axis=axis, kind="stable")
        places = np.take(order, np.arange(self.k), axis=axis).astype(INDEX)
        values = np.take_along_axis(x, places, axis=axis)
        return (values, places), {}, (x.shape, axis, places.copy())

    def backward(self, saved: Any, douts: Sequence[Array | None]) -> tuple[Array | None, ...]:
        """Put ``dout`` where the values stood."""
        shape, axis, places = saved
        dout = douts[0]
        if dout is None or dout.dtype.kind != "f":
            return (None,)
        dx = np.zeros(shape, dout.dtype)
        np.put_along_axis(dx, places, dout, axis=axis)
        return (dx,)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the whole axis."""
        return (reduced_taps(in_shapes[0], (self._axis(in_shapes[0]),), index, True),)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return everything along the axis."""
        return (reduced_spans(in_shapes[0], (self._axis(in_shapes[0]),), spans, True),)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write k as a constant input."""
        name = f"{outputs[0]}.k"
        attributes: dict[str, Attribute] = {"axis": self.axis, "largest": int(self.largest)}
        constants = {name: np.array([self.k], np.int64)}
        return (OnnxNode("TopK", (inputs[0], name), outputs, attributes, constants),)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read k, an attribute before operator set 10; what need not be sorted is all the same."""
        given = node.constant(1, "k")
        k = node.integer("k", 0) if given is None else int(given.ravel()[0])
        operator = cls(k, node.integer("axis", -1), bool(node.integer("largest", 1)))
        return operator, node.inputs[:1]

    @classmethod
    def examples(cls) -> list[Example]:
        """Return the largest and the smallest, along two axes."""
        return [
            Example(cls(2), ((2, 5),)),
            Example(cls(3, 1, False), ((2, 4, 3),)),
            Example(cls(4, 0), ((4, 3),)),
        ]
