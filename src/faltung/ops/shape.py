"""Operators that give the same values, in the same order, another shape: Flatten, Reshape.

A reshape is exact about where each value comes from: axes that it neither merges nor splits pass
through, and inside a group of axes that it does, positions are counted one by one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from faltung.errors import GeometryError, message
from faltung.geometry import Interval
from faltung.ops.moved import check_room
from faltung.ops.operator import (
    EVERYTHING,
    AbstractOperator,
    Array,
    Attribute,
    AxisSpan,
    Dim,
    Everything,
    Example,
    Key,
    OnnxNode,
    Result,
    Shape,
    Spans,
    Taps,
    integers,
    point,
)

Group = tuple[range, range]


def groups(old: Shape, new: Shape) -> Iterator[Group]:
    """Pair the axes of two shapes that hold the same values, in the smallest groups there are.

    >>> [(list(a), list(b)) for a, b in groups(("N", 2, 3, 4), ("N", 6, 4))]
    [([0], [0]), ([1, 2], [1]), ([3], [2])]
    """
    i = j = 0
    while i < len(old) or j < len(new):
        i0, j0 = i, j
        a, b = _take(old, i), _take(new, j)
        i, j = min(i + 1, len(old)), min(j + 1, len(new))
        while a != b and (i < len(old) or j < len(new)):
            if j >= len(new) or (i < len(old) and _smaller(a, b)):
                a, i = a * _take(old, i), i + 1  # type: ignore[operator]
            else:
                b, j = b * _take(new, j), j + 1  # type: ignore[operator]
        yield range(i0, i), range(j0, j)


def _take(shape: Shape, axis: int) -> Dim:
    return shape[axis] if axis < len(shape) else 1


def _smaller(a: Dim, b: Dim) -> bool:
    return isinstance(a, int) and isinstance(b, int) and a < b


def _unravelled(flat: int, sizes: Sequence[int]) -> tuple[int, ...]:
    position = []
    for size in reversed(sizes):
        flat, rest = divmod(flat, size)
        position.append(rest)
    return tuple(reversed(position))


def _ravelled(position: Sequence[int], sizes: Sequence[int]) -> int:
    flat = 0
    for at, size in zip(position, sizes, strict=True):
        flat = flat * size + at
    return flat


def _group_span(spans: Sequence[AxisSpan], new: Sequence[int], old: Sequence[int]) -> Spans:
    """Return the smallest box of a group's old axes that holds a box of its new ones."""
    if any(isinstance(span, Everything) for span in spans):
        return (EVERYTHING,) * len(old)
    known = [span for span in spans if isinstance(span, Interval)]
    boxes = [range(max(s.lo, 0), min(s.hi, n)) for s, n in zip(known, new, strict=True)]
    if not all(boxes) or not all(old):
        return (Interval(0, 0),) * len(old)
    if boxes == [range(n) for n in new]:
        return tuple(Interval(0, n) for n in old)
    check_room((4 * math.prod(map(len, boxes)), math.prod(new) // 2**38), "Reshape")
    flat = np.zeros((1,), dtype=np.int64)
    for box, size in zip(boxes, new, strict=True):
        flat = (flat[:, None] * size + np.arange(box.start, box.stop)).ravel()
    found = []
    for size in reversed(old):  # np.unravel_index takes 1 to 64 axes, a file may have others
        flat, at = np.divmod(flat, size)
        found.append(Interval(int(at.min()), int(at.max()) + 1))
    return tuple(reversed(found))


class AbstractReshape(AbstractOperator):
    """The same values, in the same order, under another shape."""

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Return the values under their new shape."""
        x = inputs[0]
        shape = integers(self.out_shapes([x.shape])[0], self.subject)
        return (x.reshape(shape),), {}, x.shape

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``dout`` under the old shape."""
        return (douts[0].reshape(saved),)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the one position that moved here."""
        old, new = in_shapes[0], self.out_shapes(in_shapes)[0]
        found: list[int] = []
        for a, b in groups(old, new):
            at = [index[axis] for axis in b]
            if len(a) == len(b) == 1:
                found += at
                continue
            sizes = [int(new[axis]) for axis in b]
            found += _unravelled(_ravelled(at, sizes), [int(old[axis]) for axis in a])
        return (tuple(point(i) for i in found),)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return the smallest box that holds the values that moved here."""
        old, new = in_shapes[0], self.out_shapes(in_shapes)[0]
        found: list[AxisSpan] = []
        for a, b in groups(old, new):
            if len(a) == len(b) == 1:
                found.append(spans[b[0]])
                continue
            box = [spans[axis] for axis in b]
            found += _group_span(box, [int(new[i]) for i in b], [int(old[i]) for i in a])
        return (tuple(found),)


@dataclass(frozen=True)
class Flatten(AbstractReshape):
    """Merge the axes before ``axis`` into one, and those from it on into another."""

    onnx_type: ClassVar[str] = "Flatten"
    onnx_kinds: ClassVar[str] = "fiub"
    axis: int = 1

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return a matrix's shape; a single axis is handed on, be it a number or a name."""
        shape = tuple(in_shapes[0])
        if not -len(shape) <= self.axis <= len(shape):
            values = {"axis": self.axis, "rank": len(shape)}
            raise GeometryError(message(self.subject, "axis must be one of the input's", values))
        axis = self.axis + len(shape) if self.axis < 0 else self.axis
        return ((self._merged(shape[:axis]), self._merged(shape[axis:])),)

    def _merged(self, shape: Shape) -> Dim:
        named = [n for n in shape if not isinstance(n, int)]
        others = math.prod(n for n in shape if isinstance(n, int))
        if not named:
            return others
        if len(named) > 1 or others != 1:
            rule = "a named size cannot be merged with others"
            raise GeometryError(message(self.subject, rule, {"sizes": shape}))
        return named[0]

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return the axis."""
        return {"axis": self.axis}

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the axis."""
        return cls(axis=node.integer("axis", 1)), node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return several axes."""
        shape = ((2, 3, 4, 5),)
        return [Example(cls(axis), shape) for axis in (1, 0, 2, 4, -1)]


@dataclass(frozen=True)
class Reshape(AbstractReshape):
    """Give the values another shape: 0 keeps a size, -1 (once) takes what is left.

    With ``allow_zero`` 0 is a size like any other, of an array without values.
    """

    onnx_type: ClassVar[str] = "Reshape"
    onnx_kinds: ClassVar[str] = "fiub"
    shape: tuple[int, ...]
    allow_zero: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the new shape, its 0 and -1 replaced."""
        old = tuple(in_shapes[0])
        values = {"shape": self.shape, "input": old}
        if self.shape.count(-1) > 1 or any(n < -1 for n in self.shape):
            rule = "sizes must be at least -1, and one of them -1 at most"
            raise GeometryError(message(self.subject, rule, values))
        stays = {axis for axis, n in enumerate(self.shape) if n == 0 and not self.allow_zero}
        if any(axis >= len(old) for axis in stays):
            raise GeometryError(message(self.subject, "0 keeps a size that is not there", values))
        new = [old[axis] if axis in stays else n for axis, n in enumerate(self.shape)]
        # Sizes that are kept cancel: those of an empty batch as well.
        before = [n for axis, n in enumerate(old) if isinstance(n, int) and axis not in stays]
        kept = [n for axis, n in enumerate(self.shape) if n >= 0 and axis not in stays]
        names = [n for n in old if not isinstance(n, int)]
        if sorted(names) != sorted(str(n) for n in new if not isinstance(n, int)):
            cure = "Keep a named size by 0 at its place"
            raise GeometryError(message(self.subject, "named sizes must be kept", values, cure))
        total, held = math.prod(before), math.prod(kept)
        if -1 in new:
            if held == 0 or total % held:
                raise GeometryError(message(self.subject, "the values do not fit", values))
            new[new.index(-1)] = total // held
        elif total != held:
            raise GeometryError(message(self.subject, "the values do not fit", values))
        return (tuple(new),)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write the shape as a constant input."""
        name = f"{outputs[0]}.shape"
        constants = {name: np.array(self.shape, dtype=np.int64)}
        attributes: dict[str, Attribute] = {"allowzero": 1} if self.allow_zero else {}
        return (OnnxNode("Reshape", (inputs[0], name), outputs, attributes, constants),)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the shape."""
        shape = node.constant(1, "shape")
        if shape is None:
            raise GeometryError(message("Reshape", "shape must be given"))
        sizes = tuple(int(n) for n in shape)
        zero = bool(node.integer("allowzero", 0)) and 0 in sizes
        return cls(sizes, zero), node.inputs[:1]

    @classmethod
    def examples(cls) -> list[Example]:
        """Return merges, splits, kept and inferred sizes."""
        return [
            Example(cls((0, 6, 4)), ((2, 2, 3, 4),)),
            Example(cls((0, -1)), ((2, 3, 4),)),
            Example(cls((3, 2, 2, 4)), ((6, 8),)),
            Example(cls((2, 1, 12)), ((2, 3, 4),)),
            Example(cls((3, 0, 4), allow_zero=True), ((0, 5),)),
        ]
