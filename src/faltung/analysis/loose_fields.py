"""Receptive fields as they are often computed, beside the exact ones; along the first axis."""

from __future__ import annotations

from collections.abc import Iterator

from faltung import ops
from faltung.analysis.receptive_field import Field, receptive_fields
from faltung.geometry import AxisWindow
from faltung.graph import Graph, Node
from faltung.ops.operator import Everything


def windows(graph: Graph) -> Iterator[tuple[Node, AxisWindow]]:
    """Yield each convolution and pooling of a graph with its window on the first space axis."""
    shapes = graph.shapes()
    for node in graph.nodes:
        operator = node.operator
        in_shapes = [shapes[name] for name in node.inputs]
        if isinstance(operator, ops.Conv):
            yield node, operator.window(in_shapes[0], in_shapes[1]).axes[0]
        elif isinstance(operator, ops.MaxPool | ops.AveragePool):
            yield node, operator.window(in_shapes[0]).axes[0]


def loose_field(graph: Graph) -> int:
    """Return ``1 + Σ (k-1)·stride``, with each layer's own stride: what is often computed.

    >>> from faltung import layers as L
    >>> net = L.sketch(L.Chain(L.Conv(1, 7, stride=2), L.MaxPool(3, 2)), (1, 32, 32))
    >>> loose_field(net), exact_field(net)
    (17, 11)
    """
    return 1 + sum((axis.kernel - 1) * axis.stride for _, axis in windows(graph))


def exact_field(graph: Graph) -> int:
    """Return what one position of the last convolution or pooling sees of the first space axis."""
    *_, (last, _) = windows(graph)
    return _size(receptive_fields(graph)[last.outputs[0]][0])


def stage_ends(graph: Graph) -> list[int]:
    """Return what is seen before each pooling, and after the last one."""
    fields = receptive_fields(graph)
    nodes = [node for node, _ in windows(graph)]
    pools = [i for i, node in enumerate(nodes) if not isinstance(node.operator, ops.Conv)]
    before = [_size(fields[nodes[i - 1].outputs[0]][0]) for i in pools if i]
    return [*before, exact_field(graph)]


def _size(field: Field) -> int:
    return field.input_size if isinstance(field.size, Everything) else field.size
