"""What each value of a graph sees of an input, as exact integer intervals.

An interval of outputs is walked back through the graph: each operator says which interval of its
inputs it uses (`input_span`), branches are united. Nothing is derived twice, and nothing here
knows any operator. On a chain of windows this is the well-known rule: the size grows by
``(k - 1) d jump``, and the jump is multiplied by the stride *afterwards*.

Where every operator on the way moves intervals alike, period for period (`axis_maps`), what a value
sees is composed from what its sources see instead, one step for each node; it is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property, partial
from itertools import pairwise
from typing import TypeAlias

from faltung.analysis.axis_maps import AxisMap, Seen, united
from faltung.analysis.operator_maps import operator_maps
from faltung.errors import GraphError, message
from faltung.geometry import Interval
from faltung.graph import Graph
from faltung.graph.graph import producers
from faltung.graph.shapes import Shapes
from faltung.ops.operator import EVERYTHING, AxisSpan, Everything, Shape, Spans

PERIOD = 48
"""Positions probed where upsampling makes the field depend on the position; 48 = 2**4 * 3."""
WATCHED = 24
"""Positions that have to repeat before a period is believed, where there are as many."""


@dataclass(frozen=True)
class Field:
    """What one space axis of a value sees of the same axis of an input.

    Parameters
    ----------
    size
        How many input positions one output sees, the largest where that varies; EVERYTHING where
        it sees the axis whole.
    jump
        How many input positions lie between two neighbouring outputs' fields.
    start
        The first position that output 0 sees; negative in the padding.
    input_size
        The input's size along this axis.
    """

    size: int | Everything
    jump: Fraction
    start: int
    input_size: int

    @property
    def share(self) -> float:
        """The share of the axis that is seen, at most 1."""
        seen = self.input_size if isinstance(self.size, Everything) else self.size
        return min(seen, self.input_size) / self.input_size if self.input_size else 1.0

    def interval(self, output: int) -> Interval:
        """Return the exact interval that an output sees, where all outputs see equally much."""
        if isinstance(self.size, Everything):
            return Interval(0, self.input_size)
        lo = self.start + output * self.jump
        if lo.denominator != 1:
            rule = "the field depends on the position"
            raise GraphError(message("field", rule, {"jump": self.jump}, "Use `Walk.spans`"))
        return Interval(int(lo), int(lo) + self.size)


@dataclass(frozen=True)
class Walk:
    """A graph with the shapes of its values, to be walked back from any of them."""

    graph: Graph
    shapes: Shapes

    @cached_property
    def _producers(self) -> Mapping[str, int]:
        by_name = producers(self.graph.nodes)
        at = {node.name: position for position, node in enumerate(self.graph.nodes)}
        return {value: at[node.name] for value, node in by_name.items()}

    def spans(self, value: str, spans: Spans) -> dict[str, Spans]:
        """Return which box of each input a box of a value uses; inputs it does not use are absent.

        Intervals are not clipped: what lies outside an input is padding.
        """
        boxes: dict[str, Spans] = {value: tuple(spans)}
        first = self._producers.get(value, -1)
        for position in range(first, -1, -1):
            node = self.graph.nodes[position]
            found = [(i, boxes.pop(name)) for i, name in enumerate(node.outputs) if name in boxes]
            for output, box in found:
                before = self._before(position, output, box)
                for name, part in zip(node.inputs, before, strict=True):
                    boxes[name] = _united(boxes[name], part) if name in boxes else part
        return {v.name: boxes[v.name] for v in self.graph.inputs if v.name in boxes}

    @cached_property
    def _answers(self) -> dict[tuple[int, int, Spans], tuple[Spans, ...]]:
        return {}

    def _before(self, position: int, output: int, box: Spans) -> tuple[Spans, ...]:
        """Ask a node's operator, once: behind upsampling many walks come by the same boxes."""
        key = (position, output, box)
        if key not in self._answers:
            node = self.graph.nodes[position]
            in_shapes = [self.shapes[name] for name in node.inputs]
            self._answers[key] = node.operator.input_span(in_shapes, box, output)
        return self._answers[key]


def _united(a: Spans, b: Spans) -> Spans:
    return tuple(_union(m, n) for m, n in zip(a, b, strict=True))


def _union(a: AxisSpan, b: AxisSpan) -> AxisSpan:
    if isinstance(a, Everything) or isinstance(b, Everything):
        return EVERYTHING
    if a.lo >= a.hi or b.lo >= b.hi:
        return b if a.lo >= a.hi else a
    return Interval(min(a.lo, b.lo), max(a.hi, b.hi))


def receptive_fields(
    graph: Graph,
    input_shape: Sequence[int] | None = None,
    *,
    source: str | None = None,
) -> dict[str, tuple[Field, ...]]:
    """Return, for each value that a node computes, what it sees of each space axis of an input.

    Parameters
    ----------
    graph
        Any graph; chains and branches alike.
    input_shape
        ``(N, C, *space)`` of the input if not the declared one.
    source
        Which input, where there are several.

    Returns
    -------
    dict of str to tuple of Field
        A value without space axes (after Flatten, say) sees each axis of the input as its own
        single position does. A value that does not depend on the input is absent.

    Raises
    ------
    GraphError
        ``source`` is no input, or a size that is needed is a name.

    Examples
    --------
    >>> from faltung.graph import layers as L
    >>> net = L.build(L.Chain(L.Conv(1, 3), L.MaxPool(2), L.Conv(1, 3)), (1, 32, 32))
    >>> [(name, f[0].size, int(f[0].jump)) for name, f in receptive_fields(net).items()]
    [('conv1', 3, 1), ('maxpool1', 4, 2), ('conv2', 8, 2)]
    """
    source = graph.inputs[0].name if source is None else source
    if source not in [value.name for value in graph.inputs]:
        values = {"source": source, "inputs": [value.name for value in graph.inputs]}
        raise GraphError(message("receptive_fields", "source must be an input", values))
    if input_shape is not None:
        graph = graph.with_input_shape({source: tuple(input_shape)})
    walk = Walk(graph, graph.shapes())
    return {
        value: _fields(walk, value, source, sight)
        for value, sight in sights(walk, source).items()
        if value != source
    }


