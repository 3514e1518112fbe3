"""The shape of every value of a graph, from the shapes of its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from faltung.errors import FaltungError
from faltung.graph.graph import Graph, Node
from faltung.ops.operator import Shape
from faltung.ops.unknown import Unknown

Shapes: TypeAlias = Mapping[str, Shape]


def infer(graph: Graph) -> Shapes:
    """Ask each operator in turn for the shapes of its outputs.

    Raises
    ------
    FaltungError
        Where an operator refuses its inputs; a note names the layer and their shapes.
    """
    shapes: dict[str, Shape] = {v.name: tuple(v.shape) for v in graph.inputs}
    for arrays in (graph.params, graph.state):
        shapes.update({name: array.shape for name, array in arrays.items()})
    for node in graph.nodes:
        in_shapes = [shapes[name] for name in node.inputs]
        try:
            outs = node.operator.out_shapes(in_shapes)
        except FaltungError as error:
            error.add_note(where(node, in_shapes))
            raise
        shapes.update(zip(node.outputs, outs, strict=True))
    return MappingProxyType(shapes)


def known_shapes(graph: Graph) -> Shapes:
    """Return the shapes that can be told, also behind unknown operators; the others are left out.

    Unlike `infer` it refuses nothing: what an operator that refuses its inputs would put out is not
    known.

    Parameters
    ----------
    graph
        Any graph, such as ``faltung.load(path, unknown=True)`` returns.
    """
    return MappingProxyType(_told(graph)[0])


def refusals(graph: Graph) -> int:
    """Return how many nodes refuse the shapes of their inputs, all of which are known.

    Parameters
    ----------
    graph
        As in `known_shapes`.
    """
    return _told(graph)[1]


def _told(graph: Graph) -> tuple[dict[str, Shape], int]:
    """Return the shapes that are known, and how many nodes refuse theirs."""
    shapes: dict[str, Shape] = {v.name: tuple(v.shape) for v in graph.inputs}
    for arrays in (graph.params, graph.state):
        shapes.update({name: array.shape for name, array in arrays.items()})
    refused = 0
    for node in graph.nodes:
        given = [shapes.get(name) for name in node.inputs]
        outs: tuple[Shape | None, ...] = ()
        if isinstance(node.operator, Unknown):
            outs = node.operator.told_shapes(given)
        elif None not in given:
            known = [shape for shape in given if shape is not None]
            try:
                outs = node.operator.out_shapes(known)
            except FaltungError:
                refused += not any(isinstance(n, str) for shape in known for n in shape)
        found = zip(node.outputs, outs, strict=False)
        shapes.update({name: shape for name, shape in found if shape is not None})
    return shapes, refused


def where(node: Node, in_shapes: list[Shape]) -> str:
    """Say which layer it was, and what it was given."""
    given = ", ".join(f"{name} {shape}" for name, shape in zip(node.inputs, in_shapes, strict=True))
    return f"in layer {node.name!r} ({node.operator.subject}) with {given}"
