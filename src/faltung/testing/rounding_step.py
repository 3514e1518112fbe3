"""How far rounding may move what a step of training gives: outputs, gradients, statistics.

The step is taken in float64, and beside each number goes a bound on its error: forward by the rules
of `faltung.testing.rounding_rules`, back by those of `faltung.testing.rounding_back`. Statistics of
the batch are values like all others, so their errors, and how gradients run through them, are in
both. Gradients that several readers give are sums in any order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from faltung.graph import Graph, Node
from faltung.graph.gradients import leading_to
from faltung.ops.operator import Array, Key
from faltung.testing.near import Near, changed, exactly, rounded
from faltung.testing.rounding import shared_error, value_after
from faltung.testing.rounding_back import Back, gradients_after
from faltung.testing.rounding_norm import column, scaled_error, standardised


class Step(NamedTuple):
    """What a step gives, by name.

    Parameters
    ----------
    values
        Of the network.
    grads
        Gradients of values and parameters.
    state
        What statistics become.
    """

    values: Mapping[str, Any]
    grads: Mapping[str, Any]
    state: Mapping[str, Any]


NOTHING: Final = Step({}, {}, {})


def step_bounds(
    graph: Graph,
    feeds: Mapping[str, Array],
    douts: Mapping[str, Array],
    key: Key,
    taken: Step = NOTHING,
) -> Step:
    """Return what a step of training gives, and how far rounding may move it.

    Parameters
    ----------
    graph
        In the dtype in which the step is taken; every operator must have a rule for both ways.
    feeds, douts
        Inputs and gradients of the outputs by name, exact.
    key
        Seeds chance.
    taken
        Values and gradients that a runtime got. What follows from them starts from these, without
        an error: bounds do not grow from layer to layer, and it is known on which side of a kink
        the runtime was.

    Returns
    -------
    Step
        Of `Near`.
    """
    walk = _Walk(graph, key, taken)
    walk.forward(feeds)
    walk.back(douts)
    return Step(walk.values, walk.grads, walk.state)


class _Walk:
    """A step, node by node."""

    def __init__(self, graph: Graph, key: Key, taken: Step) -> None:
        self.graph, self.key, self.taken = graph, key, taken
        self.known = {n: exactly(a) for n, a in {**graph.params, **graph.state}.items()}
        self.state = {name: self.known[name] for name in graph.state}
        self.values: dict[str, Near] = {}
        self.grads: dict[str, Near] = {}
        self.done: list[tuple[Node, Sequence[Near], Any]] = []

    def forward(self, feeds: Mapping[str, Array]) -> None:
        self.known |= {name: exactly(array) for name, array in feeds.items()}
        for position, node in enumerate(self.graph.nodes):
            key = (*self.key, position)
            inputs = [self.known[name] for name in node.inputs]
            found, moved = _forward(node, inputs, key)
            self.state |= moved
            name = node.outputs[0]
            self.values[name] = found
            self.known[name] = _as_taken(found, self.taken.values.get(name))
            values = [x.value for x in inputs]
            saved = node.operator.forward(values, training=True, key=key)[2]
            self.done.append((_exact(node), inputs, saved))

    def back(self, douts: Mapping[str, Array]) -> None:
        given: dict[str, list[Near]] = defaultdict(list)
        for name, dout in douts.items():
            given[name].append(exactly(dout))
        needed = leading_to(self.graph, set(self.graph.params))
        for node, inputs, saved in reversed(self.done):
            name = node.outputs[0]
            if not given[name] or not needed.intersection(node.inputs):
                continue
            self.grads[name] = found = _total(given[name])
            g = _as_taken(found, self.taken.grads.get(name))
            at = Back(node, inputs, self.known[name], g, saved)
            gradients = gradients_after(at)
            if _is_centred(self.graph, node):
                gradients[2].error[...] += found.error.sum((0, *range(2, found.error.ndim)))
            for source, gradient in zip(node.inputs, gradients, strict=False):
                given[source].append(gradient)
        self.grads |= {name: _total(given[name]) for name in self.graph.params if given[name]}


def _as_taken(found: Near, taken: Array | None) -> Near:
    return found if taken is None else exactly(taken)


def _is_centred(graph: Graph, node: Node) -> bool:
    """Whether a bias is added that normalisation by the batch takes away again.

    Its gradient is 0, and may be set to 0 whatever rounding left in what it is the sum of.
    """
    readers = [other for other in graph.nodes if node.outputs[0] in other.inputs]
    kinds = [reader.operator.onnx_type for reader in readers]
    return len(node.inputs) > 2 and kinds == ["BatchNormalization"]


def _exact(node: Node) -> Node:
    is_summed = node.operator.onnx_type in ("Conv", "ConvTranspose")
    return changed(node, exact=True) if is_summed else node


def _total(given: Sequence[Near]) -> Near:
    """Return the sum of what readers gave."""
    value = np.asarray(sum(each.value for each in given))
    error = np.asarray(sum(each.error for each in given))
    sizes = np.asarray(sum(each.most for each in given))
    return Near(value, error + rounded(given[0], len(given) - 1, sizes), given[0].dtype)


def _forward(node: Node, inputs: Sequence[Near], key: Key) -> tuple[Near, dict[str, Near]]:
    operator: Any = node.operator
    match operator.onnx_type:
        case "BatchNormalization":
            return _normalised(node, inputs)
        case "Dropout":
            x = inputs[0]
            value, error = (
                operator.forward([a], training=True, key=key)[0][0] for a in (x.value, x.error)
            )
            return Near(value, error + rounded(x, 3, np.abs(value) + error), x.dtype), {}
    after = value_after(node, inputs)
    after.error[...] += shared_error(node, inputs)
    return after, {}


def _normalised(node: Node, inputs: Sequence[Near]) -> tuple[Near, dict[str, Near]]:
    """Normalise by the batch; what the running statistics become is an average with its own."""
    x, scale, bias, *running = inputs
    operator: Any = node.operator
    axes = (0, *range(2, x.value.ndim))
    done = standardised(x, axes, operator.epsilon)
    slope, offset = (column(each.value, x.value) for each in (scale, bias))
    y = Near(slope * done.values.value + offset, scaled_error(done, slope, offset), x.dtype)
    old = float(operator.momentum)
    state = {}
    for name, before, batch in zip(
        node.inputs[3:], running, (done.mean, done.variance), strict=True
    ):
        value = old * before.value + (1 - old) * batch.value.reshape(-1)
        size = old * np.abs(before.value) + (1 - old) * batch.most.reshape(-1)
        error = (1 - old) * batch.error.reshape(-1) + rounded(x, 4, size)
        state[name] = Near(value, error, x.dtype)
    return y, state
