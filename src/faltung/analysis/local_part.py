"""What comes before the first operator that sees a whole axis, and sizes to measure it at."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, lcm

from faltung.analysis.global_words import GlobalOperator
from faltung.analysis.locality import locality
from faltung.analysis.receptive_field import Walk
from faltung.analysis.tracks import Track, tracks
from faltung.errors import FaltungError, GraphError, message
from faltung.geometry import Interval
from faltung.graph import Graph
from faltung.graph.part import part
from faltung.graph.shapes import Shapes
from faltung.ops.operator import Everything, Shape, Spans

OPEN = {1: 256, 2: 64, 3: 32}
"""Positions along an axis that a network leaves open, by how many axes there are."""
FEW = 8
"""Shifts up to this one are all tried, of larger ones those that divide the period."""
STRIDES = 4
"""How many total strides an input is longer than the field."""


@dataclass(frozen=True)
class LocalPart:
    """The part of a graph in which each output sees a stretch of every axis.

    Parameters
    ----------
    graph
        That part; its outputs are the last values that are local.
    shapes
        Of its values at the sizes that were asked for.
    moving
        The inputs that are shifted, all those with the space of the first.
    global_operators
        What sees everything, and ends it.
    """

    graph: Graph
    shapes: Shapes
    moving: tuple[str, ...]
    global_operators: tuple[GlobalOperator, ...]

    @property
    def space(self) -> tuple[int, ...]:
        """Positions along each axis of the first input."""
        return tuple(int(n) for n in self.shapes[self.moving[0]][2:])

    def tracks(self, axis: int) -> dict[str, Track]:
        """Return the tracks along a space axis, counted from 0."""
        return _tracks(self.graph, self.shapes, self.moving, axis)


def local_part(graph: Graph, input_shape: Sequence[int] | None = None) -> LocalPart:
    """Return the part of a graph before the first operators that see a whole axis.

    Parameters
    ----------
    graph
        Any graph whose first input is ``(N, C, *space)``.
    input_shape
        Of the first input, if not the declared one; a size that is open becomes one of `OPEN`.

    Raises
    ------
    GraphError
        The first input has no axes of space, or nothing of the graph is local.
    """
    graph = closed(graph, input_shape)
    shapes = graph.shapes()
    first = graph.inputs[0]
    space = first.shape[2:]
    if not space:
        rule = "the first input must have axes of space"
        raise GraphError(message("equivariance", rule, {"shape": first.shape}))
    moving = tuple(v.name for v in graph.inputs if v.shape[2:] == space)
    found = [locality(graph, source=name) for name in moving]
    stops = {stop.node: stop for each in found for stop in each.global_operators}
    followed = [_tracks(graph, shapes, moving, axis) for axis in range(len(space))]
    computed = {name for node in graph.nodes for name in node.outputs}
    local = computed.intersection(*followed)
    ends = dict.fromkeys(name for each in found for name in each.local_outputs if name in local)
    ends = ends or _last(graph, local)
    if not ends:
        rule = "the first operators see a whole axis: there is no part to shift"
        values = {"operators": ", ".join([*stops][:3])}
        raise GraphError(message("equivariance", rule, values))
    local_graph = part(graph, [*ends])
    return LocalPart(local_graph, local_graph.shapes(), moving, tuple(stops.values()))


def _last(graph: Graph, local: set[str]) -> dict[str, None]:
    """Return the values that can be followed, and lead to none that can."""
    read = {
        name for node in graph.nodes if local.intersection(node.outputs) for name in node.inputs
    }
    written = (name for node in graph.nodes for name in node.outputs)
    return dict.fromkeys(name for name in written if name in local and name not in read)


def _tracks(graph: Graph, shapes: Shapes, moving: Sequence[str], axis: int) -> dict[str, Track]:
    starts = {name: (axis + 2, Interval(0, _number(shapes[name][axis + 2]))) for name in moving}
    return tracks(graph, shapes, starts)


def _number(size: int | str) -> int:
    return size if isinstance(size, int) else 1


def closed(graph: Graph, input_shape: Sequence[int] | None) -> Graph:
    """Return the graph with one image in the batch and a number for every size."""
    given: dict[str, Shape] = {v.name: tuple(v.shape) for v in graph.inputs}
    if input_shape is not None:
        given[graph.inputs[0].name] = tuple(input_shape)
    return graph.with_input_shape({name: _numbers(shape) for name, shape in given.items()})


def _numbers(shape: Shape) -> Shape:
    open_size = OPEN.get(len(shape) - 2, 16)
    channels = [n if isinstance(n, int) else 3 for n in shape[1:2]]
    space = [n if isinstance(n, int) else open_size for n in shape[2:]]
    return (1, *channels, *space) if shape else shape


def shifts_for(period: int) -> tuple[int, ...]:
    """Return which shifts tell a network of a period: small ones, and all that could be its own.

    >>> shifts_for(1), shifts_for(16)
    ((1, 2, 3, 4), (1, 2, 3, 4, 5, 6, 7, 8, 16, 17))
    """
    small = range(1, max(4, min(FEW, 2 * period)) + 1)
    dividing = {d for d in range(1, period + 1) if period % d == 0}
    beyond = {period + 1, 2 * period} if period <= FEW else {period + 1}
    return tuple(sorted({*small, *dividing, *(beyond if period > 2 else set())}))


def period_of(local: LocalPart, axis: int) -> int:
    """Return the least shift by which all maps of the part move by whole positions."""
    found = local.tracks(axis)
    return lcm(*(found[name].period for name in local.graph.outputs))


def field_of(local: LocalPart, axis: int) -> int:
    """Return the most positions along an axis that one output of the part sees."""
    walk, found, sizes = Walk(local.graph, local.shapes), local.tracks(axis), [1]
    for name in local.graph.outputs:
        at = [_number(n) // 2 for n in local.shapes[name]]
        box: Spans = tuple(Interval(o, o + 1) for o in at)
        seen = walk.spans(name, box) if name in found else {}
        for source in local.moving:
            span = seen[source][axis + 2] if source in seen else Interval(0, 0)
            sizes.append(0 if isinstance(span, Everything) else span.hi - span.lo)
    return max(sizes)


def resized(
    local: LocalPart, axis: int, longest_shift: int, *, at_least: bool, ring: bool
) -> Graph:
    """Return the part with an input long enough along one axis, and short along the others.

    A shift along one axis leaves what the borders of the others do as it is. On a ring no border
    is in the way, but every stride has to divide the size.

    Parameters
    ----------
    local
        The part, at the sizes that were asked for.
    axis
        Of space, which is to be shifted.
    longest_shift
        In positions.
    at_least
        Whether the asked sizes may only be enlarged, not made smaller.
    ring
        Whether the axes are rings.

    Returns
    -------
    Graph
        At the asked sizes where the network takes no others.
    """
    periods = [period_of(local, a) for a in range(len(local.space))]
    needed = [max(p, FEW) for p in periods]
    needed[axis] = (
        max(STRIDES * periods[axis], 2 * FEW)
        if ring
        else field_of(local, axis) + STRIDES * periods[axis] + longest_shift
    )
    if at_least:
        needed = [max(n, size) for n, size in zip(needed, local.space, strict=True)]
    for _ in range(FEW):
        # The same remainder: then 'same' padding has the amounts that it has at the asked size.
        sizes = [
            n + (-n if ring else size - n) % p
            for n, size, p in zip(needed, local.space, periods, strict=True)
        ]
        graph = _with_space(local, sizes)
        if graph is not None:
            return graph
        needed = [n if a == axis else 2 * n for a, n in enumerate(needed)]
    return local.graph


def _with_space(local: LocalPart, sizes: Sequence[int]) -> Graph | None:
    """Return the part at a size if every map has positions then."""
    shapes: Mapping[str, Shape] = {
        v.name: (*v.shape[:2], *sizes) if v.name in local.moving else v.shape
        for v in local.graph.inputs
    }
    try:
        graph = dataclasses.replace(local.graph.with_input_shape(shapes))
        found = graph.shapes()
    except FaltungError:
        return None
    is_there = all(n for name in graph.outputs for n in found[name])
    return graph if is_there and ceil(min(sizes)) > 0 else None
