"""What a graph has of nodes that faltung cannot compute, and the one error that names them all."""

from __future__ import annotations

from faltung.errors import GraphError, message
from faltung.graph.graph import Graph, Node
from faltung.ops.unknown import Unknown

NAMED = 3
"""How many nodes of one kind are named."""


def unknown_nodes(graph: Graph) -> tuple[Node, ...]:
    """Return the nodes whose operators are not known, in the graph's order.

    Parameters
    ----------
    graph
        Such as ``faltung.load(path, unknown=True)`` returns.
    """
    return tuple(node for node in graph.nodes if isinstance(node.operator, Unknown))


def check_known(graph: Graph, asked: str) -> None:
    """Refuse a graph with unknown operators, all of them at once.

    Parameters
    ----------
    graph
        What is to be run, or written.
    asked
        What cannot be done, such as ``"run"``.

    Raises
    ------
    GraphError
        Names each unknown operator, its nodes and the reason.
    """
    kinds: dict[tuple[str, str], list[str]] = {}
    for node in unknown_nodes(graph):
        reason = getattr(node.operator, "reason", "")
        kinds.setdefault((node.operator.subject, reason), []).append(node.name)
    if kinds:
        named = "; ".join(_kind(*kind, nodes) for kind, nodes in kinds.items())
        rule = f"it cannot be {asked}, these operators are not supported: {named}"
        raise GraphError(message("graph", rule))


def _kind(kind: str, reason: str, nodes: list[str]) -> str:
    """Say one kind: its name, some of its nodes, the reason."""
    many = f"{len(nodes)} nodes, " if len(nodes) > 1 else "node "
    more = f" and {len(nodes) - NAMED} more" if len(nodes) > NAMED else ""
    names = ", ".join(repr(name) for name in nodes[:NAMED])
    return f"{kind} ({many}{names}{more}{': ' if reason else ''}{reason})"
