"""Exactly which positions one output sees, layer by layer: the taps of the taps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.errors import GraphError, message
from faltung.geometry.border import source
from faltung.graph import Graph, Node
from faltung.graph.graph import producers
from faltung.graph.shapes import Shapes
from faltung.ops.operator import Shape, Taps, integers

Mask = NDArray[np.bool_]


def seen(
    graph: Graph,
    value: str,
    position: Sequence[int],
    input_shape: Sequence[int] | None = None,
) -> dict[str, Mask]:
    """Return which positions of every value on the way one position of a value depends on.

    Where spans give the smallest box, this enumerates taps: dilation leaves holes, and what
    branches see is united without what lies between. It takes time for each tap, so it is for
    images of tens of pixels.

    Parameters
    ----------
    graph
        Any graph whose sizes are known, but for the batch.
    value
        What a node computes.
    position
        ``(channel, *space)``, or ``(feature,)``.
    input_shape
        ``(N, C, *space)`` of the first input, if not the declared one.

    Returns
    -------
    dict of str to bool arrays
        By name, without the batch axis: inputs of the graph, ``value`` itself, and the values
        between them.

    Raises
    ------
    GraphError
        seen S1: no node computes such a value. seen S2: it has no such position.

    Examples
    --------
    >>> from faltung.graph import layers as L
    >>> net = L.build(L.Chain(L.Conv(1, 3, dilation=2), L.Conv(1, 2)), (1, 7))
    >>> masks = seen(net, "conv2", (0, 0))
    >>> masks["conv1"].astype(int).tolist(), masks["x"].astype(int).tolist()
    ([[1, 1, 0]], [[1, 1, 1, 1, 1, 1, 0]])
    """
    graph = _single(graph, input_shape)
    shapes = graph.shapes()
    at = _checked(graph, shapes, value, position)
    masks: dict[str, NDArray[Any]] = {value: np.zeros(_sizes(shapes, value), bool)}
    masks[value][at] = True
    made = producers(graph.nodes)
    last = graph.nodes.index(made[value])
    for node in reversed(graph.nodes[: last + 1]):
        for output, name in enumerate(node.outputs):
            if name in masks:
                _mark(graph, node, output, masks, shapes)
    return {name: mask[0] for name, mask in masks.items()}


def _single(graph: Graph, input_shape: Sequence[int] | None) -> Graph:
    """The same network for a batch of one."""
    first = graph.inputs[0]
    wanted: dict[str, Shape] = {v.name: v.shape for v in graph.inputs}
    if input_shape is not None:
        wanted[first.name] = tuple(input_shape)
    return graph.with_input_shape({name: (1, *shape[1:]) for name, shape in wanted.items()})


def _checked(graph: Graph, shapes: Shapes, value: str, position: Sequence[int]) -> tuple[int, ...]:
    """The position with its batch axis."""
    if value not in producers(graph.nodes):
        names = [node.outputs[0] for node in graph.nodes]
        rule, got = "a node must compute the value", {"value": value, "values": names}
        raise GraphError(message("seen", rule, got, "", "seen S1"))
    at, sizes = (0, *position), _sizes(shapes, value)
    if len(at) != len(sizes) or not all(0 <= o < n for o, n in zip(at, sizes, strict=True)):
        asked: dict[str, object] = {"position": tuple(position), "shape": sizes[1:]}
        rule = f"{value} must have the position"
        raise GraphError(message("seen", rule, asked, "", "seen S2"))
    return at


def _sizes(shapes: Shapes, name: str) -> tuple[int, ...]:
    return integers(shapes[name], "seen")


def _mark(
    graph: Graph, node: Node, output: int, masks: dict[str, NDArray[Any]], shapes: Shapes
) -> None:
    """Mark the taps of every marked position of one output."""
    in_shapes = [shapes[name] for name in node.inputs]
    known = {*graph.params, *graph.state}
    done: set[tuple[int, Taps]] = set()
    for index in np.argwhere(masks[node.outputs[output]]).tolist():
        for i, taps in enumerate(node.operator.taps(in_shapes, tuple(index), output)):
            name = node.inputs[i]
            if name in known or (i, taps) in done:
                continue
            done.add((i, taps))
            sizes = _sizes(shapes, name)
            mask = masks.setdefault(name, np.zeros(sizes, bool))
            mask[np.ix_(*_inside(node.operator.padding_mode, taps, sizes))] = True


def _inside(mode: str, taps: Taps, sizes: Sequence[int]) -> list[list[int]]:
    """Positions of an input that taps stand for; none on padding with zeros."""
    places = ((source(mode, t, n) for t in axis) for axis, n in zip(taps, sizes, strict=True))
    return [[p for p in axis if p is not None] for axis in places]
