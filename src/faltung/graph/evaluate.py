"""The interpreter: what a graph means. It runs the nodes in order, nothing more."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from faltung.errors import DTypeError, FaltungError, GraphError, message
from faltung.graph.graph import Graph, Node, Value
from faltung.graph.room import check_room
from faltung.graph.shapes import where
from faltung.graph.unknown import check_known
from faltung.ops.operator import Array, Key, Result


@dataclass(frozen=True)
class Evaluation:
    """What a run left behind.

    ``values`` has the outputs, or every value where all were kept; ``saved`` what each node's
    backward needs, by node name; ``state`` the next state, whole.
    """

    values: Mapping[str, Array]
    saved: Mapping[str, Any]
    state: Mapping[str, Array]


def evaluate(
    graph: Graph,
    feeds: Mapping[str, Any],
    *,
    params: Mapping[str, Array] | None = None,
    state: Mapping[str, Array] | None = None,
    training: bool = False,
    key: Key | None = None,
    record: bool = False,
    keep_all: bool = False,
) -> Evaluation:
    """Run a graph.

    Parameters
    ----------
    graph
        The structure, and the arrays where ``params`` and ``state`` do not stand in for them.
    feeds
        The inputs by name.
    params, state
        Arrays that stand in for the graph's own, as a training run owns them.
    training
        Handed to each operator.
    key
        Seeds chance: each node gets ``(*key, its position)``.
    record
        Keep what `faltung.graph.gradients.gradients` needs.
    keep_all
        Keep every value, not the outputs alone.

    Raises
    ------
    GraphError
        The graph has operators that are not known, all of which are named before any is run; or
        its values need more memory than there is.
    """
    check_known(graph, "run")
    params = graph.params if params is None else params
    state = dict(graph.state if state is None else state)
    values: dict[str, Array] = {v.name: fed(v, feeds[v.name]) for v in graph.inputs}
    last = {} if keep_all else last_uses(graph)
    check_room(graph, values, last)
    saved: dict[str, Any] = {}
    next_state = dict(state)
    for position, node in enumerate(graph.nodes):
        inputs = [_lookup(name, values, params, state) for name in node.inputs]
        key_here = (*key, position) if key else None
        outputs, moved, kept = run_node(node, inputs, training, key_here)
        values.update(zip(node.outputs, outputs, strict=True))
        next_state.update({node.inputs[i]: array for i, array in moved.items()})
        if record:
            saved[node.name] = kept
        for name in last.get(position, ()):
            del values[name]
    named = {name: _lookup(name, values, params, state) for name in graph.outputs}
    return Evaluation(values if keep_all else named, saved, next_state)


def _lookup(name: str, *tables: Mapping[str, Array]) -> Array:
    return next(table[name] for table in tables if name in table)


def run_node(node: Node, inputs: list[Array], training: bool, key: Key | None) -> Result:
    """Run one node; what goes wrong says where.

    Parameters
    ----------
    node
        Its operator is run.
    inputs
        Arrays, in its order.
    training, key
        As `AbstractOperator.forward` has them.
    """
    try:
        return node.operator.forward(inputs, training=training, key=key)
    except FaltungError as error:
        error.add_note(where(node, [x.shape for x in inputs]))
        raise
    except TypeError as error:  # NumPy's, of truth values that should be numbers
        if all(x.dtype.kind != "b" for x in inputs):
            raise
        rule = "it cannot compute with truth values"
        values = {"dtypes": [x.dtype.name for x in inputs], "cause": error}
        raise DTypeError(message(f"layer {node.name!r}", rule, values, "Cast them")) from error
    except MemoryError as error:
        rule = "there is not enough memory to run it"
        values = {"inputs": [x.shape for x in inputs], "cause": error}
        raise GraphError(message(f"layer {node.name!r}", rule, values)) from error


def fed(value: Value, given: ArrayLike) -> Array:
    """Return an input as the graph declares it, or say how it differs.

    Integers and booleans become the declared dtype; so do floats of another width.
    """
    array = np.asarray(given)
    subject = f"input {value.name!r}"
    if array.dtype.kind not in "biuf":
        rule = "its values must be real numbers"
        raise DTypeError(message(subject, rule, {"dtype": array.dtype}))
    fits = array.ndim == len(value.shape) and all(
        not isinstance(want, int) or want == have
        for want, have in zip(value.shape, array.shape, strict=True)
    )
    if not fits:
        cure = "Batches come first: x[None] adds one; graph.with_input_shape takes other sizes"
        values = {"shape": array.shape, "declared": value.shape}
        raise GraphError(message(subject, "its shape must be the declared one", values, cure))
    return array.astype(value.dtype, copy=False)


def last_uses(graph: Graph) -> dict[int, Collection[str]]:
    """Return, for each node's position, the values that nobody reads after it."""
    last: dict[str, int] = {}
    for position, node in enumerate(graph.nodes):
        last.update(dict.fromkeys((*node.inputs, *node.outputs), position))
    kept = {*graph.params, *graph.state, *graph.outputs}
    by_position: dict[int, list[str]] = {}
    for name, position in last.items():
        if name not in kept:
            by_position.setdefault(position, []).append(name)
    return dict(by_position)
