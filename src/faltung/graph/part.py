"""A part of a network: what some of its values need, and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from faltung.errors import GraphError, message
from faltung.graph.graph import Graph, Node


def part(graph: Graph, outputs: Sequence[str]) -> Graph:
    """Return the graph that computes only these values.

    Parameters
    ----------
    graph
        Any graph.
    outputs
        Names of values: what nodes write, or inputs.

    Returns
    -------
    Graph
        With the inputs, nodes, params and state that these values need, in the same order.

    Raises
    ------
    GraphError
        There is no such value, or none is named.

    Examples
    --------
    >>> from faltung.graph.layers import Chain, Conv, Relu, build
    >>> part(build(Chain(Conv(4, 3), Relu(), Conv(2, 3)), (1, 8, 8)), ["relu1"])
    <Graph x ('N', 1, 8, 8) -> relu1: 2 nodes, 40 params>
    """
    computed = {name for node in graph.nodes for name in node.outputs}
    for name in outputs:
        if name not in computed and name not in [value.name for value in graph.inputs]:
            raise GraphError(message("part", "there must be such a value", {"output": name}))
    nodes, needed = _leading_to(graph, outputs)
    return dataclasses.replace(
        graph,
        inputs=tuple(value for value in graph.inputs if value.name in needed),
        nodes=nodes,
        outputs=tuple(outputs),
        params={name: array for name, array in graph.params.items() if name in needed},
        state={name: array for name, array in graph.state.items() if name in needed},
    )


def _leading_to(graph: Graph, outputs: Sequence[str]) -> tuple[tuple[Node, ...], set[str]]:
    """Return the nodes that lead to some values, and the names of all that these need."""
    needed = set(outputs)
    nodes: list[Node] = []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            nodes.append(node)
            needed.update(node.inputs)
    return tuple(reversed(nodes)), needed
