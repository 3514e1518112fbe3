"""Where a shift of the input should show in each map, and where no border has a part in it.

One axis of the input is followed through a graph by asking each operator which interval of its
inputs an output uses. A map's *track* says along which of its axes it goes on, how many positions
of the input lie between two of the map (its total stride), and which of its positions depend on no
padding. What sees the whole axis has no track, and neither has what is computed from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import TypeAlias

from faltung.geometry import Interval
from faltung.graph import Graph, Node
from faltung.graph.shapes import Shapes
from faltung.ops.operator import Everything, Shape, Spans

LONGEST = 16
"""The most outputs after which the spans of one operator are expected to repeat."""

Span: TypeAlias = Callable[[int, int], Interval | None]


@dataclass(frozen=True)
class Track:
    """How one map follows the shifted axis of the input.

    Parameters
    ----------
    axis
        Of the map.
    size
        Positions along it.
    clean
        Those that depend on no padding.
    jump
        The total stride: input positions from one position of the map to the next.
    period
        The least shift by which this map and all before it move by whole positions.
    """

    axis: int
    size: int
    clean: Interval
    jump: Fraction
    period: int

    @property
    def is_whole(self) -> bool:
        """Whether every position is clean."""
        return self.clean == Interval(0, self.size)


def tracks(
    graph: Graph, shapes: Shapes, starts: Mapping[str, tuple[int, Interval]]
) -> dict[str, Track]:
    """Return the tracks of the inputs that are shifted, and of all maps that have one.

    Parameters
    ----------
    graph
        Any graph.
    shapes
        Of its values, all numbers but for the batch.
    starts
        By input: its axis that is shifted, and the positions there that count as clean.
    """
    found = {
        name: Track(axis, int(shapes[name][axis]), clean, Fraction(1), 1)
        for name, (axis, clean) in starts.items()
    }
    lost: set[str] = set()
    for node in graph.nodes:
        known = {k: found[name] for k, name in enumerate(node.inputs) if name in found}
        for output, name in enumerate(node.outputs):
            track = None
            if known and not lost.intersection(node.inputs):
                track = _through(node, shapes, known, output)
            if track is not None:
                found[name] = track
            elif known or lost.intersection(node.inputs):
                lost.add(name)
    return found


def _through(node: Node, shapes: Shapes, known: Mapping[int, Track], output: int) -> Track | None:
    in_shapes = [shapes[name] for name in node.inputs]
    shape = shapes[node.outputs[output]]
    if any(not isinstance(size, int) or size < 1 for size in shape[1:]):
        return None
    first = next(iter(known.values()))
    order = sorted(range(len(shape)), key=lambda i: i != first.axis)
    for axis in order:
        spans = {k: _span(node, in_shapes, shape, output, axis, k, t) for k, t in known.items()}
        ends = [(span(0, 1), span(_size(shape, axis) - 1, 1)) for span in spans.values()]
        if any(a is None or b is None for a, b in ends):
            return None  # it sees the axis whole
        if any(a != b for a, b in ends):
            return _followed(node, spans, known, axis, _size(shape, axis))
    if len(shape) <= first.axis or shape[first.axis] != 1:
        return None
    # A single position, as far as anyone can see from it.
    spans = {k: _span(node, in_shapes, shape, output, first.axis, k, t) for k, t in known.items()}
    return _followed(node, spans, known, first.axis, 1)


def _size(shape: Shape, axis: int) -> int:
    size = shape[axis]
    return size if isinstance(size, int) else 1


def _span(
    node: Node, in_shapes: list[Shape], shape: Shape, output: int, axis: int, k: int, track: Track
) -> Span:
    """Return what asks which positions of input ``k`` so many outputs from ``o`` on use."""
    middle = [Interval(_size(shape, i) // 2, _size(shape, i) // 2 + 1) for i in range(len(shape))]

    def span(o: int, count: int) -> Interval | None:
        box: Spans = tuple(Interval(o, o + count) if i == axis else m for i, m in enumerate(middle))
        seen = node.operator.input_span(in_shapes, box, output)[k][track.axis]
        return None if isinstance(seen, Everything) else seen

    return span


def _followed(
    node: Node, spans: Mapping[int, Span], known: Mapping[int, Track], axis: int, size: int
) -> Track | None:
    ways = {k: _way(span, size, known[k].size) for k, span in spans.items()}
    totals = [known[k].jump * way.jump for k, way in ways.items() if way.jump > 0]
    if len(totals) < len(spans):
        return None
    clean = Interval(0, size)
    for k, span in spans.items():
        part = _clean(node, span, ways[k], known[k], size)
        clean = Interval(max(clean.lo, part.lo), min(clean.hi, part.hi))
    periods = [total.numerator for total in totals] + [known[k].period for k in spans]
    return Track(axis, size, clean, max(totals), lcm(*periods))


@dataclass(frozen=True)
class _Way:
    """How the span of an operator goes on, were there no border; None where it was not seen."""

    jump: Fraction
    start: int = 0
    seen: tuple[Interval, ...] = ()

    def span(self, o: int) -> Interval | None:
        """Return what output ``o`` would use on an axis without ends."""
        if not self.seen:
            return None
        periods, phase = divmod(o - self.start, len(self.seen))
        by = int(periods * len(self.seen) * self.jump)
        return Interval(self.seen[phase].lo + by, self.seen[phase].hi + by)


def _way(span: Span, size: int, in_size: int) -> _Way:
    """Find after how many outputs the spans in the middle of an axis repeat, and how far on."""
    # A map of few positions is asked about some that it does not have.
    count = max(min(size, 2 * LONGEST + 10), 4)
    start = (size - count) // 2
    seen = [each for o in range(count) if (each := span(start + o, 1)) is not None]
    for period in range(1, LONGEST + 1):
        for trim in (0, 1, 2, 4):  # an operator may clip its spans at the border
            inner = seen[trim : len(seen) - trim]
            steps = {
                (b.lo - a.lo, b.hi - a.hi) for a, b in zip(inner, inner[period:], strict=False)
            }
            if len(inner) >= 2 * period + 2 and len(steps) == 1:
                step = steps.pop()
                if step[0] == step[1]:
                    return _Way(Fraction(step[0], period), start + trim, tuple(inner[:period]))
    return _Way(Fraction(in_size, size))


def _clean(node: Node, span: Span, way: _Way, track: Track, size: int) -> Interval:
    """Return the outputs that use nothing outside the clean positions of an input."""
    if track.is_whole and node.operator.padding_mode == "circular":
        return Interval(0, size)

    def begins(o: int) -> bool:
        seen = way.span(o) or span(o, 1)
        return seen is None or seen.lo >= track.clean.lo

    def passes(o: int) -> bool:
        seen = way.span(o) or span(o, 1)
        return seen is None or seen.hi > track.clean.hi

    lo, hi = _first(begins, size), _first(passes, size)
    if lo >= hi or track.clean.lo >= track.clean.hi:
        return Interval(0, 0)
    # Spans that do not grow steadily would have deceived the search; the hull of all does not.
    hull = span(lo, hi - lo)
    is_sound = hull is not None and hull.lo >= track.clean.lo and hull.hi <= track.clean.hi
    return Interval(lo, hi) if is_sound else Interval(0, 0)


def _first(holds: Callable[[int], bool], size: int) -> int:
    """Return the first position from which on something holds; the size if it never does."""
    lo, hi = 0, size
    while lo < hi:
        middle = (lo + hi) // 2
        lo, hi = (lo, middle) if holds(middle) else (middle + 1, hi)
    return lo


def space_axes(shapes: Shapes, names: Sequence[str]) -> dict[str, int]:
    """Return, for the inputs whose space is that of the first, how many space axes they have."""
    first = tuple(shapes[names[0]][2:])
    return {name: len(first) for name in names if first and tuple(shapes[name][2:]) == first}
