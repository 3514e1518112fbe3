"""Gradients: the graph walked from its outputs back, each operator asked for its backward."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from faltung.errors import GraphError, message
from faltung.graph.evaluate import Evaluation
from faltung.graph.graph import Graph
from faltung.ops.operator import Array


def gradients(
    graph: Graph,
    done: Evaluation,
    douts: Mapping[str, Array],
    *,
    wanted: Collection[str] | None = None,
) -> dict[str, Array]:
    """Return the gradient of each wanted value by name.

    Parameters
    ----------
    graph
        The graph that was run.
    done
        Its recorded evaluation (``record=True``).
    douts
        The gradient at each output; an output that is not named has none.
    wanted
        Inputs and parameters whose gradients are asked for; all of them if None. Nodes that lead
        to none of these are not walked.
    """
    names = {*(v.name for v in graph.inputs), *graph.params} if wanted is None else set(wanted)
    shapes = {name: done.values[name].shape for name in graph.outputs}
    for name, dout in douts.items():
        if name not in shapes or dout.shape != shapes[name]:
            values = {"output": name, "dout": dout.shape, "shapes": shapes}
            raise GraphError(message("gradients", "dout must be shaped like its output", values))
    needed = leading_to(graph, names)
    grads: dict[str, Array] = {
        name: dout.astype(done.values[name].dtype, copy=False) for name, dout in douts.items()
    }
    for node in reversed(graph.nodes):
        outs = [
            grads.pop(name, None) if name not in names else grads.get(name) for name in node.outputs
        ]
        if all(out is None for out in outs) or not needed.intersection(node.inputs):
            continue
        given: Any = outs  # an operator of several outputs takes None for some
        wanted_here = [name in needed for name in node.inputs]
        din = node.operator.backward_to(wanted_here, done.saved[node.name], given)
        for name, grad in zip(node.inputs, din, strict=True):
            if grad is not None and name in needed:
                grads[name] = grads[name] + grad if name in grads else grad
    return {name: grads[name] for name in names if name in grads}


def leading_to(graph: Graph, names: Collection[str]) -> set[str]:
    """Return the values whose gradients are on the way to those that are wanted.

    Parameters
    ----------
    graph
        Any graph.
    names
        Of the wanted ones, which are among them.
    """
    needed = set(names)
    for node in graph.nodes:
        if needed.intersection(node.inputs):
            needed.update(node.outputs)
    return needed
