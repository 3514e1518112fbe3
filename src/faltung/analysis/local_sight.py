"""How the values of a graph lie on the grid of an input, and which nodes leave that grid.

Each value is followed along each space axis of the input: the map by which its outputs see it, far
from all borders, and the axes of its own along which places in the image still lie. A node that
takes such an axis whole sees everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from faltung.analysis.axis_maps import AxisMap, Seen, opens, united
from faltung.analysis.operator_maps import OperatorMaps, operator_maps
from faltung.graph import Graph, Node
from faltung.graph.shapes import Shapes
from faltung.ops.operator import Everything

Places = tuple[frozenset[int], ...]
"""For each space axis of the input, the axes of a value along which its places lie."""

Maps = tuple[AxisMap, ...]


@dataclass(frozen=True)
class LocalSight:
    """What is known of the values that depend on one input.

    Parameters
    ----------
    graph, shapes
        The network, and the shapes of its values.
    source
        The input.
    seen
        For each value that depends on it, how it sees each of its space axes.
    places
        Along which of their axes.
    whole
        The nodes that take one of these axes whole, in order.
    """

    graph: Graph
    shapes: Shapes
    source: str
    seen: dict[str, tuple[Seen, ...]] = field(default_factory=dict)
    places: dict[str, Places] = field(default_factory=dict)
    whole: dict[str, Node] = field(default_factory=dict)

    def maps(self, value: str) -> Maps | None:
        """Return the maps of a value that lies on the input's grid; None for all others."""
        return grid(self.seen[value]) if value in self.seen else None

    def used(self, node: Node) -> list[tuple[int, str]]:
        """Return the inputs of a node that depend on the source, with their positions."""
        return [(i, name) for i, name in enumerate(node.inputs) if name in self.seen]

    def of(self, node: Node, output: int = 0) -> OperatorMaps:
        """Return the maps of a node's operator."""
        in_shapes = [self.shapes[name] for name in node.inputs]
        rank = len(self.shapes[node.outputs[output]])
        return operator_maps(node.operator, in_shapes, rank, output, interior=True)

    def branches(self, node: Node) -> dict[str, Maps]:
        """Return, for each input of a node that lies on the grid, what the node sees through it."""
        found = {}
        for i, name in self.used(node):
            through = grid([self.of(node).through(i, seen) for seen in self.seen[name]])
            if self.maps(name) is not None and through is not None:
                found[name] = through
        return found

    def frontier(self) -> tuple[str, ...]:
        """Return the values on the grid that are results, or read by a node that leaves it."""
        read = {
            name
            for node in self.graph.nodes
            if any(value in self.seen and self.maps(value) is None for value in node.outputs)
            for name in node.inputs
        }
        ends = read | set(self.graph.outputs)
        return tuple(v for v in self.seen if v in ends and self.maps(v) is not None)

    def leaving(self) -> Iterator[Node]:
        """Yield the nodes that read values on the grid, and put out what is not on it."""
        for node in self.graph.nodes:
            lies = [self.maps(name) is not None for _, name in self.used(node)]
            if any(lies) and any(self.maps(v) is None for v in node.outputs):
                yield node


def grid(seen: Sequence[Seen]) -> Maps | None:
    """Return the maps if there is one for each axis, and each follows an axis of the output."""
    maps = tuple(each for each in seen if isinstance(each, AxisMap) and each.axis is not None)
    return maps if len(maps) == len(seen) else None


def local_sight(graph: Graph, shapes: Shapes, source: str) -> LocalSight:
    """Follow an input through a graph.

    Examples
    --------
    >>> from faltung.graph import layers as L
    >>> net = L.build(L.Chain(L.Conv(1, 3, padding=1), L.MaxPool(2), L.GlobalAvgPool()), (1, 8))
    >>> sight = local_sight(net, net.shapes(), "x")
    >>> sight.maps("maxpool1"), sight.frontier(), list(sight.whole)
    ((AxisMap(axis=2, lows=(-1,), highs=(3,), step=2),), ('maxpool1',), ['globalaveragepool1'])
    """
    sight = LocalSight(graph, shapes, source)
    space = range(2, len(shapes[source]))
    sight.seen[source] = tuple(AxisMap(axis, (0,), (1,), 1) for axis in space)
    sight.places[source] = tuple(frozenset({axis}) for axis in space)
    for node in graph.nodes:
        used = sight.used(node)
        for output, value in enumerate(node.outputs if used else ()):
            maps = sight.of(node, output)
            ways = [[maps.through(i, seen) for seen in sight.seen[name]] for i, name in used]
            sight.seen[value] = tuple(united(way) for way in zip(*ways, strict=True))
            found = [_places(maps, i, sight.places[name]) for i, name in used]
            sight.places[value] = tuple(
                frozenset().union(*(each for each in axis if each is not None))
                for axis in zip(*found, strict=True)
            )
            if any(each is None for axes in found for each in axes):
                sight.whole[node.name] = node
    return sight


def _places(maps: OperatorMaps, position: int, before: Places) -> tuple[frozenset[int] | None, ...]:
    """Return where the places of an input come to lie; None along what is taken whole."""
    found: list[frozenset[int] | None] = []
    for axes in before:
        ways = [maps.axis(position, axis) for axis in sorted(axes)]
        taken = any(isinstance(way, Everything) for way in ways)
        found.append(None if taken else frozenset().union(*(opens(way) for way in ways)))
    return tuple(found)


def readers(graph: Graph) -> Mapping[str, list[Node]]:
    """Return, for each value, the nodes that read it."""
    found: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for name in dict.fromkeys(node.inputs):
            found.setdefault(name, []).append(node)
    return found