def sights(walk: Walk, source: str) -> dict[str, tuple[Seen, ...]]:
    """Return, for each value that depends on an input, how it sees each space axis of it.

    The input itself comes first. Where an axis has no map, `Walk.spans` tells what is seen.
    """
    itself = (AxisMap(axis, (0,), (1,), 1) for axis in range(2, len(walk.shapes[source])))
    found: dict[str, tuple[Seen, ...]] = {source: tuple(itself)}
    for node in walk.graph.nodes:
        before = [(i, found[name]) for i, name in enumerate(node.inputs) if name in found]
        if not before:
            continue
        in_shapes = [walk.shapes[name] for name in node.inputs]
        for output, value in enumerate(node.outputs):
            maps = operator_maps(node.operator, in_shapes, len(walk.shapes[value]), output)
            ways = [[maps.through(i, seen) for seen in sight] for i, sight in before]
            found[value] = tuple(united(way) for way in zip(*ways, strict=True))
    return found


Probe: TypeAlias = Callable[[int], Spans]
"""What the output at this position of every space axis sees of an input's space."""


def _fields(walk: Walk, value: str, source: str, sight: Sequence[Seen]) -> tuple[Field, ...]:
    probe: Probe = partial(_walked, walk, value, source)
    if not any(isinstance(seen, frozenset) for seen in sight):
        probe = partial(_composed, sight)
    probe = cache(probe)  # All axes ask at the same places.
    probes = [probe(at) for at in range(3)]
    sizes = [n if isinstance(n, int) else 0 for n in walk.shapes[source][2:]]
    space = walk.shapes[value][2:]
    return tuple(_field(probe, space, axis, probes, n) for axis, n in enumerate(sizes))


def _walked(walk: Walk, value: str, source: str, at: int) -> Spans:
    first = (Interval(0, 1), Interval(0, 1))
    space = (Interval(at, at + 1).shift(-_past(at, n)) for n in walk.shapes[value][2:])
    return walk.spans(value, (*first, *space)[: len(walk.shapes[value])])[source][2:]


def _past(at: int, size: int | str) -> int:
    """How far a position lies past a short axis, beyond which only the first ones are asked for."""
    return max(0, at - max(size - 1, 2)) if isinstance(size, int) else 0


def _composed(sight: Sequence[Seen], at: int) -> Spans:
    return tuple(
        seen.seen(Interval(at, at + 1) if (seen.axis or 0) > 1 else Interval(0, 1))
        if isinstance(seen, AxisMap)
        else EVERYTHING
        for seen in sight
    )


def _field(
    probe: Probe, space: Shape, axis: int, probes: Sequence[Spans], input_size: int
) -> Field:
    spans = [spans[axis] for spans in probes]
    if any(isinstance(span, Everything) for span in spans):
        return Field(EVERYTHING, Fraction(0), 0, input_size)
    known = [span for span in spans if isinstance(span, Interval)]
    steps = {b.lo - a.lo for a, b in pairwise(known)}
    sizes = {span.hi - span.lo for span in known}
    # Three that see the same are alike only if upsampling does not repeat each of them longer.
    if len(steps) > 1 or len(sizes) > 1 or sizes == {0} or steps == {0}:
        return _varying(probe, space, axis, input_size)
    return Field(known[0].hi - known[0].lo, Fraction(steps.pop()), known[0].lo, input_size)


def _varying(probe: Probe, space: Shape, axis: int, input_size: int) -> Field:
    """Probe a whole period: upsampling makes neighbouring outputs see differently much.

    The period is taken in the middle; at the border fewer kernel copies overlap, and what stands
    on padding sees nothing.
    """
    own = space[axis] if axis < len(space) else 1
    length = own if isinstance(own, int) else 1
    spans: dict[int, Interval] = {}

    def at(position: int) -> Interval:
        if position not in spans:
            span = probe(position)[axis]
            spans[position] = span if isinstance(span, Interval) else Interval(0, input_size)
        return spans[position]

    period, middle = _period(at, length)
    jump = Fraction(at(middle + period).lo - at(middle).lo, period)
    first, seen = at(0), at(middle)
    start = seen.lo - int(middle * jump) if first.empty else first.lo
    return Field(max(span.size for span in spans.values()), jump, start, input_size)


def _period(at: Callable[[int], Interval], length: int) -> tuple[int, int]:
    """Return after how many outputs what is seen repeats, and where in the middle that was seen."""
    for period in (1, 2, 3, 4, 6, 8, 12, 16, 24, PERIOD):
        if 2 * period >= max(length, 3):
            break
        # Long enough not to take what an upsampling repeats for all that there is.
        ahead = max(period + 1, min(WATCHED, (length - period) // 2))
        middle = max((length - period - ahead) // 2, 0)
        pairs = [(at(middle + i), at(middle + i + period)) for i in range(ahead)]
        steps = {(b.lo - a.lo, b.hi - a.hi) for a, b in pairs}
        if len(steps) == 1 and not pairs[0][0].empty:
            return period, middle
    period = next(p for p in (PERIOD, 24, 16, 12, 8, 6, 4, 3, 2, 1) if p < length or p == 1)
    middle = max((length - 1 - period) // 2, 0)
    for position in range(middle, middle + period + 1):
        at(position)
    return period, middle
