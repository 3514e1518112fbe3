"""Operators that cut: Slice takes some positions of an axis, Split shares an axis out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from faltung.errors import GeometryError, message
from faltung.ops.moved import AbstractMover, Source, kept, known_axes
from faltung.ops.operator import (
    Array,
    Attribute,
    Example,
    Key,
    OnnxNode,
    Result,
    Shape,
    integers,
)

Ints = tuple[int, ...]
LAST = 2**31 - 1
"""The end of an axis, however long it is."""


@dataclass(frozen=True)
class Slice(AbstractMover):
    """Keep ``starts[i]:ends[i]:steps[i]`` of ``axes[i]``, as Python's slices do.

    Negative positions count from the end, positions outside are moved inside, negative steps run
    backwards. Without ``axes`` the first ones are meant.
    """

    onnx_type: ClassVar[str] = "Slice"
    starts: Ints
    ends: Ints
    axes: Ints | None = None
    steps: Ints | None = None

    def __post_init__(self) -> None:
        for name in ("starts", "ends", "axes", "steps"):
            given = getattr(self, name)
            value = None if given is None else tuple(int(n) for n in given)
            object.__setattr__(self, name, value)
        values = {"starts": self.starts, "ends": self.ends, "axes": self.axes, "steps": self.steps}
        lengths = {len(v) for v in values.values() if v is not None}
        if len(lengths) > 1:
            rule = "starts, ends, axes and steps must be of one length"
            raise GeometryError(message(self.subject, rule, values))
        if 0 in (self.steps or ()):
            rule = "steps must not be 0"
            raise GeometryError(message(self.subject, rule, {"steps": self.steps}))

    def _slices(self, rank: int) -> list[slice]:
        axes = range(len(self.starts)) if self.axes is None else self.axes
        steps = self.steps or (1,) * len(self.starts)
        slices = [slice(None)] * rank
        named = known_axes(tuple(axes), rank, self.subject)
        for axis, start, end, step in zip(named, self.starts, self.ends, steps, strict=True):
            if (start, step) != (0, 1) or end < LAST:
                slices[axis] = slice(start, end, step)
        return slices

    def _ranges(self, shape: Shape) -> list[range | None]:
        """Return the positions kept of each axis; None for all of them."""
        found: list[range | None] = []
        for size, part in zip(shape, self._slices(len(shape)), strict=True):
            if part == slice(None):
                found.append(None)
            else:
                (known,) = integers((size,), self.subject)
                found.append(range(*part.indices(known)))
        return found

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return how many positions are kept."""
        shape = in_shapes[0]
        ranges = self._ranges(shape)
        return (tuple(n if r is None else len(r) for n, r in zip(shape, ranges, strict=True)),)

    def sources(self, shape: Shape, output: int = 0) -> tuple[Source, ...]:
        """Return the positions kept."""
        return tuple(
            kept(axis) if r is None else ((axis,), np.arange(r.start, r.stop, r.step))
            for axis, r in enumerate(self._ranges(shape))
        )

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Copy what is kept."""
        x = inputs[0]
        slices = tuple(self._slices(x.ndim))
        return (np.array(x[slices], order="C"),), {}, (x.shape, slices)

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Put ``dout`` where it was taken, among zeros."""
        shape, slices = saved
        dx = np.zeros(shape, douts[0].dtype)
        dx[slices] = douts[0]
        return (dx,)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write starts, ends, axes and steps as constant inputs."""
        given = {"starts": self.starts, "ends": self.ends, "axes": self.axes, "steps": self.steps}
        constants = {
            f"{outputs[0]}.{name}": np.array(value, np.int64)
            for name, value in given.items()
            if value is not None
        }
        names = [f"{outputs[0]}.{n}" if v is not None else "" for n, v in given.items()]
        while not names[-1]:
            names.pop()
        return (OnnxNode("Slice", (inputs[0], *names), outputs, {}, constants),)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read them; before operator set 10 they were attributes."""
        if 0 < node.opset < 10:
            axes = node.ints("axes")
            operator = cls(node.ints("starts") or (), node.ints("ends") or (), axes)
            return operator, node.inputs[:1]
        names = ("starts", "ends", "axes", "steps")
        starts, ends, axes_, steps = (node.constant(i, n) for i, n in enumerate(names, 1))
        if starts is None or ends is None:
            raise GeometryError(message("Slice", "starts and ends must be given"))
        more = [None if a is None else tuple(a.ravel().tolist()) for a in (axes_, steps)]
        return cls(tuple(starts.ravel().tolist()), tuple(ends.ravel().tolist()), *more), (
            node.inputs[:1]
        )

    @classmethod
    def examples(cls) -> list[Example]:
        """Return steps of both signs, positions from the end and outside, and nothing kept."""
        return [
            Example(cls((1, 0), (3, 2)), ((4, 3, 5),)),
            Example(cls((-3, 4), (LAST, 0), (-1, 1), (2, -3)), ((2, 5, 4),)),
            Example(cls((5,), (-9,), (2,), (-1,)), ((2, 3, 4),)),
            Example(cls((0,), (LAST,), (1,)), ((2, 3),)),
            Example(cls((2,), (2,), (1,)), ((2, 3),)),
        ]


