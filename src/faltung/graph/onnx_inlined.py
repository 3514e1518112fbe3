"""Model-local functions of others, written into the graph where they are called.

Exporters put what they are made of into functions; their bodies are nodes like all others. Ours
stay calls, as they are operators here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

import onnx
import onnx.inliner
from onnx.shape_inference import InferenceError

from faltung.errors import ModelFileError, message
from faltung.graph.onnx_functions import DOMAINS, operator_class

MOST_NODES: Final = 100_000
"""How many nodes calls may become: functions that call functions grow quickly."""

DEEPEST: Final = 64

Key: TypeAlias = tuple[str, str]


def inlined(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model without calls of functions that are not ours; the same one if it has none.

    Where ONNX cannot write a body into the graph, its calls stay.

    Raises
    ------
    ModelFileError
        Functions call themselves, or would become too many nodes.
    """
    bodies = {
        (f.domain, f.name): f.node
        for f in model.functions
        if f.domain in DOMAINS or operator_class(f.domain, f.name) is None
    }
    if bodies.keys().isdisjoint(map(_key, _nodes(model.graph.node))):
        return model
    _check_size(model, bodies)
    try:
        return onnx.inliner.inline_selected_functions(model, sorted(bodies))
    except (RuntimeError, ValueError, TypeError, InferenceError, onnx.checker.ValidationError):
        return model


def _key(node: onnx.NodeProto) -> Key:
    return node.domain, node.op_type


def _nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Yield nodes, and those of the graphs that they hold."""
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _nodes(graph.node)


def _check_size(model: onnx.ModelProto, bodies: Mapping[Key, Iterable[onnx.NodeProto]]) -> None:
    """Refuse calls that never end, or become too many nodes."""
    sizes: dict[Key, int] = {}

    def size(nodes: Iterable[onnx.NodeProto], callers: tuple[Key, ...]) -> int:
        count = 0
        for key in map(_key, _nodes(nodes)):
            if key not in bodies:
                count += 1
                continue
            if key in callers or len(callers) > DEEPEST:
                values = {"function": ".".join(key)}
                rule = f"functions must not call themselves, nor {DEEPEST} others in a row"
                raise ModelFileError(message("model", rule, values))
            if key not in sizes:
                sizes[key] = size(bodies[key], (*callers, key))
            count += sizes[key]
        return count

    count = size(model.graph.node, ())
    if count > MOST_NODES:
        rule = f"with its functions it must have {MOST_NODES} nodes at most"
        raise ModelFileError(message("model", rule, {"nodes": count}))
