"""The same network on a ring: what it reads beyond one border stands at the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import replace

from faltung import ops
from faltung.geometry import AxisWindow
from faltung.geometry.padding import Pads
from faltung.graph.graph import Graph, Node
from faltung.graph.shapes import Shapes
from faltung.ops.operator import Shape
from faltung.ops.pool import AbstractPool


def with_circular_padding(graph: Graph) -> Graph:
    """Return the network whose windows go on at the other end of an axis.

    Each output keeps its own taps; those outside the map are taken from its other end, whatever
    stood there before (zeros, reflections). Windows without padding get as much at their end as
    makes one output for each step of the stride, so that a map on a ring stays one. Sizes must be
    multiples of the strides for that.

    Parameters
    ----------
    graph
        Any graph whose shapes are known; convolution, transposed convolution, pooling and Pad are
        changed, others are left as they are.

    Returns
    -------
    Graph

    Examples
    --------
    >>> import numpy as np
    >>> from faltung.graph.layers import Conv, build
    >>> ring = with_circular_padding(build(Conv(2, 3, padding=1), (1, 8)))
    >>> x = np.random.default_rng(0).normal(size=(1, 1, 8))
    >>> bool(np.array_equal(ring(np.roll(x, 3, 2)), np.roll(ring(x), 3, 2)))
    True
    """
    shapes: dict[str, Shape] = {v.name: tuple(v.shape) for v in graph.inputs}
    for arrays in (graph.params, graph.state):
        shapes.update({name: array.shape for name, array in arrays.items()})
    pads = _pads_of_windows(graph)
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.outputs[0] in pads:
            continue
        before = pads.get(node.inputs[0]) if node.inputs else None
        unpadded = node if before is None else _reading(node, before.inputs[0])
        # Sizes may differ from the graph's own: each node is told those that come.
        for each in _wrapped(unpadded, shapes, _amounts(before)):
            outs = each.operator.out_shapes([shapes[name] for name in each.inputs])
            shapes.update(zip(each.outputs, outs, strict=True))
            nodes.append(each)
    return dataclasses.replace(graph, nodes=tuple(nodes))


def is_on_ring(graph: Graph) -> bool:
    """Whether a graph pads circularly already, and gives each map one position for each step.

    Parameters
    ----------
    graph
        Any graph whose shapes are known.

    Examples
    --------
    >>> from faltung.graph.layers import Conv, build
    >>> is_on_ring(build(Conv(1, 3, padding=1, padding_mode="circular"), (1, 8)))
    True
    >>> is_on_ring(build(Conv(1, 3), (1, 8)))
    False
    """
    shapes, pads = graph.shapes(), _pads_of_windows(graph)
    return all(
        _is_wrapped(node, shapes, pads.get(node.inputs[0]) if node.inputs else None)
        for node in graph.nodes
        if node.outputs[0] not in pads
    )


def _pads_of_windows(graph: Graph) -> Mapping[str, Node]:
    """Return, by output, the Pads that only windows read: they are the windows' own padding."""
    found = {}
    for node in graph.nodes:
        out = node.outputs[0]
        if isinstance(node.operator, ops.Pad) and out not in graph.outputs:
            readers = [n for n in graph.nodes if out in n.inputs]
            of_space = not any(map(any, node.operator.pads[:2]))
            if of_space and all(isinstance(n.operator, (ops.Conv, AbstractPool)) for n in readers):
                found[out] = node
    return found


def _amounts(pad: Node | None) -> Pads:
    return pad.operator.pads[2:] if pad is not None and isinstance(pad.operator, ops.Pad) else ()


def _reading(node: Node, source: str) -> Node:
    return replace(node, inputs=(source, *node.inputs[1:]))


def _wrapped(node: Node, shapes: Shapes, more: Pads) -> list[Node]:
    operator, in_shapes = node.operator, [shapes[name] for name in node.inputs]
    if isinstance(operator, ops.Conv):
        pads = _ring(operator.window(in_shapes[0], in_shapes[1]).axes, more)
        return [replace(node, operator=replace(operator, padding=pads, padding_mode="circular"))]
    if isinstance(operator, AbstractPool):
        pads = _ring(operator.window(in_shapes[0]).axes, more)
        bare = replace(operator, padding=0, ceil_mode=False)
        return _behind_pad(replace(node, operator=bare), pads)
    if isinstance(operator, ops.ConvTranspose):
        return _transposed(node, operator, in_shapes)
    if isinstance(operator, ops.Pad):
        return [replace(node, operator=replace(operator, mode="circular"))]
    return [node]


def _ring(axes: tuple[AxisWindow, ...], more: Pads = ()) -> Pads:
    """Return the padding with which a window has one output for each step of its stride."""
    before = [lo for lo, _ in more] or [0] * len(axes)
    starts = [axis.pad_lo + lo for axis, lo in zip(axes, before, strict=True)]
    return tuple(
        (lo, max(axis.extent - axis.stride - lo, 0)) for axis, lo in zip(axes, starts, strict=True)
    )


def _behind_pad(node: Node, pads: Pads) -> list[Node]:
    if not any(map(any, pads)):
        return [node]
    padded = f"{node.outputs[0]}.ring"
    operator = ops.Pad(((0, 0), (0, 0), *pads), "circular")
    before = Node(f"{node.name}.ring", operator, node.inputs[:1], (padded,))
    return [before, _reading(node, padded)]


def _transposed(node: Node, operator: ops.ConvTranspose, in_shapes: list[Shape]) -> list[Node]:
    """Lay copies of both ends around the input, and crop what they add beyond the ring."""
    axes = operator.window(in_shapes[0], in_shapes[1]).axes
    copies = [-(-a.adjoint.extent // a.stride) for a in axes]
    cropped = tuple(
        (a.pad_lo + p * a.stride, (p - 1) * a.stride + a.adjoint.extent - a.pad_lo)
        for a, p in zip(axes, copies, strict=True)
    )
    bare = replace(operator, padding=cropped, output_padding=0)
    return _behind_pad(replace(node, operator=bare), tuple((p, p) for p in copies))


def _is_wrapped(node: Node, shapes: Shapes, pad: Node | None) -> bool:
    operator, in_shapes = node.operator, [shapes[name] for name in node.inputs]
    if isinstance(operator, ops.Conv):
        axes = operator.window(in_shapes[0], in_shapes[1]).axes
        mode = operator.padding_mode
    elif isinstance(operator, AbstractPool):
        axes, mode = operator.window(in_shapes[0]).axes, "zeros"
    else:
        return not isinstance(operator, (ops.Pad, ops.ConvTranspose, ops.Resize))
    own = tuple((axis.pad_lo, axis.pad_hi + axis.overhang) for axis in axes)
    more = _amounts(pad) or ((0, 0),) * len(axes)
    modes = {mode} if any(map(any, own)) else set()
    if pad is not None and any(map(any, more)):
        modes.add(pad.operator.padding_mode)
    pads = tuple((a + c, b + d) for (a, b), (c, d) in zip(own, more, strict=True))
    return modes <= {"circular"} and pads == _ring(axes, more)
