"""The anti-aliased form of a network: what subsamples blurs first.

Every second value of a map that changes from one position to the next depends on where the counting
starts. Blurred with binomial weights first, neighbours are alike, and it matters less. Source:
Zhang, *Making convolutional networks shift-invariant again* (2019), section 3.
"""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from functools import reduce
from math import comb, prod
from typing import Any

import numpy as np

from faltung import ops
from faltung.errors import GraphError, message
from faltung.geometry import per_axis
from faltung.geometry.padding import Pads
from faltung.graph.graph import Graph, Node
from faltung.graph.shapes import Shapes
from faltung.ops.operator import AbstractOperator, Array, Shape
from faltung.ops.pool import AbstractPool

_FOLLOWS = (
    *(ops.BatchNormalization, ops.Relu, ops.LeakyRelu, ops.PRelu, ops.Clip, ops.Elu, ops.Selu),
    *(ops.Sigmoid, ops.Tanh, ops.HardSwish, ops.HardSigmoid, ops.Mish, ops.Gelu, ops.Identity),
)
"""What is computed before the blur, as its source has it: each value by itself."""


def with_blur_pooling(graph: Graph, taps: int = 3) -> Graph:
    """Return the network in which every stride is taken by a blur instead.

    A convolution or pooling with stride moves by one, and what follows it value by value
    (normalisation, activation) is computed on all its outputs; a depthwise convolution with
    binomial weights, its border reflected, then takes the stride. Shapes and parameters stay the
    same, values do not: a network that was trained has to be trained on.

    Parameters
    ----------
    graph
        Any graph.
    taps
        Weights of the blur along each axis with a stride: 3 for 1, 2, 1.

    Returns
    -------
    Graph
        With the blurs' weights in its state.

    Raises
    ------
    GraphError
        blur B1: taps below 1.

    Examples
    --------
    >>> from faltung.graph.layers import Chain, Conv, MaxPool, Relu, build
    >>> net = build(Chain(Conv(4, 3), Relu(), MaxPool(2)), (1, 10, 10))
    >>> blurred = with_blur_pooling(net)
    >>> [node.name for node in blurred.nodes]
    ['conv1', 'relu1', 'maxpool1', 'maxpool1.blurred']
    >>> blurred.shapes()["maxpool1"] == net.shapes()["maxpool1"]
    True
    """
    if taps < 1:
        raise GraphError(message("blur", "taps must be at least 1", {"taps": taps}, "", "blur B1"))
    shapes = graph.shapes()
    nodes: list[Node] = []
    state: dict[str, Array] = dict(graph.state)
    ends: dict[str, Node] = {}
    for node in graph.nodes:
        stride = stride_of(node.operator, shapes[node.inputs[0]]) if node.inputs else ()
        if prod(stride) > 1:
            operator = without_stride(node.operator, shapes, node)
            last = _end(graph, node)
            ends[last.name] = _blur(last, shapes[last.outputs[0]], stride, taps, state)
            node = replace(node, operator=operator)
        nodes += _ended(node, ends[node.name]) if node.name in ends else [node]
    return dataclasses.replace(graph, nodes=tuple(nodes), state=state)


def stride_of(operator: AbstractOperator, x_shape: Shape) -> tuple[int, ...]:
    """Return the stride along each axis of a convolution or pooling; nothing for others.

    >>> stride_of(ops.MaxPool(2), (1, 3, 8, 8)), stride_of(ops.Relu(), (1, 8))
    ((2, 2), ())
    """
    if isinstance(operator, AbstractPool) and not getattr(operator, "indices", ""):
        return tuple(axis.stride for axis in operator.window(x_shape).axes)
    if isinstance(operator, ops.Conv):
        return per_axis(operator.stride, len(x_shape) - 2, "stride")
    return ()


def without_stride(operator: AbstractOperator, shapes: Shapes, node: Node) -> AbstractOperator:
    """Return a convolution or pooling that moves by one, over all that the strided one reads."""
    changes: dict[str, Any] = {"stride": 1}
    if isinstance(operator, AbstractPool):
        axes = operator.window(shapes[node.inputs[0]]).axes
        if operator.ceil_mode:
            pads: Pads = tuple((axis.pad_lo, axis.pad_hi + axis.overhang) for axis in axes)
            changes |= {"ceil_mode": False, "padding": pads}
    return replace(operator, **changes)


def _end(graph: Graph, node: Node) -> Node:
    """Return the last of the value by value nodes that follow and nobody else reads."""
    while True:
        readers = [n for n in graph.nodes if set(node.outputs).intersection(n.inputs)]
        if len(readers) != 1 or node.outputs[0] in graph.outputs:
            return node
        (after,) = readers
        if not isinstance(after.operator, _FOLLOWS) or after.inputs[0] != node.outputs[0]:
            return node
        node = after


def _blur(
    node: Node, shape: Shape, stride: tuple[int, ...], taps: int, state: dict[str, Array]
) -> Node:
    """Return the blur whose output takes the name of the node's, its weights put into the state."""
    widths = [taps if step > 1 else 1 for step in stride]
    rows = [np.array([comb(k - 1, i) for i in range(k)]) / 2 ** (k - 1) for k in widths]
    kernel = reduce(np.multiply.outer, rows).astype(np.float32)
    channels = int(shape[1])
    name = f"{node.name}.blurred"
    weight = f"{name}.weight"
    state[weight] = np.broadcast_to(kernel, (channels, 1, *kernel.shape)).copy()
    pads = tuple(((k - 1) // 2, k // 2) for k in widths)
    operator = ops.Conv(stride, pads, 1, channels, "reflect")
    return Node(name, operator, (f"{node.outputs[0]}.dense", weight), node.outputs[:1])


def _ended(node: Node, blur: Node) -> list[Node]:
    """Return a node whose output goes by another name, and the blur that takes over the old one."""
    return [replace(node, outputs=(blur.inputs[0], *node.outputs[1:])), blur]
