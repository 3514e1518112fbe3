"""The layers of a network as a page draws them: names, sizes, and where each takes its values from.

A layer's values are shown as maps, (maps, rows, columns): a vector is one map of one row. Layer 0
is the image that goes in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from faltung import ops
from faltung.errors import ExplorerError, message
from faltung.graph import Graph, Node
from faltung.ops.operator import Shape

MapShape = tuple[int, int, int]
LARGEST_SIDE: Final = 1024
"""Of the images of a network that is shown."""
INPUT: Final = {"name": "input", "operator": "Input", "words": "the pixels as they go in"}


def layer_records(graph: Graph) -> list[dict[str, Any]]:
    """Return, for the input and each layer that has maps, what a page needs to draw it.

    Parameters
    ----------
    graph
        A network of one image; its batch may be open.
    """
    graph = for_one_image(graph)
    shapes = graph.shapes()
    source = graph.inputs[0]
    records = [{**INPUT, "shape": list(map_shape(source.shape)), "from": []}]
    places = {source.name: 0}
    for node in graph.nodes:
        shape = shapes[node.outputs[0]]
        if not is_shown(shape):
            continue
        earlier = [places[name] for name in node.inputs if name in places]
        record = {"name": node.name, "operator": node.operator.onnx_type, "from": earlier}
        words = _words(node, [shapes[name] for name in node.inputs if name])
        details = _details(node, [shapes[name] for name in node.inputs if name])
        records.append({**record, "words": words, "shape": list(map_shape(shape)), **details})
        places[node.outputs[0]] = len(records) - 1
    return records


def shown_nodes(graph: Graph) -> list[Node]:
    """Return the layers that `layer_records` has after the input, for one image."""
    shapes = for_one_image(graph).shapes()
    return [node for node in graph.nodes if is_shown(shapes[node.outputs[0]])]


def for_one_image(graph: Graph) -> Graph:
    """Return the network for one image of its own size.

    Raises
    ------
    ExplorerError
        It does not take one image of 1 or 3 channels and of a known size.
    """
    shape = graph.inputs[0].shape if len(graph.inputs) == 1 else ()
    sizes = [n for n in shape[1:] if isinstance(n, int)]
    if len(shape) != 4 or len(sizes) != 3 or sizes[0] not in (1, 3) or min(sizes[1:]) < 1:
        rule = "it must take one image (N, C, H, W) of 1 or 3 channels and a size of its own"
        values = {"inputs": [value.shape for value in graph.inputs]}
        raise ExplorerError(message("network", rule, values, "Choose another model"))
    if max(sizes) > LARGEST_SIDE or shape[0] == 0:
        rule = f"its images must have sides of at most {LARGEST_SIDE}"
        raise ExplorerError(message("network", rule, {"input": shape}, "Choose another model"))
    return graph.with_input_shape((1, *shape[1:]))


def is_shown(shape: Shape) -> bool:
    """Whether values of this shape are one image's maps."""
    sized = all(isinstance(n, int) for n in shape)
    return sized and 2 <= len(shape) <= 4 and shape[0] == 1 and 0 not in shape


def map_shape(shape: Sequence[Any]) -> MapShape:
    """Return maps, rows and columns of values (1, C, H, W), (1, C, W) or (1, F).

    >>> map_shape((1, 10)), map_shape((1, 8, 5)), map_shape((1, 8, 5, 4))
    ((1, 1, 10), (8, 1, 5), (8, 5, 4))
    """
    if len(shape) == 2:
        return 1, 1, shape[1]
    return shape[1], shape[2] if len(shape) == 4 else 1, shape[-1]


def index_of(shape: Sequence[Any], at: MapShape) -> tuple[int, ...]:
    """Return the index of a map's cell in values of a shape.

    >>> index_of((1, 10), (0, 0, 7)), index_of((1, 8, 5, 4), (3, 2, 1))
    ((0, 7), (0, 3, 2, 1))
    """
    c, y, x = at
    return {2: (0, x), 3: (0, c, x), 4: (0, c, y, x)}[len(shape)]


def cell_of(index: Sequence[int]) -> MapShape:
    """Return the map's cell of an index.

    >>> cell_of((0, 7)), cell_of((0, 3, 2, 1))
    ((0, 0, 7), (3, 2, 1))
    """
    if len(index) == 2:
        return 0, 0, index[1]
    return index[1], index[2] if len(index) == 4 else 0, index[-1]


def _words(node: Node, shapes: Sequence[Shape]) -> str:
    """Say in a few words what a layer does."""
    operator = node.operator
    if isinstance(operator, (ops.Conv, ops.ConvTranspose)):
        kernel = "×".join(str(n) for n in shapes[1][2:])
        groups = f", {operator.groups} groups" if operator.groups > 1 else ""
        return f"{operator.onnx_type} {kernel}{_stride(operator.stride)}{groups}"
    if isinstance(operator, (ops.MaxPool, ops.AveragePool)):
        sides = "×".join(str(axis.kernel) for axis in operator.window(shapes[0]).axes)
        return f"{operator.onnx_type} {sides}"
    if isinstance(operator, ops.Gemm):
        return f"Dense, {math.prod(n for n in shapes[1] if isinstance(n, int)):,} weights"
    return operator.onnx_type


def _stride(stride: Any) -> str:
    steps = [stride] if isinstance(stride, int) else list(stride)
    return "" if set(steps) == {1} else f" stride {'×'.join(str(n) for n in dict.fromkeys(steps))}"


def _details(node: Node, shapes: Sequence[Shape]) -> dict[str, Any]:
    """Return what the page's own arithmetic needs of the layers that it knows."""
    operator = node.operator
    if isinstance(operator, ops.Conv):
        axes, groups = operator.window(shapes[0], shapes[1]).axes, operator.groups
        return {"axes": [_axis(a) for a in axes], "groups": groups, "weights": node.inputs[1:]}
    if isinstance(operator, ops.MaxPool):
        return {"axes": [_axis(axis) for axis in operator.window(shapes[0]).axes]}
    if isinstance(operator, (ops.Gemm, ops.Sub, ops.Div)):
        return {"weights": node.inputs[1:]}
    return {}


def _axis(axis: Any) -> dict[str, int]:
    names = ("size", "kernel", "stride", "dilation")
    pads = {"lo": axis.pad_lo, "hi": axis.pad_hi}
    return {**{name: getattr(axis, name) for name in names}, **pads}
