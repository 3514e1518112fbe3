"""Other nodes for the same values, where kernels are faster for them.

- A transposed convolution whose copies of the kernel lie side by side is a convolution of single
  pixels that makes one channel for each tap, whose channels are then woven into a larger image: of
  few output channels, which would fill no vector.
- ``x clip(x + 3, 0, 6) / 6``, spelled in four nodes, is HardSwish.
- Padding below 0 is a node of its own before a convolution, as in files.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Final

import numpy as np

from faltung import ops
from faltung.geometry.padding import explicit_padding
from faltung.graph.graph import Graph, Node
from faltung.ops.operator import Array

FEW: Final = 8
"""Output channels of which a vector would be half empty."""


def rewritten(graph: Graph) -> Graph:
    """Return a graph of the same values, with nodes that kernels are faster for.

    Parameters
    ----------
    graph
        Any graph.
    """
    return _with_weaving(_with_cropping(_with_hard_swish(graph)))


def _with_cropping(graph: Graph) -> Graph:
    arrays: Mapping[str, Array] = {**graph.params, **graph.state}
    nodes: list[Node] = []
    for node in graph.nodes:
        operator = node.operator
        if isinstance(operator, ops.Conv) and _crops(operator) and node.inputs[1] in arrays:
            x, *others = node.inputs
            padded, axes = f"{x}.cropped for {node.name}", arrays[node.inputs[1]].ndim - 2
            pads = explicit_padding(operator.padding, *((1,) * axes for _ in range(4)))
            pad = ops.Pad(((0, 0), (0, 0), *pads), operator.padding_mode)
            nodes.append(Node(f"{node.name}.crop", pad, (x,), (padded,)))
            operator = dataclasses.replace(operator, padding=0)
            node = dataclasses.replace(node, operator=operator, inputs=(padded, *others))
        nodes.append(node)
    return dataclasses.replace(graph, nodes=tuple(nodes))


def _crops(operator: ops.Conv) -> bool:
    amounts = operator.padding
    return not isinstance(amounts, str) and bool((np.asarray(amounts) < 0).any())


def _with_weaving(graph: Graph) -> Graph:
    arrays: dict[str, Array] = {**graph.params, **graph.state}
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes += _woven(node, arrays) if _lies_side_by_side(node, arrays) else [node]
    added = {name: array for name, array in arrays.items() if name not in graph.params}
    return dataclasses.replace(graph, nodes=tuple(nodes), state=added)


def _lies_side_by_side(node: Node, arrays: Mapping[str, Array]) -> bool:
    operator = node.operator
    if not isinstance(operator, ops.ConvTranspose) or any(n not in arrays for n in node.inputs[1:]):
        return False
    shape = arrays[node.inputs[1]].shape
    if len(shape) != 4:
        return False
    image = (1, shape[0], 4, 4)
    window = operator.window(image, shape).adjoint
    return (
        window.groups == 1
        and shape[1] <= FEW
        and window.kernel == window.stride == (2, 2)
        and all(axis.pad_lo == axis.pad_hi == 0 for axis in window.axes)
        and operator.out_shapes([image, shape])[0][2:] == (8, 8)
    )


def _woven(node: Node, arrays: dict[str, Array]) -> list[Node]:
    w = arrays[node.inputs[1]]  # (I, O, 2, 2)
    name = node.outputs[0]
    arrays[f"{name}.woven.w"] = np.ascontiguousarray(w.reshape(w.shape[0], -1).T)[:, :, None, None]
    inputs = [node.inputs[0], f"{name}.woven.w"]
    if len(node.inputs) > 2:
        arrays[f"{name}.woven.b"] = arrays[node.inputs[2]].repeat(4)
        inputs.append(f"{name}.woven.b")
    parts = f"{name}.parts"
    return [
        Node(node.name, ops.Conv(), tuple(inputs), (parts,)),
        Node(f"{node.name}.weave", ops.DepthToSpace(2, "CRD"), (parts,), node.outputs),
    ]


def _with_hard_swish(graph: Graph) -> Graph:
    made = {name: node for node in graph.nodes for name in node.outputs}
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    readers.update(graph.outputs)
    arrays: Mapping[str, Array] = {**graph.params, **graph.state}
    gone: set[str] = set()
    nodes: dict[str, Node] = {}
    for node in graph.nodes:
        found = _hard_swish(node, made, readers, arrays)
        nodes[node.outputs[0]] = node
        if found is not None:
            x, between = found
            gone.update(between)
            nodes[node.outputs[0]] = Node(node.name, ops.HardSwish(), (x,), node.outputs)
    kept = tuple(node for name, node in nodes.items() if name not in gone)
    return dataclasses.replace(graph, nodes=kept)


def _hard_swish(
    node: Node, made: Mapping[str, Node], readers: Counter[str], arrays: Mapping[str, Array]
) -> tuple[str, list[str]] | None:
    """Return what goes in and the values between, of four nodes that the last of is given."""
    between: list[str] = []

    def before(name: str, kind: type) -> Node | None:
        found = made.get(name)
        if found is None or not isinstance(found.operator, kind) or readers[name] != 1:
            return None
        between.append(name)
        return found

    if not isinstance(node.operator, ops.Div) or not _is_number(node.inputs[1], 6.0, arrays):
        return None
    product = before(node.inputs[0], ops.Mul)
    if product is None:
        return None
    for x, gate in (product.inputs, product.inputs[::-1]):
        clip = before(gate, ops.Clip)
        if clip is None or (clip.operator.low, clip.operator.high) != (0.0, 6.0):  # type: ignore[attr-defined]
            continue
        shifted = before(clip.inputs[0], ops.Add)
        if shifted is not None and shifted.inputs[0] == x:
            return (x, between) if _is_number(shifted.inputs[1], 3.0, arrays) else None
    return None


def _is_number(name: str, number: float, arrays: Mapping[str, Array]) -> bool:
    return name in arrays and arrays[name].size == 1 and float(arrays[name].reshape(())) == number
