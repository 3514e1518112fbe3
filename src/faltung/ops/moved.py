"""What operators share that copy each output from one input position, axis by axis."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np

from faltung.errors import GeometryError, message
from faltung.geometry import Interval
from faltung.ops.operator import (
    AbstractOperator,
    Array,
    AxisSpan,
    Dim,
    Everything,
    Shape,
    Spans,
    Taps,
    point,
)

Source = tuple[tuple[int, ...], Array | None]
"""Of one input axis: the output axes that it follows, and which position it has at each of theirs.

No table stands for the position itself.
"""

MOST_LISTED: Final = 2**24
"""How many positions are followed one by one."""


def known_axes(axes: Sequence[int], rank: int, subject: str) -> tuple[int, ...]:
    """Return axes counted from the first; each must be there, and once.

    >>> known_axes((-1, 0), 3, "squeeze")
    (2, 0)
    """
    found = tuple(axis + rank if axis < 0 else axis for axis in axes)
    if len(set(found)) != len(found) or not all(0 <= axis < rank for axis in found):
        values = {"axes": tuple(axes), "rank": rank}
        raise GeometryError(message(subject, "axes must be those of the array, each once", values))
    return found


def check_room(sizes: Sequence[Dim], subject: str) -> None:
    """Refuse axes whose positions cannot be listed; a file may declare any size."""
    for size in sizes:
        if isinstance(size, int) and size > MOST_LISTED:
            rule = f"positions are followed on axes of {MOST_LISTED} at most"
            raise GeometryError(message(subject, rule, {"size": size}))


class AbstractMover(AbstractOperator):
    """An operator whose every output is a copy of one input position."""

    onnx_kinds: ClassVar[str] = "fiub"

    @abstractmethod
    def sources(self, shape: Shape, output: int = 0) -> tuple[Source, ...]:
        """Return, for each axis of the input, where its positions come from."""

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the one position."""
        found = []
        for axes, table in self.sources(in_shapes[0], output):
            at = tuple(index[axis] for axis in axes)
            found.append(point(at[0] if table is None else int(table[at])))
        return (tuple(found),)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return the smallest interval that holds the positions of an interval of outputs."""
        check_room((*in_shapes[0], *self.out_shapes(in_shapes)[output]), self.subject)
        sources = self.sources(in_shapes[0], output)
        return (tuple(span_of(source, spans) for source in sources),)


def span_of(source: Source, spans: Spans) -> AxisSpan:
    """Return the span of one input axis."""
    axes, table = source
    box = [spans[axis] for axis in axes]
    if table is None:
        return box[0]
    if any(isinstance(span, Everything) for span in box):
        return Everything.EVERYTHING
    inside = tuple(slice(max(s.lo, 0), max(s.hi, 0)) for s in box if isinstance(s, Interval))
    positions = table[inside]
    if not positions.size:
        return Interval(0, 0)
    return Interval(int(positions.min()), int(positions.max()) + 1)


def kept(axis: int) -> Source:
    """Return the source of an axis whose positions stay."""
    return (axis,), None


def first() -> Source:
    """Return the source of an axis of which the first position is used, whatever the output."""
    return (), np.zeros((), np.int64)


def repeated_taps(shape: Shape, index: Sequence[int]) -> Taps:
    """Return the position in an array that is repeated: 0 on the axes along which it is.

    >>> repeated_taps((3, 1), (5, 2, 4))
    (range(2, 3), range(0, 1))
    """
    own = index[len(index) - len(shape) :]
    return tuple(point(0 if n == 1 else i) for n, i in zip(shape, own, strict=True))


def repeated_spans(shape: Shape, spans: Spans) -> Spans:
    """Return the spans in an array that is repeated: [0, 1) on the axes along which it is."""
    own = spans[len(spans) - len(shape) :]
    return tuple(Interval(0, 1) if n == 1 else s for n, s in zip(shape, own, strict=True))
