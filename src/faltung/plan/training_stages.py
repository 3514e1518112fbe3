"""Which nodes train as one: an operator, an addition to its output, and the ReLU behind it.

The mask of a ReLU is its own output, so what lies between is never stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from faltung import ops
from faltung.graph.graph import Graph, Node
from faltung.ops.operator import Shape
from faltung.plan.stages import Stage

ADDING: Final = (ops.BatchNormalization, ops.Conv)
"""Operators whose kernels add another value; of two that could, a normalisation does."""
CUTTING: Final = (*ADDING, ops.Gemm, ops.Add)
"""Operators whose kernels cut off what is below 0."""
RELU: Final = ("relu", 0.0, 0.0)


def training_stages(graph: Graph, shapes: Mapping[str, Shape]) -> list[Stage]:
    """Return a graph's nodes as stages, in an order that can be computed.

    Parameters
    ----------
    graph
        Any graph.
    shapes
        Of all its values.

    Examples
    --------
    >>> from faltung.graph.layers import BatchNorm, Chain, Conv, Relu, Residual, build
    >>> body = Chain(Conv(2, 3, padding=1), BatchNorm())
    >>> net = build(Chain(Residual(body), Relu()), (2, 8, 8))
    >>> [stage.name for stage in training_stages(net, net.shapes())]
    ['conv1', 'norm1 + add1 + relu1']
    """
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    readers.update(graph.outputs)
    made: dict[str, Stage] = {}  # by output, in the order in which they run
    for node in graph.nodes:
        before = _absorbing(node, made, readers, shapes)
        stage = Stage((node,), node.outputs[0])
        if before is not None:
            del made[before.output]
            stage = _with(before, node)
        made[stage.output] = stage
    return list(made.values())


def _absorbing(
    node: Node, made: Mapping[str, Stage], readers: Counter[str], shapes: Mapping[str, Shape]
) -> Stage | None:
    """Return the stage that a node can be part of; None where it has to be one of its own."""
    is_sum = isinstance(node.operator, ops.Add)
    if not is_sum and type(node.operator) is not ops.Relu:
        return None
    found = [made[name] for name in reversed(list(made)) if name in node.inputs]
    for kind in ADDING if is_sum else CUTTING:
        for stage in found:
            is_open = readers[stage.output] == 1 and not stage.activation[0]
            fits = all(shapes.get(n) == shapes[stage.output] for n in node.inputs)
            is_free = is_open and fits and not (is_sum and stage.residual)
            if is_free and isinstance(stage.main.operator, kind):
                return stage
    return None


def _with(stage: Stage, node: Node) -> Stage:
    more = replace(stage, nodes=(*stage.nodes, node), output=node.outputs[0])
    if not isinstance(node.operator, ops.Add):
        return replace(more, activation=RELU)
    other = node.inputs[1] if node.inputs[0] == stage.output else node.inputs[0]
    return replace(more, residual=other)


def apart(stage: Stage) -> list[Stage]:
    """Return a stage's nodes as stages of their own."""
    return [Stage((node,), node.outputs[0]) for node in stage.nodes]
