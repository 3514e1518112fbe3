"""Gather: pick positions along one axis, by indices that are known or that the graph computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from faltung.errors import DTypeError, GeometryError, message
from faltung.geometry import Interval
from faltung.ops.moved import AbstractMover, Source, kept, known_axes
from faltung.ops.operator import (
    EVERYTHING,
    Array,
    Attribute,
    AxisSpan,
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


@dataclass(frozen=True)
class Gather(AbstractMover):
    """``y[a, i, b] = x[a, indices[i], b]`` along an axis; negative indices count from its end.

    Indices that are known are a part of the record: ``indices``, in the order of an array of
    ``shape``. Left out, they are the second input, and any position of the axis may be used.
    """

    onnx_type: ClassVar[str] = "Gather"
    onnx_kinds: ClassVar[str] = "fiub"
    arity: ClassVar[tuple[int, int]] = (1, 2)
    axis: int = 0
    indices: tuple[int, ...] | None = None
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.indices is not None:
            object.__setattr__(self, "indices", tuple(int(i) for i in self.indices))

    def _axis(self, shape: Shape) -> int:
        return known_axes((self.axis,), len(shape), self.subject)[0]

    def _table(self, size: int, given: Array | None = None) -> Array:
        """Return the indices, counted from the start."""
        table = given
        if table is None:
            table = np.array(self.indices, np.int64).reshape(self.shape)
        if table.dtype.kind not in "iu":
            rule = "indices must be integers"
            raise DTypeError(message(self.subject, rule, {"dtype": table.dtype}))
        if table.size and not (-size <= int(table.min()) and int(table.max()) < size):
            values = {"least": int(table.min()), "greatest": int(table.max()), "size": size}
            raise GeometryError(message(self.subject, "indices must be on the axis", values))
        return np.where(table < 0, table + size, table)

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the input's shape, with that of the indices in the place of the axis."""
        shape, axis = tuple(in_shapes[0]), self._axis(in_shapes[0])
        picked = self.shape if self.indices is not None else tuple(in_shapes[1])
        if self.indices is not None and isinstance(shape[axis], int):
            self._table(int(shape[axis]))
        return ((*shape[:axis], *picked, *shape[axis + 1 :]),)

    def sources(self, shape: Shape, output: int = 0) -> tuple[Source, ...]:
        """Return the positions picked."""
        at = self._axis(shape)
        more = len(self.shape) - 1
        found: list[Source] = [kept(i if i < at else i + more) for i in range(len(shape))]
        (size,) = integers((shape[at],), self.subject)
        found[at] = tuple(range(at, at + len(self.shape))), self._table(size)
        return tuple(found)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Copy what is picked."""
        x = inputs[0]
        self.out_shapes([a.shape for a in inputs])
        axis = self._axis(x.shape)
        table = self._table(x.shape[axis], *inputs[1:])
        return (np.asarray(np.take(x, table, axis=axis)),), {}, (x.shape, axis, table, len(inputs))

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Sum over the copies of each position."""
        shape, axis, table, count = saved
        dx = np.zeros(shape, douts[0].dtype)
        np.add.at(dx, (slice(None),) * axis + (table,), douts[0])
        return (dx, *(None,) * (count - 1))

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the position; the whole axis, and the index, where the graph computes that."""
        if self.indices is not None:
            return super().taps(in_shapes, index, output)
        axis, count = self._axis(in_shapes[0]), len(in_shapes[1])
        before, picked, after = index[:axis], index[axis : axis + count], index[axis + count :]
        x = (*map(point, before), whole(in_shapes[0][axis]), *map(point, after))
        return x, tuple(point(i) for i in picked)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return the span of what is picked; everything where the graph computes the indices."""
        if self.indices is not None:
            return super().input_span(in_shapes, spans, output)
        axis, count = self._axis(in_shapes[0]), len(in_shapes[1])
        empty = any(isinstance(s, Interval) and s.empty for s in spans)
        along: AxisSpan = Interval(0, 0) if empty else EVERYTHING
        x = (*spans[:axis], along, *spans[axis + count :])
        return x, tuple(spans[axis : axis + count])

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write known indices as a constant input."""
        attributes: Mapping[str, Attribute] = {"axis": self.axis}
        if self.indices is None:
            return (OnnxNode("Gather", inputs, outputs, attributes),)
        name = f"{outputs[0]}.indices"
        constants = {name: np.array(self.indices, np.int64).reshape(self.shape)}
        return (OnnxNode("Gather", (inputs[0], name), outputs, attributes, constants),)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the axis, and the indices where they are known."""
        axis = node.integer("axis", 0)
        if node.inputs[1] not in node.constants:
            return cls(axis), node.inputs
        table = node.constants[node.inputs[1]]
        return cls(axis, tuple(table.ravel().tolist()), table.shape), node.inputs[:1]

    @classmethod
    def examples(cls) -> list[Example]:
        """Return one index, several, with repetition and from the end, a table, and none."""
        return [
            Example(cls(0, (2,), ()), ((3, 4),)),
            Example(cls(1, (3, -1, 0, 3), (4,)), ((2, 4, 3),)),
            Example(cls(-1, (0, 2, 1, 4), (2, 2)), ((3, 5),)),
            Example(cls(1, (), (0,)), ((2, 3),)),
        ]
