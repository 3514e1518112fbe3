"""Operators that move axes or put arrays side by side: Transpose, Concat."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from faltung.errors import GeometryError, message
from faltung.geometry import Interval
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
    point,
)


@dataclass(frozen=True)
class Transpose(AbstractOperator):
    """Put the axes into another order: output axis ``i`` is input axis ``perm[i]``."""

    onnx_type: ClassVar[str] = "Transpose"
    onnx_kinds: ClassVar[str] = "fiub"
    perm: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.perm is not None:
            object.__setattr__(self, "perm", tuple(int(axis) for axis in self.perm))

    def _order(self, rank: int) -> tuple[int, ...]:
        perm = tuple(reversed(range(rank))) if self.perm is None else self.perm
        if sorted(perm) != list(range(rank)):
            values = {"perm": perm, "rank": rank}
            raise GeometryError(message(self.subject, "perm must name every axis once", values))
        return perm

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the sizes in their new order."""
        return (tuple(in_shapes[0][axis] for axis in self._order(len(in_shapes[0]))),)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Move the axes."""
        order = self._order(inputs[0].ndim)
        return (np.asarray(inputs[0].transpose(order), order="C"),), {}, order

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Move the axes back."""
        return (np.asarray(douts[0].transpose(np.argsort(saved)), order="C"),)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the position, its axes moved back."""
        order = self._order(len(index))
        return (tuple(point(index[order.index(axis)]) for axis in range(len(index))),)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return the spans, their axes moved back."""
        order = self._order(len(spans))
        return (tuple(spans[order.index(axis)] for axis in range(len(spans))),)

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return the order."""
        return {"perm": self._order(len(in_shapes[0]))}

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the order."""
        return cls(node.ints("perm")), node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return the reverse order and a cycle."""
        return [Example(cls(), ((2, 3, 4),)), Example(cls((0, 2, 3, 1)), ((2, 3, 4, 5),))]


@dataclass(frozen=True)
class Concat(AbstractOperator):
    """Put arrays one after the other along an axis."""

    onnx_type: ClassVar[str] = "Concat"
    onnx_kinds: ClassVar[str] = "fiub"
    arity: ClassVar[tuple[int, int]] = (1, 1 << 30)
    axis: int = 1

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the shared sizes, and the sum along the axis."""
        first = tuple(in_shapes[0])
        if not -len(first) <= self.axis < len(first):
            values: dict[str, object] = {"axis": self.axis, "rank": len(first)}
            raise GeometryError(message(self.subject, "axis must be one of the input's", values))
        axis = self.axis % len(first)
        for shape in in_shapes[1:]:
            if _without(shape, axis) != _without(first, axis) or len(shape) != len(first):
                values = {"axis": self.axis, "a": first, "b": tuple(shape)}
                rule = "shapes must be equal but along the axis"
                raise GeometryError(message(self.subject, rule, values))
        if len(in_shapes) == 1:
            return (first,)
        total = sum(self._sizes(in_shapes))
        return ((*first[:axis], total, *first[axis + 1 :]),)

    def _sizes(self, in_shapes: Sequence[Shape]) -> list[int]:
        sizes = [shape[self.axis] for shape in in_shapes]
        if not all(isinstance(n, int) for n in sizes):
            rule = "sizes along the axis must be numbers"
            raise GeometryError(message(self.subject, rule, {"sizes": sizes}))
        return [int(n) for n in sizes]

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Join the arrays."""
        shapes = [x.shape for x in inputs]
        self.out_shapes(shapes)
        return (np.concatenate(inputs, axis=self.axis),), {}, self._sizes(shapes)

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Cut ``dout`` where the arrays met."""
        cuts = list(itertools.accumulate(saved))[:-1]
        return tuple(np.split(douts[0], cuts, axis=self.axis))

    def _starts(self, in_shapes: Sequence[Shape]) -> list[int]:
        return [0, *itertools.accumulate(self._sizes(in_shapes))][:-1]

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the position in the array that holds it, none in the others."""
        axis = self.axis % len(index)
        found = []
        for start, size in zip(self._starts(in_shapes), self._sizes(in_shapes), strict=True):
            taps = [point(i) for i in index]
            at = index[axis] - start
            taps[axis] = point(at) if 0 <= at < size else range(0)
            found.append(tuple(taps))
        return tuple(found)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return, in each array, the part of the interval that it holds."""
        axis = self.axis % len(spans)
        found = []
        for start, size in zip(self._starts(in_shapes), self._sizes(in_shapes), strict=True):
            out = list(spans)
            span = spans[axis]
            if isinstance(span, Interval):
                lo, hi = max(span.lo - start, 0), min(span.hi - start, size)
                out[axis] = Interval(lo, hi) if lo < hi else Interval(0, 0)
            found.append(tuple(out))
        return tuple(found)

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return the axis."""
        return {"axis": self.axis}

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the axis."""
        return cls(axis=node.integer("axis", 1)), node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return channels and another axis, two and three arrays."""
        return [
            Example(cls(), ((2, 3, 4), (2, 1, 4))),
            Example(cls(axis=-1), ((2, 3), (2, 1), (2, 4))),
        ]


def _without(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])
