"""Inputs on which marks are handed on: whole, or thin, with the channels of a value as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from faltung.graph import Graph, Node
from faltung.ops.operator import AbstractOperator, Array

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Marked:
    """An array of marks, and what kind of numbers it stands for.

    Parameters
    ----------
    mark
        (rows, *shape of one item) where ``batched``, else the shape of an array without a batch.
    dtype
        What the value holds.
    batched
        Whether its first axis is that of the rows.
    values
        The numbers themselves, where these must be the graph's own (indices, say).
    """

    mark: Array
    dtype: np.dtype[Any]
    batched: bool = True
    values: Array | None = None


Inputs = tuple[AbstractOperator, list[Marked]]


def thin_inputs(
    graph: Graph, node: Node, marks: Mapping[str, Marked], *, thin: bool
) -> Iterator[Inputs]:
    """Return inputs for a node, the smallest first; its operator may refuse some of them.

    Parameters
    ----------
    graph, node
        Whose parameters, and what is computed.
    marks
        What is marked in each value that was computed before.
    thin
        Whether values have one channel; parameters are then made to fit.
    """
    if not thin:
        yield node.operator, [_given(graph, name, marks) for name in node.inputs]
        return
    if not fits(node.operator):
        return
    yield (
        _slim(node.operator),
        [_slimmed(graph, node, i, marks, 1) for i in range(len(node.inputs))],
    )
    for channels in _channel_counts(graph, node):
        inputs = [_slimmed(graph, node, i, marks, channels) for i in range(len(node.inputs))]
        yield node.operator, inputs


def fits(operator: AbstractOperator) -> bool:
    """Whether an operator leaves batch and channels where they are, as thin values need."""
    record: Any = operator
    if operator.onnx_type == "Transpose":
        return record.perm is not None and record.perm[:2] == (0, 1)
    return operator.onnx_type not in ("Squeeze", "Unsqueeze", "MatMul", "LayerNormalization")


def _given(graph: Graph, name: str, marks: Mapping[str, Marked]) -> Marked:
    if name in marks:
        return marks[name]
    array = graph.params.get(name, graph.state.get(name))
    assert array is not None
    values = array if array.dtype.kind != "f" else None
    return Marked(np.zeros(array.shape, np.bool_), array.dtype, False, values)


def _slim(operator: AbstractOperator) -> AbstractOperator:
    """One group of channels does what each of many does."""
    record: Any = operator
    if operator.onnx_type in ("Conv", "ConvTranspose"):
        record = replace(record, groups=1)
    if operator.onnx_type == "GroupNormalization":
        record = replace(record, num_groups=1)
    slim: AbstractOperator = record
    return slim


def _channel_counts(graph: Graph, node: Node) -> list[int]:
    """How many channels an operator may want: what its attributes name, or make."""
    record: Any = node.operator
    match node.operator.onnx_type:
        case "DepthToSpace":
            return [int(record.blocksize) ** 2]
        case "Slice":
            named = [abs(n) for n in (*record.starts, *record.ends)]
            return [max((n for n in named if n < 2**20), default=1)]
        case "Split":
            return [sum(record.split)] if record.split else [2 * record.parts]
        case "Reshape":
            return [n for n in record.shape[1:2] if n > 1]
    return []


def _slimmed(
    graph: Graph, node: Node, i: int, marks: Mapping[str, Marked], channels: int
) -> Marked:
    name = node.inputs[i]
    if name in marks:
        marked = marks[name]
        if channels > 1 and marked.mark.ndim > 1 and marked.mark.shape[1] == 1:
            mark = np.repeat(marked.mark, channels, axis=1)
            return replace(marked, mark=mark)
        return marked
    given = _given(graph, name, marks)
    if given.values is not None:
        return given
    data = [marks[n].mark.shape for n in node.inputs if n in marks]
    shape = _parameter(node.operator, i, given.mark.shape, data, channels)
    return replace(given, mark=np.zeros(shape, np.bool_))


def _parameter(operator: Any, i: int, own: Shape, data: Sequence[Shape], channels: int) -> Shape:
    """Return the shape of a parameter that goes with thin values."""
    x = data[0] if data else own
    match operator.onnx_type:
        case "Conv" | "ConvTranspose":
            return (1, 1, *own[2:]) if i == 1 else (1,)
        case "LocallyConnected":
            return tuple(operator.weight_shape(x, 1))
        case "Gemm" if i == 1:
            return (1, x[1]) if operator.trans_b else (x[1], 1)
        case "Gemm":
            return (1,) * len(own)
        case "BatchNormalization" | "InstanceNormalization" | "GroupNormalization":
            return (max(x[1], channels) if x[1] == 1 else x[1],)
    return _aligned(own, max(data, key=len) if data else own, channels)


def _aligned(own: Shape, x: Shape, channels: int) -> Shape:
    """Return what is broadcast over thin values, axis by axis from the last one."""
    found = []
    for back, n in enumerate(reversed(own), 1):
        axis = len(x) - back
        size = x[axis] if axis >= 0 else n
        found.append(1 if n == 1 or axis == 0 else channels if axis == 1 and size == 1 else size)
    return tuple(reversed(found))
