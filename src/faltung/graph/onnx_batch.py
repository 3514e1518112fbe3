"""Networks that compute with the size of their batch, read for batches of any size.

Exporters write ``x.view(x.size(0), -1)`` as arithmetic on the shape of x. The model is read for two
sizes of the batch; where the two graphs differ in nothing but Reshapes, Expands and Resizes that
name the batch at its own place, that place keeps the size that comes.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import onnx

from faltung.errors import FaltungError
from faltung.graph.graph import Graph, Node, Value
from faltung.graph.onnx_shapes import Shapes, input_shapes
from faltung.graph.shapes import known_shapes
from faltung.graph.unknown import unknown_nodes
from faltung.ops import Expand, Reshape, Resize
from faltung.ops.operator import AbstractOperator, Array, Shape
from faltung.ops.unknown import Unknown

BATCHES: Final = (7, 11)
"""Sizes of the batch that the model is read for."""


def read_for_any_batch(
    model: onnx.ModelProto,
    shapes: Shapes,
    constants: Mapping[str, Array] | None,
    read: Callable[[Mapping[str, Shape]], Graph],
) -> Graph | None:
    """Return the graph of a model whose batch is open; None where it depends on the batch's size.

    Parameters
    ----------
    model
        What `faltung.graph.onnx_accept.accepted` returned.
    shapes, constants
        As in `faltung.graph.onnx_import.Importer`.
    read
        Reads the model for inputs of given shapes.
    """
    stored = {tensor.name for tensor in model.graph.initializer} | set(constants or {})
    values = [value for value in model.graph.input if value.name not in stored]
    declared = input_shapes(values, shapes)
    batches = {shape[0] for shape in declared.values() if shape and isinstance(shape[0], str)}
    if len(batches) != 1:
        return None
    (batch,) = batches
    try:
        graphs = [read(_filled(declared, str(batch), size)) for size in BATCHES]
        return _joined(graphs[0], graphs[1], declared, str(batch))
    except (FaltungError, MemoryError):  # weights that fit once may not fit twice
        return None


def _filled(shapes: Mapping[str, Shape], name: str, size: int) -> dict[str, Shape]:
    return {k: tuple(size if n == name else n for n in shape) for k, shape in shapes.items()}


def _joined(a: Graph, b: Graph, declared: Mapping[str, Shape], batch: str) -> Graph | None:
    """Return the graph that both are, with the batch left open."""
    if len(a.nodes) != len(b.nodes) or not all(
        _same(getattr(a, kind), getattr(b, kind)) for kind in ("params", "state")
    ):
        return None
    shapes = known_shapes(a)
    nodes = []
    for first, second in zip(a.nodes, b.nodes, strict=True):
        shape = shapes.get(first.inputs[0], ()) if first.inputs else ()
        node = _kept(first, second, shape, batch)
        if node is None:
            return None
        nodes.append(node)
    inputs = tuple(Value(v.name, declared[v.name], v.dtype) for v in a.inputs)
    joined = dataclasses.replace(a, inputs=inputs, nodes=tuple(nodes))
    if not unknown_nodes(joined):
        joined.shapes()
    for graph in (a, b):
        same = joined.with_input_shape({v.name: v.shape for v in graph.inputs})
        if known_shapes(same) != known_shapes(graph):
            return None
    return joined


def _same(a: Mapping[str, Array], b: Mapping[str, Array]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[n], b[n], equal_nan=True) for n in a)


def _kept(first: Node, second: Node, shape: Shape, batch: str) -> Node | None:
    """Return what two nodes are; of sizes that name the batch, one that keeps it in its place."""
    if first == second:
        return first
    a, b = first.operator, second.operator
    if isinstance(a, Unknown) and isinstance(b, Unknown):
        a, b = _open(a, b, batch), _open(b, a, batch)
        first, second = (dataclasses.replace(n, operator=o) for n, o in ((first, a), (second, b)))
        return first if first == second else None
    if dataclasses.replace(first, operator=b) != second:
        return None
    operator = _of_any_batch(a, b, shape)
    return None if operator is None else dataclasses.replace(first, operator=operator)


def _of_any_batch(
    a: AbstractOperator, b: AbstractOperator, shape: Shape
) -> AbstractOperator | None:
    """Return what two operators are whose sizes differ at the batch's place alone."""
    match a, b:
        case Reshape(), Reshape() if not (a.allow_zero or b.allow_zero):
            at = _batch_axes(a.shape, b.shape, shape)
            return (
                Reshape(tuple(0 if i in at else n for i, n in enumerate(a.shape))) if at else None
            )
        case Expand(), Expand():
            before = (0,) * (len(a.shape) - len(shape))  # new axes in front
            at = _batch_axes(a.shape, b.shape, (*before, *shape))
            return Expand(tuple(1 if i in at else n for i, n in enumerate(a.shape))) if at else None
        case Resize(), Resize() if a.axes is None and a.keep_aspect_ratio == "stretch":
            if a.sizes is None or b.sizes is None or a.roi is not None:
                return None
            at = _batch_axes(a.sizes, b.sizes, shape)
            axes = tuple(i for i, _ in enumerate(a.sizes) if i not in (at or ()))
            sizes = tuple(a.sizes[i] for i in axes)
            one, other = (dataclasses.replace(o, axes=axes, sizes=sizes) for o in (a, b))
            return one if at and one == other else None
    return None


def _batch_axes(a: Sequence[int], b: Sequence[int], shape: Shape) -> tuple[int, ...] | None:
    """Return where sizes differ; None unless that is by the batch, at an axis that has it."""
    if len(a) != len(b):
        return None
    at = tuple(i for i, pair in enumerate(zip(a, b, strict=True)) if pair[0] != pair[1])
    fits = all((a[i], b[i]) == BATCHES and i < len(shape) and shape[i] == BATCHES[0] for i in at)
    return at if at and fits else None


def _open(one: Unknown, other: Unknown, batch: str) -> Unknown:
    """Return an unknown operator, the sizes named that are the batch of its reading."""
    return dataclasses.replace(
        one,
        shapes=tuple(map(functools.partial(_named, batch), one.shapes, other.shapes)),
        given=tuple(map(functools.partial(_named, batch), one.given, other.given)),
    )


def _named(batch: str, one: Shape | None, other: Shape | None) -> Shape | None:
    if one is None or other is None or len(one) != len(other):
        return None
    pairs = zip(one, other, strict=True)
    return tuple(batch if set(pair) == set(BATCHES) else pair[0] for pair in pairs)
