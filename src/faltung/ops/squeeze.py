"""Operators that drop axes of size 1, or add some: Squeeze, Unsqueeze."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from faltung.errors import GeometryError, message
from faltung.ops.moved import AbstractMover, Source, first, kept, known_axes
from faltung.ops.operator import Array, Example, Key, OnnxNode, Result, Shape, integers

Axes = tuple[int, ...]


@dataclass(frozen=True)
class AbstractSqueeze(AbstractMover):
    """The same values; axes of size 1 come or go."""

    axes: Axes | None

    def __post_init__(self) -> None:
        if self.axes is not None:
            object.__setattr__(self, "axes", tuple(int(axis) for axis in self.axes))

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Return the values under their new shape."""
        x = inputs[0]
        return (x.reshape(integers(self.out_shapes([x.shape])[0], self.subject)),), {}, x.shape

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``dout`` under the old shape."""
        return (douts[0].reshape(saved),)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write the axes as a constant input."""
        if self.axes is None:
            return (OnnxNode(self.onnx_type, inputs, outputs),)
        name = f"{outputs[0]}.axes"
        constants = {name: np.array(self.axes, np.int64)}
        return (OnnxNode(self.onnx_type, (inputs[0], name), outputs, {}, constants),)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the axes, an attribute before operator set 13."""
        given = node.constant(1, "axes")
        axes: Any = node.ints("axes") if given is None else tuple(given.ravel().tolist())
        make: Any = cls
        return make(axes), node.inputs[:1]


@dataclass(frozen=True)
class Squeeze(AbstractSqueeze):
    """Drop axes of size 1: those named, or all there are."""

    onnx_type: ClassVar[str] = "Squeeze"
    axes: Axes | None = None

    def _dropped(self, shape: Shape) -> Axes:
        if self.axes is None:
            return tuple(axis for axis, size in enumerate(shape) if size == 1)
        dropped = known_axes(self.axes, len(shape), self.subject)
        if any(shape[axis] != 1 for axis in dropped):
            values = {"axes": self.axes, "shape": tuple(shape)}
            raise GeometryError(message(self.subject, "axes must be of size 1", values))
        return dropped

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the sizes of the other axes."""
        shape, dropped = in_shapes[0], self._dropped(in_shapes[0])
        return (tuple(n for axis, n in enumerate(shape) if axis not in dropped),)

    def sources(self, shape: Shape, output: int = 0) -> tuple[Source, ...]:
        """Return the positions; of an axis that is dropped the only one."""
        dropped = self._dropped(shape)
        stay = iter(range(len(shape)))
        return tuple(first() if a in dropped else kept(next(stay)) for a in range(len(shape)))

    @classmethod
    def examples(cls) -> list[Example]:
        """Return one axis, one from the end, all of them, and none."""
        return [
            Example(cls((1,)), ((2, 1, 3),)),
            Example(cls((0, -2)), ((1, 3, 1, 4),)),
            Example(cls(), ((1, 2, 1, 3, 1),)),
            Example(cls((0,)), ((1,),)),
        ]


@dataclass(frozen=True)
class Unsqueeze(AbstractSqueeze):
    """Add axes of size 1, at the places that they have in the output."""

    onnx_type: ClassVar[str] = "Unsqueeze"
    axes: Axes

    def _added(self, shape: Shape) -> Axes:
        return known_axes(self.axes, len(shape) + len(self.axes), self.subject)

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the sizes, with a 1 at each added place."""
        added, rest = self._added(in_shapes[0]), iter(in_shapes[0])
        rank = len(in_shapes[0]) + len(added)
        return (tuple(1 if axis in added else next(rest) for axis in range(rank)),)

    def sources(self, shape: Shape, output: int = 0) -> tuple[Source, ...]:
        """Return the positions, past the axes that were added."""
        added = self._added(shape)
        return tuple(kept(a) for a in range(len(shape) + len(added)) if a not in added)

    @classmethod
    def examples(cls) -> list[Example]:
        """Return one axis, several, one from the end, and a number that becomes an array."""
        return [
            Example(cls((1,)), ((2, 3),)),
            Example(cls((3, 0)), ((2, 3),)),
            Example(cls((-1,)), ((2, 3),)),
            Example(cls((0,)), ((),)),
        ]
