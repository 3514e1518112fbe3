"""Which nodes run as one: an operator, and what is done to its output before it is stored.

A convolution followed by the addition of another value and by an activation is one stage, if
nobody else reads what lies between: it runs where the last of its nodes stands, when everything it
reads is there. What is computed number by number becomes one chain, from the last node back to
everything that only the chain reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from faltung import ops
from faltung.graph.graph import Graph, Node
from faltung.ops.operator import Array, Shape

ADDS: Final = (ops.Conv, ops.ConvTranspose)
"""Operators whose kernels can add another value to an output, and activate it."""
FUSES: Final = (*ADDS, ops.Gemm)
"""Operators whose kernels can activate an output."""


@dataclass(frozen=True)
class Stage:
    """Nodes that run as one.

    Parameters
    ----------
    nodes
        In their order; the first is the one whose operator is lowered.
    output
        The value that the last one writes.
    activation
        Name, low and high, as `kernels.epilogue.Epilogue` has them.
    residual
        The value that is added; empty for none.
    """

    nodes: tuple[Node, ...]
    output: str
    activation: tuple[str, float, float] = ("", 0.0, 0.0)
    residual: str = ""

    @property
    def main(self) -> Node:
        """The node whose operator is lowered."""
        return self.nodes[0]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Every value that the stage reads."""
        made = {name for node in self.nodes for name in node.outputs}
        read = (name for node in self.nodes for name in node.inputs)
        return tuple(dict.fromkeys(name for name in read if name not in made))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Every value that the stage writes."""
        return (self.output, *self.nodes[-1].outputs[1:])

    @property
    def name(self) -> str:
        """The names of its nodes."""
        return " + ".join(node.name for node in self.nodes)


def stages(graph: Graph, shapes: Mapping[str, Shape]) -> list[Stage]:
    """Return a graph's nodes as stages, in an order that can be computed.

    Parameters
    ----------
    graph
        Any graph.
    shapes
        Of all its values.

    Examples
    --------
    >>> from faltung.graph.layers import Chain, Conv, Relu, Residual, build
    >>> body = Chain(Conv(2, 3, padding=1), Relu(), Conv(2, 3, padding=1))
    >>> net = build(Chain(Residual(body), Relu()), (2, 8, 8))
    >>> [stage.name for stage in stages(net, net.shapes())]
    ['conv1 + relu1', 'conv2 + add1 + relu2']
    """
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    readers.update(graph.outputs)
    known = {**graph.params, **graph.state}
    made: dict[str, Stage] = {}  # by output, in the order in which they run
    for node in graph.nodes:
        scaled = _scaled(node, made, readers, known)
        if scaled is not None:
            del made[node.inputs[0]]
            made[scaled.output] = scaled
            continue
        before = _absorbing(node, made, readers, shapes)
        if before is None:
            stage = Stage((node,), node.outputs[0])
        else:
            del made[before.output]
            stage = _with(before, node)
        made[stage.output] = stage
    return list(made.values())


def _scaled(
    node: Node, made: Mapping[str, Stage], readers: Counter[str], known: Mapping[str, Array]
) -> Stage | None:
    """Return a stage that ends in a hard swish, with the number that a node scales or shifts by."""
    stage = made.get(node.inputs[0]) if len(node.inputs) == 2 else None
    if stage is None or not isinstance(stage.main.operator, FUSES) or readers[stage.output] != 1:
        return None
    number = known.get(node.inputs[1])
    if number is None or number.size != 1 or number.ndim > 2 or not np.isfinite(number).all():
        return None
    value = float(number.reshape(()))
    (name, scale, shift), swish = stage.activation, "scaled_hard_swish"
    if name == "hard_swish" and isinstance(node.operator, ops.Mul):
        activation = (swish, value, 0.0)
    elif name == swish and shift == 0.0 and isinstance(node.operator, ops.Add):
        activation = (swish, scale, value)
    else:
        return None
    nodes = (*stage.nodes, node)
    return replace(stage, nodes=nodes, output=node.outputs[0], activation=activation)


def _absorbing(
    node: Node, made: Mapping[str, Stage], readers: Counter[str], shapes: Mapping[str, Shape]
) -> Stage | None:
    """Return the stage that a node can be part of; None where it has to be one of its own."""
    is_sum = isinstance(node.operator, (ops.Add, ops.Sum)) and len(node.inputs) == 2
    if not is_sum and not activation_of(node):
        return None
    # Of two that could take a sum the later one does: the other's value is there by then.
    for name in [n for n in reversed(list(made)) if n in node.inputs]:
        stage = made[name]
        kinds = ADDS if is_sum else FUSES
        is_free = isinstance(stage.main.operator, kinds) and readers[name] == 1
        is_plain = stage.activation[0] == "" and (not is_sum or not stage.residual)
        fits = all(shapes[other] == shapes[name] for other in node.inputs)
        if is_free and is_plain and fits:
            return stage
    return None


def _with(stage: Stage, node: Node) -> Stage:
    more = replace(stage, nodes=(*stage.nodes, node), output=node.outputs[0])
    activation = activation_of(node)
    if activation:
        return replace(more, activation=activation)
    other = node.inputs[1] if node.inputs[0] == stage.output else node.inputs[0]
    return replace(more, residual=other)


def activation_of(node: Node) -> tuple[str, float, float] | None:
    """Return a node as an activation that kernels fuse; None where it is none."""
    match node.operator:
        case ops.Relu():
            return ("relu", 0.0, 0.0)
        case ops.LeakyRelu(alpha=alpha):
            return ("leaky_relu", float(alpha), 0.0)
        case ops.Clip(low=low, high=high):
            return ("clip", float(low), float(high))
        case ops.HardSigmoid(alpha=alpha, beta=beta):
            return ("hard_sigmoid", float(alpha), float(beta))
        case ops.HardSwish():
            return ("hard_swish", 0.0, 0.0)
    return None
