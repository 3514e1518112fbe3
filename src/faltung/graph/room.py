"""Whether the values of a run fit into memory: asked before it starts, from shapes alone."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from faltung.errors import FaltungError, GraphError, message, plain
from faltung.graph.graph import Graph, Node
from faltung.ops.operator import Array

MOST_AXES: Final = 64
_Sizes = tuple[bool, tuple[tuple[int, ...], ...]]
_fitting: WeakKeyDictionary[Graph, set[_Sizes]] = WeakKeyDictionary()
"""For which sizes of the inputs a graph was found to fit."""


def memory() -> int:
    """Return how many bytes this process can have at most: the machine's, or what it is allowed."""
    most = sys.maxsize
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        most = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        import resource
    except ImportError:  # Windows
        return most
    allowed = resource.getrlimit(resource.RLIMIT_AS)[0]
    return most if allowed == resource.RLIM_INFINITY else min(most, allowed)


def check_room(
    graph: Graph, feeds: Mapping[str, Array], last: Mapping[int, Collection[str]]
) -> None:
    """Refuse a run whose values do not fit into memory.

    Parameters
    ----------
    graph
        What is to be run.
    feeds
        Its inputs.
    last
        By position of a node, the values that are let go after it.

    Raises
    ------
    GraphError
        The values that are needed at one time have more bytes than there are. Nothing is said
        where shapes are not known before the run.
    """
    shapes = tuple(feeds[v.name].shape for v in graph.inputs)
    seen, key = _fitting.setdefault(graph, set()), (bool(last), shapes)
    if key in seen:
        return
    kinds = {**graph.params, **graph.state, **feeds}
    known = {name: _Kind(x.shape, x.dtype) for name, x in kinds.items()}
    held = {name: x.nbytes for name, x in feeds.items()}
    needed, most = sum(held.values()), memory()
    for position, node in enumerate(graph.nodes):
        if all(name in known for name in node.inputs):
            outs = _made(node, [known[name] for name in node.inputs])
            _check_ranks(node, outs)
            known.update(zip(node.outputs, outs, strict=False))
            held.update(zip(node.outputs, (out.nbytes for out in outs), strict=False))
            needed += sum(held.get(name, 0) for name in node.outputs)
        if needed > most:
            shown = {"bytes": needed, "memory": most}
            rule = f"the values up to layer {plain(repr(node.name))} do not fit into memory"
            raise GraphError(message("graph", rule, shown, "Give it a smaller input"))
        for name in last.get(position, ()):
            needed -= held.pop(name, 0)
    seen.add(key)


class _Kind(NamedTuple):
    """What is known of a value before a run."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def _check_ranks(node: Node, outs: list[_Kind]) -> None:
    for out in outs:
        if len(out.shape) > MOST_AXES:
            rule = f"NumPy's arrays have at most {MOST_AXES} axes"
            values = {"axes": len(out.shape)}
            raise GraphError(message(f"layer {node.name!r}", rule, values))


def _made(node: Node, given: list[_Kind]) -> list[_Kind]:
    """Return what a node makes; nothing where that is not known before it runs."""
    try:
        shapes = node.operator.out_shapes([kind.shape for kind in given])
        dtypes = node.operator.out_dtypes([kind.dtype for kind in given])
    except FaltungError:  # the run says it, and where
        return []
    sizes = [tuple(n for n in shape if isinstance(n, int)) for shape in shapes]
    if any(len(a) != len(b) for a, b in zip(sizes, shapes, strict=True)):
        return []
    return [_Kind(*kind) for kind in zip(sizes, dtypes, strict=False)]
