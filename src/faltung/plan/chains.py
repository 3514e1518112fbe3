"""Chains: nodes that compute number by number, as one stage.

A node joins the chain of its only readers, if its value has the shape of theirs and is no output of
the network: what lies between two nodes is then never stored.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np

from faltung import ops
from faltung.graph.graph import Graph, Node
from faltung.kernels import memory
from faltung.kernels.chain import LOADS, Step
from faltung.ops.operator import Array, Shape
from faltung.plan.stages import Stage, activation_of

FUNCTIONS: Final = {
    "Add": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Div": "div",
    "Max": "max",
    "Min": "min",
    "PRelu": "prelu",
    "Neg": "neg",
    "Abs": "abs",
    "Sqrt": "sqrt",
    "Exp": "exp",
    "Sigmoid": "logistic",
    "Tanh": "tanh",
}
"""Steps of `faltung.kernels.chain` by operator: of one value, or of two at a time."""
ALONE: Final = ("neg", "abs", "sqrt", "exp", "logistic", "tanh")
"""Those of one value."""
NODES: Final = 24
"""Nodes of one chain at most."""


POWERS: Final = {2.0: "square", 0.5: "sqrt", 1.0: ""}
"""Steps by the exponent."""


def is_link(node: Node, known: Mapping[str, Array]) -> bool:
    """Whether a node can be part of a chain, in a network of these params and states."""
    operator = node.operator
    if isinstance(operator, ops.Pow):
        exponent = known.get(node.inputs[1])
        return exponent is not None and exponent.size == 1 and float(exponent.flat[0]) in POWERS
    if isinstance(operator, ops.BatchNormalization):
        return not operator.training_mode and all(name in known for name in node.inputs[1:])
    name = operator.onnx_type
    return bool(activation_of(node)) or name == "Sum" or name in FUNCTIONS


def chained(graph: Graph, order: Sequence[Stage], shapes: Mapping[str, Shape]) -> list[Stage]:
    """Return stages with chains for the nodes that can be part of one.

    Parameters
    ----------
    graph
        The network.
    order
        Its stages.
    shapes
        Of all values.
    """
    readers: dict[str, set[str]] = defaultdict(set)
    for stage in order:
        for name in stage.inputs:
            readers[name].add(stage.output)
    for name in graph.outputs:
        readers[name].add("")
    known = {**graph.params, **graph.state}
    links = {s.output: s for s in order if len(s.nodes) == 1 and is_link(s.main, known)}
    place = {node.outputs[0]: at for at, node in enumerate(graph.nodes)}
    found: list[Stage] = []
    taken: set[str] = set()
    for stage in reversed(order):
        if stage.output in taken:
            continue
        if stage.output not in links:
            found.append(stage)
            continue
        chain = _chain(stage, links, readers, shapes)
        taken.update(chain)
        nodes = sorted((links[name].main for name in chain), key=lambda n: place[n.outputs[0]])
        found.append(replace(stage, nodes=tuple(nodes)))
    return found[::-1]


def _chain(
    last: Stage,
    links: Mapping[str, Stage],
    readers: Mapping[str, set[str]],
    shapes: Mapping[str, Shape],
) -> set[str]:
    """Return the outputs of the stages that end in one, as one chain."""
    chain, waiting = {last.output}, list(last.inputs)
    while waiting:
        name = waiting.pop()
        fits = name in links and shapes[name] == shapes[last.output]
        if not fits or name in chain or not readers[name] <= chain or len(chain) == NODES:
            continue
        more = chain | {name}
        if _loads(more, links) <= LOADS:
            chain = more
            # What this one reads may have waited for it: all its readers may be here now.
            waiting += [n for each in chain for n in links[each].inputs]
    return chain


def _loads(chain: set[str], links: Mapping[str, Stage]) -> int:
    """Return how many arrays a chain reads; of a normalisation three, whatever it is given."""
    inputs: set[str] = set()
    for name in chain:
        node = links[name].main
        is_norm = isinstance(node.operator, ops.BatchNormalization)
        inputs.update(node.inputs[:4] if is_norm else node.inputs)
    return len(inputs - chain)


class Written(NamedTuple):
    """A chain as `faltung.kernels.chain_call.chain` takes it."""

    steps: tuple[Step, ...]
    arrays: tuple[Array, ...]


def written(stage: Stage, arrays: Mapping[str, Array]) -> Written:
    """Write a chain's nodes down as steps.

    Parameters
    ----------
    stage
        All its nodes are links.
    arrays
        What is read, by name.
    """
    pen = _Pen(arrays, arrays[stage.output].ndim)
    for node in stage.nodes:
        pen.write(node)
    return Written(tuple(pen.steps), tuple(pen.arrays))


class _Pen:
    """Writes steps down, node by node."""

    def __init__(self, known: Mapping[str, Array], rank: int) -> None:
        self.known, self.rank = known, rank
        self.steps: list[Step] = []
        self.arrays: list[Array] = []
        self.made: dict[str, int] = {}

    def step(self, *step: object) -> int:
        self.steps.append(step)
        return len(self.steps) - 1

    def load(self, array: Array) -> int:
        self.arrays.append(array)
        return self.step("load", len(self.arrays) - 1)

    def of(self, name: str) -> int:
        if name not in self.made:
            self.made[name] = self.load(self.known[name])
        return self.made[name]

    def write(self, node: Node) -> None:
        self.made[node.outputs[0]] = self._result(node)

    def _result(self, node: Node) -> int:
        if isinstance(node.operator, ops.BatchNormalization):
            return self._normalised(node, node.operator.epsilon)
        if isinstance(node.operator, ops.Pow):
            power = POWERS[float(self.known[node.inputs[1]].flat[0])]
            first = self.of(node.inputs[0])
            return self.step(power, first) if power else first
        first, *others = (self.of(name) for name in node.inputs)
        activation = activation_of(node)
        if activation:
            return self.step(activation[0], first, *activation[1:])
        name = FUNCTIONS.get(node.operator.onnx_type, "add")
        if len(node.inputs) == 1:
            return self.step(name, first) if name in ALONE else first
        for other in others:
            first = self.step(name, first, other)
        return first

    def _normalised(self, node: Node, epsilon: float) -> int:
        scale, bias, mean, var = (self.known[name] for name in node.inputs[1:])
        slope = scale / np.sqrt(var.astype(np.float64) + epsilon)
        at = self.of(node.inputs[0])
        for name, array in (("sub", mean), ("mul", slope), ("add", bias)):
            column = array.astype(mean.dtype).reshape(-1, *(1,) * (self.rank - 2))
            at = self.step(name, at, self.load(memory.constant(column)))
        return at
