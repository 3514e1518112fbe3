"""How much memory the values of a run take at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from faltung.analysis.inspect.known import Known
from faltung.graph.evaluate import last_uses


@dataclass(frozen=True)
class PeakMemory:
    """The most bytes that values take at once, and where.

    Counted in the order in which `faltung.graph.evaluate.evaluate` runs nodes and forgets values:
    while a node runs, its inputs and outputs are there, what a later node reads, and the graph's
    outputs computed so far; inputs of the graph too until their last use. Every value counts as
    memory of its own, though a reshape may return a view; parameters, state and what an operator
    needs for itself while it runs are not in it.

    Parameters
    ----------
    bytes
        All of them together.
    node
        The name of the node that runs then; empty for a graph without nodes.
    alive
        The values that are there, by name, with their bytes; the largest first.
    lacking
        How many values could not be counted.
    """

    bytes: int
    node: str
    alive: tuple[tuple[str, int], ...]
    lacking: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return everything."""
        return {
            "bytes": self.bytes,
            "layer": self.node,
            "alive": [{"value": name, "bytes": size} for name, size in self.alive],
            "values_not_counted": self.lacking,
        }


def peak_memory(known: Known) -> PeakMemory:
    """Return the peak of a graph's run.

    Parameters
    ----------
    known
        The graph and what is known of its values.
    """
    graph = known.graph
    last = last_uses(graph)
    alive = {value.name: known.bytes(value.name) for value in graph.inputs}
    total = sum(size or 0 for size in alive.values())
    peak, where, there = total, "", dict(alive)
    lacking = sum(size is None for size in alive.values())
    for position, node in enumerate(graph.nodes):
        new = {name: known.bytes(name) for name in node.outputs}
        lacking += sum(size is None for size in new.values())
        alive.update(new)
        total += sum(size or 0 for size in new.values())
        if total > peak or not where:
            peak, where, there = max(total, peak), node.name, dict(alive)
        for name in last.get(position, ()):
            total -= alive.pop(name) or 0
    sizes = [(name, size) for name, size in there.items() if size is not None]
    return PeakMemory(peak, where, tuple(sorted(sizes, key=lambda each: -each[1])), lacking)
