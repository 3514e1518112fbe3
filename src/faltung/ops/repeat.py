"""Operators that repeat values: Expand along axes of size 1, Tile along any."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from faltung.errors import GeometryError, message
from faltung.ops.elementwise import broadcast, summed_to
from faltung.ops.moved import AbstractMover, Source, first, kept
from faltung.ops.operator import (
    Array,
    Example,
    Key,
    OnnxNode,
    Result,
    Shape,
    integers,
)


@dataclass(frozen=True)
class Expand(AbstractMover):
    """Repeat axes of size 1, and put new ones in front, under NumPy's broadcasting.

    A 1 in ``shape`` keeps the size that is there.
    """

    onnx_type: ClassVar[str] = "Expand"
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the shape that both share."""
        return (broadcast([tuple(in_shapes[0]), self.shape], self.subject),)

    def sources(self, shape: Shape, output: int = 0) -> tuple[Source, ...]:
        """Return the positions, and the first one of what is repeated."""
        extra = len(self.out_shapes([shape])[0]) - len(shape)
        return tuple(first() if n == 1 else kept(extra + axis) for axis, n in enumerate(shape))

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Repeat the values."""
        x = inputs[0]
        shape = integers(self.out_shapes([x.shape])[0], self.subject)
        return (np.array(np.broadcast_to(x, shape), order="C"),), {}, x.shape

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Sum over the copies."""
        dout = douts[0]
        return (summed_to(dout, saved).astype(dout.dtype, copy=False),)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write the shape as a constant input."""
        name = f"{outputs[0]}.shape"
        constants = {name: np.array(self.shape, np.int64)}
        return (OnnxNode("Expand", (inputs[0], name), outputs, {}, constants),)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the shape."""
        shape = node.constant(1, "shape")
        return cls(() if shape is None else tuple(shape.ravel().tolist())), node.inputs[:1]

    @classmethod
    def examples(cls) -> list[Example]:
        """Return repeated, new and kept axes."""
        return [
            Example(cls((2, 3, 4)), ((3, 1),)),
            Example(cls((1, 3, 1, 2)), ((2, 1, 4, 2),)),
            Example(cls((3,)), ((),)),
            Example(cls((1,)), ((2, 3),)),
        ]


@dataclass(frozen=True)
class Tile(AbstractMover):
    """Put ``repeats[axis]`` copies of the array side by side along each axis."""

    onnx_type: ClassVar[str] = "Tile"
    repeats: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "repeats", tuple(int(n) for n in self.repeats))

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return each size times its copies."""
        shape = in_shapes[0]
        if len(shape) != len(self.repeats) or min(self.repeats, default=0) < 0:
            values = {"repeats": self.repeats, "rank": len(shape)}
            rule = "repeats must be a number of copies for each axis"
            raise GeometryError(message(self.subject, rule, values))
        pairs = zip(shape, self.repeats, strict=True)
        return (tuple(n if r == 1 else integers((n,), self.subject)[0] * r for n, r in pairs),)

    def sources(self, shape: Shape, output: int = 0) -> tuple[Source, ...]:
        """Return the positions, counted anew in each copy."""
        found = []
        for axis, (size, count) in enumerate(zip(shape, self.repeats, strict=True)):
            if count == 1:
                found.append(kept(axis))
            else:
                (known,) = integers((size,), self.subject)
                found.append(((axis,), np.tile(np.arange(known), count)))
        return tuple(found)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Lay the copies out."""
        self.out_shapes([inputs[0].shape])
        return (np.tile(inputs[0], self.repeats),), {}, inputs[0].shape

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Sum over the copies."""
        pairs = [n for pair in zip(self.repeats, saved, strict=True) for n in pair]
        dout = douts[0].reshape(pairs) if math.prod(pairs) or not pairs else np.zeros(pairs)
        dx = dout.sum(axis=tuple(range(0, len(pairs), 2)))
        return (np.asarray(dx, douts[0].dtype),)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write the copies as a constant input."""
        name = f"{outputs[0]}.repeats"
        constants = {name: np.array(self.repeats, np.int64)}
        return (OnnxNode("Tile", (inputs[0], name), outputs, {}, constants),)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the copies."""
        repeats = node.constant(1, "repeats")
        return cls(() if repeats is None else tuple(repeats.ravel().tolist())), node.inputs[:1]

    @classmethod
    def examples(cls) -> list[Example]:
        """Return copies along one axis and along several."""
        return [
            Example(cls((1, 3)), ((2, 4),)),
            Example(cls((2, 1, 2)), ((2, 3, 2),)),
            Example(cls((0, 2)), ((2, 3),)),
        ]
