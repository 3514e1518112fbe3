"""The axis maps of operators, found by asking for the spans of a few outputs.

Asked near the origin and far off on both sides, windows, crops and element-wise operators show
`axis_maps.AxisMap` everywhere. What is bounded (a transposed convolution, a resize) shows one
between its borders only, on an axis that is long enough; `interior` asks for that. Whatever runs
backwards, or sees other things at other places, has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TypeAlias

from faltung.analysis.axis_maps import AxisMap, Seen, opens
from faltung.errors import FaltungError
from faltung.geometry import Interval
from faltung.ops import Resize
from faltung.ops.operator import EVERYTHING, AbstractOperator, Everything, Shape, Spans

LONGEST = 32
"""The longest period that is looked for in one operator."""

FAR = 27_720 * 40
"""Far outside every axis that clips, and a multiple of the common periods."""

MORE = 1440
"""By how many positions an axis is made longer, to have an interior: a multiple of strides."""

ORIGIN = Interval(0, 1)
Asked: TypeAlias = Callable[[int, int], Interval | None]


@dataclass(frozen=True)
class OperatorMaps:
    """How the axes of one output of an operator map to those of its inputs.

    Parameters
    ----------
    operator, in_shapes
        What is asked, and the shapes of its inputs.
    rank
        How many axes the output has.
    output
        Which one, where there are several.
    interior
        Whether a map may hold between the borders alone.
    """

    operator: AbstractOperator
    in_shapes: tuple[Shape, ...]
    rank: int
    output: int = 0
    interior: bool = False

    def through(self, position: int, before: Seen) -> Seen:
        """Return what the output sees of a source axis, by what one of the inputs sees of it."""
        if isinstance(before, Everything):
            return before
        ways = [self.axis(position, axis) for axis in sorted(opens(before))]
        if EVERYTHING in ways:
            return EVERYTHING
        if isinstance(before, AxisMap) and not ways:
            return before
        if isinstance(before, AxisMap) and isinstance(ways[0], AxisMap):
            composed = ways[0].after(before)
            if composed is not None:
                return composed
        return frozenset().union(*(opens(way) for way in ways))

    def axis(self, position: int, axis: int) -> Seen:
        """Return what the output sees of one axis of one of the operator's inputs."""
        if (position, axis) not in self._known:
            self._known[position, axis] = self._find(position, axis)
        return self._known[position, axis]

    @cached_property
    def _known(self) -> dict[tuple[int, int], Seen]:
        return {}

    def ask(self, axis: int, span: Interval | Everything) -> tuple[Spans, ...]:
        """Return the spans of an output that takes one position of every other axis."""
        box = (*(ORIGIN,) * axis, span, *(ORIGIN,) * (self.rank - axis - 1))
        return self.operator.input_span(self.in_shapes, box, self.output)

    @cached_property
    def _first(self) -> tuple[Spans, ...]:
        return self.operator.input_span(self.in_shapes, (ORIGIN,) * self.rank, self.output)

    @cached_property
    def _coarse(self) -> list[tuple[tuple[Spans, ...], ...]]:
        """For each axis: other positions than the first, no position, and all."""
        spans = (Interval(1, 2), Interval(2, 6), Interval(FAR, FAR + 1), Interval(0, 0), EVERYTHING)
        return [tuple(self.ask(axis, span) for span in spans) for axis in range(self.rank)]

    def _find(self, position: int, axis: int) -> Seen:
        if self.interior:
            exact = _of(replace(self, interior=False)).axis(position, axis)
            if isinstance(exact, Everything) or (
                isinstance(exact, AxisMap) and exact.axis is not None
            ):
                return exact
        first = self._first[position][axis]
        answers = [[spans[position][axis] for spans in each] for each in self._coarse]
        if isinstance(first, Everything):
            return EVERYTHING if all(a == first for each in answers for a in each) else frozenset()
        deciding = [k for k, each in enumerate(answers) if any(a != first for a in each)]
        whole = frozenset(k for k in deciding if answers[k][-1] is EVERYTHING)
        if not deciding:
            return self._same(position, axis, first)
        nothing = answers[deciding[0]][-2]
        if len(deciding) > 1 or not whole or isinstance(nothing, Everything) or not nothing.empty:
            return whole
        (k,) = deciding
        return self._everywhere(position, axis, k) or self._inside(position, axis, k) or whole

    def _same(self, position: int, axis: int, first: Interval) -> Seen:
        """Return the map of an axis of which all outputs see the same."""
        if first.empty:
            return frozenset()
        shape = self.in_shapes[position]
        if self.interior and shape[axis] == 1:  # What would be repeated, if there were more of it.
            along = axis + self.rank - len(shape)
            out = self.operator.out_shapes(self.in_shapes)[self.output]
            if along >= 0 and out[along] == 1:
                return AxisMap(along, (0,), (1,), 1)
        return AxisMap(None, (first.lo,), (first.hi,), 0)

    def _asked(self, position: int, axis: int, k: int) -> Asked:
        """Return what says which part of an input axis outputs along axis `k` see, if any."""

        def asked(lo: int, hi: int) -> Interval | None:
            span = self.ask(k, Interval(lo, hi))[position][axis]
            return None if isinstance(span, Everything) or span.empty else span

        return asked

    def _everywhere(self, position: int, axis: int, k: int) -> AxisMap | None:
        """Return how an axis follows axis `k` of the output, if it does so without borders."""
        asked = self._asked(position, axis, k)
        for longest in (1, LONGEST):
            near = [asked(o, o + 1) for o in range(2 * longest + 2)]
            known = [span for span in near if span is not None]
            if len(known) < len(near):
                return None
            found = periodic(k, known, longest)
            if found is not None:
                places = (-1, -2, -7, 40, FAR, -FAR)
                boxes = [(o, o + 1) for o in places] + [(-5, 9), (3, 8), (-FAR, FAR)]
                fits = all(asked(*box) == found.seen(Interval(*box)) for box in boxes)
                return found if fits else None
        return None

    def _inside(self, position: int, axis: int, k: int) -> AxisMap | None:
        """Return how an axis follows axis `k` of the output far from all borders."""
        if not self.interior or not self._all_along(position, axis, k):
            return None
        maps = self._longer(position, axis)
        size = maps.operator.out_shapes(maps.in_shapes)[maps.output][k]
        if not isinstance(size, int):
            return None
        asked = maps._asked(position, axis, k)
        if size < MORE // 4:
            return _within([asked(o, o + 1) for o in range(size)], k)
        middle = size // 2
        found = _within([asked(o, o + 1) for o in range(middle - 66, middle + 66)], k, middle - 66)
        answers = {o: asked(o, o + 1) for o in (size // 4, size // 4 + 1, 3 * size // 4)}
        fits = found and all(
            span is None or span == found.seen(Interval(o, o + 1)) for o, span in answers.items()
        )
        return found if fits else None

    def _all_along(self, position: int, axis: int, k: int) -> bool:
        """Whether both ends of the output see this input: not so, where inputs are joined."""
        size = self.operator.out_shapes(self.in_shapes)[self.output][k]
        if not isinstance(size, int) or size < 2:
            return isinstance(size, int)
        asked = self._asked(position, axis, k)
        wide = min(size // 2, MORE)
        return asked(0, wide) is not None and asked(size - wide, size) is not None

    def _longer(self, position: int, axis: int) -> OperatorMaps:
        """Return the same operator where one axis of an input is longer, if it can be."""
        shape, operator = self.in_shapes[position], self.operator
        size = shape[axis]
        if not isinstance(size, int):
            return self
        longer = (*shape[:axis], size + MORE, *shape[axis + 1 :])
        shapes = (*self.in_shapes[:position], longer, *self.in_shapes[position + 1 :])
        try:
            operator = _by_scales(operator, self.in_shapes[0])
            grown = replace(self, operator=operator, in_shapes=shapes)
            old, new = (m.operator.out_shapes(m.in_shapes)[m.output] for m in (self, grown))
        except (FaltungError, ValueError):
            return self
        return self if old == new else grown


def _by_scales(operator: AbstractOperator, shape: Shape) -> AbstractOperator:
    """Return a resize to given sizes as one by factors, which a longer axis can take, too."""
    if not isinstance(operator, Resize) or operator.sizes is None:
        return operator
    axes = operator.axes or range(len(shape))
    scales = [n / int(shape[axis]) for n, axis in zip(operator.sizes, axes, strict=True)]
    return replace(operator, sizes=None, scales=tuple(scales))


def periodic(axis: int, spans: Sequence[Interval], longest: int) -> AxisMap | None:
    """Return the shortest period that the spans of the outputs 0, 1, ... have, if there is one.

    >>> periodic(2, [Interval(o // 2, o // 2 + 1) for o in range(6)], longest=2)
    AxisMap(axis=2, lows=(0, 0), highs=(1, 1), step=1)
    """
    if any(a.lo > b.lo or a.hi > b.hi for a, b in pairwise(spans)):
        return None
    for period in range(1, longest + 1):
        pairs = list(zip(spans, spans[period:], strict=False))
        steps = {b.lo - a.lo for a, b in pairs} | {b.hi - a.hi for a, b in pairs}
        if len(steps) == 1:
            one = spans[:period]
            return AxisMap(axis, tuple(s.lo for s in one), tuple(s.hi for s in one), steps.pop())
    return None


def _within(found: Sequence[Interval | None], axis: int, first: int = 0) -> AxisMap | None:
    """Return the period of the spans of neighbouring outputs, without as few at the ends as do.

    An output that sees nothing, between two kernel copies, is taken to see what the one before it
    does: no less than the truth.
    """
    spans: list[Interval | None] = []
    for span in found:
        spans.append(span or (spans[-1] if spans else None))
    for cut in range(len(spans) // 3 + 1):
        inner = [span for span in spans[cut : len(spans) - cut] if span is not None]
        if len(inner) < len(spans) - 2 * cut:
            continue
        longest = min(LONGEST, len(inner) // 2)
        local = periodic(axis, inner, longest)
        if local is not None and local.step > 0:
            o = -(first + cut)
            outputs = range(o, o + local.period)
            lows, highs = map(local.low, outputs), map(local.high, outputs)
            return AxisMap(axis, tuple(lows), tuple(highs), local.step)
    return None


@lru_cache(maxsize=4096)
def _kept(maps: OperatorMaps) -> OperatorMaps:
    return maps


def _of(maps: OperatorMaps) -> OperatorMaps:
    """Return the equal maps that were asked before, with all their answers."""
    try:
        return _kept(maps)
    except TypeError:  # An operator of somebody's own may hold what has no hash.
        return maps


def operator_maps(
    operator: AbstractOperator,
    in_shapes: Sequence[Shape],
    rank: int,
    output: int = 0,
    *,
    interior: bool = False,
) -> OperatorMaps:
    """Return the maps of one output of an operator, which has so many axes.

    Examples
    --------
    >>> from faltung import ops
    >>> conv = operator_maps(ops.Conv(stride=2, padding=1), [(1, 1, 9), (4, 1, 3)], 3)
    >>> conv.axis(0, 2), conv.axis(0, 1)
    (AxisMap(axis=2, lows=(-1,), highs=(2,), step=2), frozenset({1}))
    >>> shapes = [(1, 1, 9), (1, 1, 2)]
    >>> operator_maps(ops.ConvTranspose(stride=2), shapes, 3, interior=True).axis(0, 2)
    AxisMap(axis=2, lows=(0, 0), highs=(1, 1), step=1)
    """
    return _of(OperatorMaps(operator, tuple(in_shapes), rank, output, interior))