@dataclass(frozen=True)
class Split(AbstractMover):
    """Cut an axis into pieces: of the sizes in ``split``, or into ``parts`` of equal size.

    Where they do not come out equal, the last one is smaller.
    """

    onnx_type: ClassVar[str] = "Split"
    axis: int = 0
    split: Ints | None = None
    parts: int = 0

    def __post_init__(self) -> None:
        if self.split is not None:
            object.__setattr__(self, "split", tuple(int(n) for n in self.split))
        if (self.split is None) == (self.parts < 1):
            values = {"split": self.split, "parts": self.parts}
            rule = "either sizes or a number of parts must be given"
            raise GeometryError(message(self.subject, rule, values))

    def _sizes(self, shape: Shape) -> Ints:
        (axis,) = known_axes((self.axis,), len(shape), self.subject)
        (size,) = integers((shape[axis],), self.subject)
        sizes = self.split
        if sizes is None:
            each = -(-size // self.parts)
            sizes = (each,) * (self.parts - 1) + (size - each * (self.parts - 1),)
        if sum(sizes) != size or min(sizes) < 0:
            values = {"sizes": sizes, "size": size}
            raise GeometryError(message(self.subject, "the pieces must fill the axis", values))
        return sizes

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the shapes of the pieces."""
        shape = tuple(in_shapes[0])
        axis = self.axis % max(len(shape), 1)
        return tuple((*shape[:axis], n, *shape[axis + 1 :]) for n in self._sizes(shape))

    def out_dtypes(self, in_dtypes: Sequence[np.dtype[Any]]) -> tuple[np.dtype[Any], ...]:
        """Return the input's dtype, for each piece."""
        return (in_dtypes[0],) * (self.parts if self.split is None else len(self.split))

    def sources(self, shape: Shape, output: int = 0) -> tuple[Source, ...]:
        """Return the positions of one piece."""
        sizes = self._sizes(shape)
        start = sum(sizes[:output])
        found = [kept(axis) for axis in range(len(shape))]
        axis = self.axis % len(shape)
        found[axis] = (axis,), np.arange(start, start + sizes[output])
        return tuple(found)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Copy the pieces."""
        x = inputs[0]
        shapes = [integers(s, self.subject) for s in self.out_shapes([x.shape])]
        cuts = list(itertools.accumulate(self._sizes(x.shape)))[:-1]
        pieces = tuple(np.array(p, order="C") for p in np.split(x, cuts, axis=self.axis))
        return pieces, {}, (shapes, x.dtype)

    def backward(self, saved: Any, douts: Sequence[Array | None]) -> tuple[Array | None, ...]:
        """Put the pieces together again; one that nothing depends on is 0."""
        shapes, dtype = saved
        pieces = [
            np.zeros(shape, dtype) if dout is None else dout
            for shape, dout in zip(shapes, douts, strict=True)
        ]
        return (np.concatenate(pieces, axis=self.axis),)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write sizes as a constant input; a number of parts needs operator set 18."""
        attributes: dict[str, Attribute] = {"axis": self.axis}
        if self.split is None:
            attributes["num_outputs"] = self.parts
            return (OnnxNode("Split", inputs, outputs, attributes, opset=18),)
        name = f"{outputs[0]}.split"
        constants = {name: np.array(self.split, np.int64)}
        return (OnnxNode("Split", (inputs[0], name), outputs, attributes, constants),)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read sizes, an attribute before operator set 13; else there is a part an output."""
        axis, given = node.integer("axis", 0), node.constant(1, "split")
        sizes = node.ints("split") if given is None else tuple(int(n) for n in given)
        if sizes is not None:
            return cls(axis, sizes), node.inputs[:1]
        parts = node.integer("num_outputs", len(node.outputs))
        return cls(axis, None, parts), node.inputs[:1]

    @classmethod
    def examples(cls) -> list[Example]:
        """Return pieces of given sizes, equal ones, and a smaller last one."""
        return [
            Example(cls(1, (2, 1, 3)), ((2, 6, 3),)),
            Example(cls(-1, None, 2), ((3, 4),)),
            Example(cls(0, None, 3), ((8, 2),)),
            Example(cls(1, (0, 3)), ((2, 3),)),
        ]
