"""The shape of every value of a graph, from the shapes of its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from faltung.errors import FaltungError
from faltung.graph.graph import Graph, Node
from faltung.ops.operator import Shape

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


def where(node: Node, in_shapes: list[Shape]) -> str:
    """Say which layer it was, and what it was given."""
    given = ", ".join(f"{name} {shape}" for name, shape in zip(node.inputs, in_shapes, strict=True))
    return f"in layer {node.name!r} ({node.operator.subject}) with {given}"
