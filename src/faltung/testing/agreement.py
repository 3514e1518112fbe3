"""How near two runtimes are to each other at every node of a network, and to the float64 value.

Over a whole network, worst cases multiply: after some dozens of layers, a bound that always holds
says nothing. So each node is compared by itself. It gets the inputs that the other runtime had, in
both runtimes and in float64; then both results must lie within ``γ_k Σ|terms|`` of the float64
value, k being the roundings of that one node. What adds up from node to node is a figure beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from faltung.graph import Graph, Node
from faltung.graph.evaluate import evaluate
from faltung.ops.operator import Array
from faltung.report import AbstractReport, Table
from faltung.testing.near import Near
from faltung.testing.rounding import node_bound


@dataclass(frozen=True)
class NodeAgreement:
    """One node's output in two runtimes.

    Parameters
    ----------
    node, operator
        Which one.
    ours, theirs
        Largest share of the bound that each runtime's error takes: right are those up to 1.
        Where the bound is 0, as values are only moved, 0 for the same values, else infinity.
    bound
        Largest bound beside the largest value: how small an error would be noticed.
    """

    node: str
    operator: str
    ours: float
    theirs: float
    bound: float

    @property
    def agrees(self) -> bool:
        """Whether both runtimes are within the bound."""
        return max(self.ours, self.theirs) <= 1


@dataclass(frozen=True)
class Agreement(AbstractReport):
    """Two runtimes compared at every node.

    Parameters
    ----------
    nodes
        One for each node, in computing order.
    constants
        How many values that the other runtime computes were constants here, and were the same.
    unmatched
        Values of the other runtime that have none here to be compared with, and constants that
        are not the same.
    apart
        How far all layers together take the two apart: the largest difference of any value, beside
        the largest value of the same array. None where that was not run.
    """

    nodes: tuple[NodeAgreement, ...]
    constants: int
    unmatched: tuple[str, ...]
    apart: float | None

    @property
    def failures(self) -> tuple[NodeAgreement, ...]:
        """The nodes at which one of the two is outside the bound."""
        return tuple(node for node in self.nodes if not node.agrees)

    @property
    def passed(self) -> bool:
        """Whether every node was compared, and agrees."""
        return not self.failures and not self.unmatched

    def blocks(self) -> Sequence[Table | str]:
        """Return a table of the operators."""
        header = ("operator", "nodes", "share of the bound", "theirs", "bound / largest value")
        kinds = dict.fromkeys(node.operator for node in self.nodes)
        rows = [_row(kind, [n for n in self.nodes if n.operator == kind]) for kind in kinds]
        return Table(header, rows), self._verdict()

    def _verdict(self) -> str:
        if self.passed:
            return f"All {len(self.nodes):,} nodes agree."
        wrong = [*(node.node for node in self.failures), *self.unmatched]
        return f"Apart at {', '.join(wrong[:5])}{' ...' if len(wrong) > 5 else ''}."

    def to_dict(self) -> dict[str, Any]:
        """Return every figure by node."""
        return {**asdict(self), "passed": self.passed}


def _row(kind: str, found: Sequence[NodeAgreement]) -> tuple[str, ...]:
    figures = [
        max(values) for values in zip(*((n.ours, n.theirs, n.bound) for n in found), strict=True)
    ]
    return (kind, f"{len(found):,}", *(f"{figure:.1e}" for figure in figures))


def agreement(
    graph: Graph,
    feeds: Mapping[str, Array],
    values: Mapping[str, Array],
    *,
    ours: Graph | None = None,
    nodes: Collection[str] | None = None,
) -> Agreement:
    """Compare every node of a graph with what another runtime made of it.

    Parameters
    ----------
    graph
        In float32; every operator of it must be one of `faltung.testing.rounding.RULES`.
    feeds
        Its inputs by name.
    values
        What the other runtime computed, by name: the output of every node.
    ours
        The same nodes with other arrays, for what faltung computes: controls put something wrong
        there.
    nodes
        Names of the nodes to compare; all, and the network as a whole, unless given.

    Returns
    -------
    Agreement
        As soon as one node of one runtime is wrong, that node is among its ``failures``.
    """
    ours = graph if ours is None else ours
    theirs_known = {**values, **graph.params, **graph.state, **feeds}
    ours_known = {**values, **ours.params, **ours.state, **feeds}
    compared = [node for node in graph.nodes if nodes is None or node.name in nodes]
    rows = tuple(_compared(node, ours_known, theirs_known, values) for node in compared)
    if nodes is not None:
        return Agreement(rows, 0, (), None)
    made = {name for node in graph.nodes for name in node.outputs}
    rest = {name: array for name, array in values.items() if name not in made}
    fixed = {**ours.params, **ours.state}
    same = [n for n, array in rest.items() if n in fixed and np.array_equal(fixed[n], array)]
    unmatched = tuple(name for name in rest if name not in same)
    return Agreement(rows, len(same), unmatched, apart(ours, feeds, values))


def _compared(
    node: Node,
    ours: Mapping[str, Array],
    theirs: Mapping[str, Array],
    values: Mapping[str, Array],
) -> NodeAgreement:
    near = node_bound(node, [theirs[name] for name in node.inputs])
    got = node.operator.forward([ours[name] for name in node.inputs])[0][0]
    largest = float(np.abs(near.value).max(initial=0))
    return NodeAgreement(
        node.name,
        node.operator.onnx_type,
        _share(got, near),
        _share(values[node.outputs[0]], near),
        float(near.error.max(initial=0)) / (largest or 1.0),
    )


def _share(got: Array, near: Near) -> float:
    """Return the largest error as a share of the bound; infinite where shapes differ, or NaN."""
    if got.shape != near.value.shape:
        return float("inf")
    error = np.abs(got - near.value)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(error == 0, 0.0, error / near.error)
    return float(np.nan_to_num(shares, nan=np.inf).max(initial=0))


def apart(graph: Graph, feeds: Mapping[str, Array], values: Mapping[str, Array]) -> float:
    """Return how far a whole network is from what another runtime made of it.

    Parameters
    ----------
    graph, feeds, values
        As in `agreement`.

    Returns
    -------
    float
        The largest difference at any node, beside the largest value there.
    """
    found = evaluate(graph, feeds, keep_all=True).values
    shares = [0.0]
    for node in graph.nodes:
        got, want = found[node.outputs[0]], values[node.outputs[0]]
        largest = float(np.abs(want).max(initial=0))
        shares.append(float(np.abs(got - want).max(initial=0)) / (largest or 1.0))
    return max(shares)
