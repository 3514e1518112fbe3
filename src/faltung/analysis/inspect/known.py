"""What can be told of a graph's values before it runs: shapes, dtypes, and why not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from faltung.errors import FaltungError
from faltung.graph import Graph, Node
from faltung.graph.shapes import known_shapes
from faltung.graph.unknown import unknown_nodes
from faltung.ops.operator import Shape
from faltung.ops.unknown import Unknown

_FLOAT = np.dtype("float32")


@dataclass(frozen=True)
class Known:
    """A graph with the shapes and dtypes of its values as far as they are known.

    Parameters
    ----------
    graph
        All of it.
    shapes, dtypes
        By value; what nobody can tell is absent.
    reasons
        Why not, by the name of the node that a value comes from.
    """

    graph: Graph
    shapes: Mapping[str, Shape]
    dtypes: Mapping[str, np.dtype[Any]]
    reasons: Mapping[str, str]

    def sizes(self, value: str) -> int | None:
        """Return how many numbers a value holds; None where a size is not known."""
        shape = self.shapes.get(value)
        if shape is None or any(isinstance(n, str) for n in shape):
            return None
        return prod(int(n) for n in shape)

    def bytes(self, value: str) -> int | None:
        """Return how many bytes a value takes; None where that is not known."""
        size = self.sizes(value)
        dtype = self.dtypes.get(value)
        return None if size is None or dtype is None else size * dtype.itemsize

    @cached_property
    def part(self) -> Graph | None:
        """The nodes before anything unknown, up to the values that no other of them reads."""
        if not self.reasons:
            return self.graph
        known = {v.name for v in self.graph.inputs} | {*self.graph.params, *self.graph.state}
        nodes = []
        for node in self.graph.nodes:
            if node.name not in self.reasons and known.issuperset(node.inputs):
                nodes.append(node)
                known.update(node.outputs)
        return _part(self.graph, nodes)


def _part(graph: Graph, nodes: list[Node]) -> Graph | None:
    read = {name for node in nodes for name in node.inputs}
    ends = [name for node in nodes for name in node.outputs]
    outputs = tuple(name for name in ends if name not in read or name in graph.outputs)
    return dataclasses.replace(graph, nodes=tuple(nodes), outputs=outputs) if outputs else None


def known(graph: Graph, *, strict: bool = False) -> Known:
    """Ask each operator in turn what it puts out; where it cannot tell, keep its reason.

    Parameters
    ----------
    graph
        Any graph; the sizes of its inputs should be numbers.
    strict
        Whether an operator that refuses its inputs is an error.
    """
    if strict and not unknown_nodes(graph):
        graph.shapes()
    shapes = known_shapes(graph)
    dtypes = {v.name: np.dtype(v.dtype) for v in graph.inputs}
    dtypes |= {name: array.dtype for name, array in {**graph.params, **graph.state}.items()}
    reasons: dict[str, str] = {}
    for node in graph.nodes:
        kinds = node.operator.out_dtypes([dtypes.get(name, _FLOAT) for name in node.inputs])
        dtypes.update(zip(node.outputs, kinds, strict=False))
        reason = _reason(node, shapes)
        if reason:
            reasons[node.name] = reason
    return Known(graph, shapes, dtypes, reasons)


def _reason(node: Node, shapes: Mapping[str, Shape]) -> str:
    """Say why a node is not known; nothing where it is."""
    if isinstance(node.operator, Unknown):
        return node.operator.reason or "this operator is not supported"
    lacking = [name for name in node.inputs if name not in shapes]
    if lacking:
        return f"reads {lacking[0]!r}, whose shape is not known"
    if all(name in shapes for name in node.outputs):
        return ""
    try:
        node.operator.out_shapes([shapes[name] for name in node.inputs])
    except FaltungError as error:
        return " ".join(str(error).split())
    return "the shape of its outputs is not known"
