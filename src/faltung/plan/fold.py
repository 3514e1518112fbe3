"""The same network with less to do: what is known beforehand is computed beforehand.

Three things are done to a graph for inference, each of which leaves a graph of ordinary operators:

- a node that reads only params and state is computed, and becomes state;
- a node that hands its input on (Identity, Dropout) goes;
- what scales and shifts each channel behind a convolution goes into its weights::

      s (b + Σ w x) + t  =  (s b + t) + Σ (s w) x

Weights are scaled in float64 and rounded once, so that the result differs from the interpreter's
by less than one rounding of each weight.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from faltung import ops
from faltung.graph.graph import Graph, Node
from faltung.kernels.pages import filled
from faltung.ops.operator import Array

LARGEST: Final = 1 << 24
"""Bytes that a value computed beforehand may have."""
SCALES: Final = (ops.Conv, ops.ConvTranspose)


class Affine(NamedTuple):
    """``y = scale x + shift``, one number of each for every channel, in float64."""

    scale: Array
    shift: Array


def folded(graph: Graph) -> Graph:
    """Return a graph that computes the same in inference, with fewer nodes.

    Parameters
    ----------
    graph
        Any graph.

    Examples
    --------
    >>> from faltung.graph.layers import BatchNorm, Chain, Conv, Dropout, Relu, build
    >>> net = build(Chain(Conv(4, 3), BatchNorm(), Dropout(0.5), Relu()), (1, 8, 8))
    >>> [node.name for node in folded(net).nodes]
    ['conv1', 'relu1']
    """
    return _without_scales(_without_identities(_without_constants(graph)))


def _without_constants(graph: Graph) -> Graph:
    """Compute what depends on no input."""
    state, nodes = dict(graph.state), []
    known: dict[str, Array] = {**graph.params, **graph.state}
    for node in graph.nodes:
        if not node.inputs or any(name not in known for name in node.inputs):
            nodes.append(node)
            continue
        outputs, *_ = node.operator.forward([known[name] for name in node.inputs])
        if sum(array.nbytes for array in outputs) > LARGEST:
            nodes.append(node)
            continue
        made = dict(zip(node.outputs, (np.array(array) for array in outputs), strict=True))
        known.update(made)
        state.update(made)
    return dataclasses.replace(graph, nodes=tuple(nodes), state=state)


def _without_identities(graph: Graph) -> Graph:
    """Let readers of a value that is handed on read where it comes from."""
    source: dict[str, str] = {}
    nodes: list[Node] = []
    read = Counter(name for node in graph.nodes for name in node.inputs)
    for node in graph.nodes:
        inputs = tuple(source.get(name, name) for name in node.inputs)
        masked = any(read[name] or name in graph.outputs for name in node.outputs[1:])
        is_handed_on = isinstance(node.operator, (ops.Identity, ops.Dropout)) and not masked
        if is_handed_on and node.outputs[0] not in graph.outputs:
            source[node.outputs[0]] = inputs[0]
        else:
            nodes.append(dataclasses.replace(node, inputs=inputs))
    return dataclasses.replace(graph, nodes=tuple(nodes))


def _without_scales(graph: Graph) -> Graph:
    """Put what scales and shifts channels behind a convolution into its weights."""
    arrays: dict[str, Array] = {**graph.params, **graph.state}
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    readers.update(graph.outputs)
    nodes: dict[str, Node] = {}  # by the value that a node writes
    order: list[str] = []
    for given in graph.nodes:
        node = _turned(given, arrays)
        before = nodes.get(node.inputs[0]) if node.inputs else None
        affine = None
        if before is not None and _takes_scales(before, arrays) and readers[node.inputs[0]] == 1:
            affine = affine_of(node, arrays, _channels(before, arrays))
        if before is None or affine is None:
            nodes[node.outputs[0]] = node
            order.append(node.outputs[0])
            continue
        place = order.index(node.inputs[0])
        order[place] = node.outputs[0]
        del nodes[node.inputs[0]]
        nodes[node.outputs[0]] = _scaled(before, node, affine, arrays)
        for name in before.inputs[1:]:  # nobody else reads what was scaled before
            if name not in graph.params and name not in graph.state:
                del arrays[name]
    used = {name for node in nodes.values() for name in node.inputs} | set(graph.outputs)
    state = {n: a for n, a in arrays.items() if n in used and n not in graph.params}
    params = {n: a for n, a in graph.params.items() if n in used}
    kept = tuple(nodes[name] for name in order)
    return dataclasses.replace(graph, nodes=kept, params=params, state=state)


def _turned(node: Node, arrays: Mapping[str, Array]) -> Node:
    """Return a sum or a product with the factor that is known behind the one that is not."""
    is_known = [name in arrays for name in node.inputs]
    if isinstance(node.operator, (ops.Add, ops.Mul)) and is_known == [True, False]:
        return dataclasses.replace(node, inputs=node.inputs[::-1])
    return node


def _takes_scales(node: Node, arrays: Mapping[str, Array]) -> bool:
    return isinstance(node.operator, SCALES) and all(n in arrays for n in node.inputs[1:])


def _channels(node: Node, arrays: Mapping[str, Array]) -> int:
    w = arrays[node.inputs[1]]
    if isinstance(node.operator, ops.ConvTranspose):
        return int(w.shape[1]) * node.operator.groups
    return int(w.shape[0])


def affine_of(node: Node, arrays: Mapping[str, Array], channels: int) -> Affine | None:
    """Return a node as a scale and a shift for each channel of its first input; None if it is not.

    Parameters
    ----------
    node
        Any node.
    arrays
        The values that are known.
    channels
        Of its first input, the axis behind the batch.
    """
    if any(name not in arrays for name in node.inputs[1:]) or len(node.inputs) < 2:
        return None
    operator, others = node.operator, [arrays[name] for name in node.inputs[1:]]
    one, zero = np.ones(channels), np.zeros(channels)
    if isinstance(operator, ops.BatchNormalization):
        if operator.training_mode:
            return None
        scale, bias, mean, var = (x.astype(np.float64) for x in others)
        slope = scale / np.sqrt(var + operator.epsilon)
        return _finite(Affine(slope, bias - mean * slope))
    value = _by_channel(others[0], channels)
    if value is None:
        return None
    match operator:
        case ops.Add():
            return _finite(Affine(one, value))
        case ops.Sub():
            return _finite(Affine(one, -value))
        case ops.Mul():
            return _finite(Affine(value, zero))
    return None


def _by_channel(array: Array, channels: int) -> Array | None:
    """Return one number for each channel, of an array that is repeated along all other axes."""
    if array.dtype.kind != "f":
        return None
    if array.size == 1 and array.ndim <= 4:
        return np.full(channels, float(array.reshape(())))
    if array.ndim == 2:
        return None
    # (C, 1, 1) or (1, C, 1, 1): the channel stands before the space axes.
    is_column = array.ndim >= 3 and math.prod(array.shape) == channels
    axis = 1 if array.ndim >= 4 or array.shape[:1] == (1,) else 0
    if is_column and array.shape[axis] == channels:
        return array.reshape(-1).astype(np.float64)
    return None


def _finite(affine: Affine) -> Affine | None:
    """Return it, or None where it would turn weights into something else than numbers."""
    return affine if all(np.isfinite(a).all() for a in affine) else None


def _scaled(conv: Node, after: Node, affine: Affine, arrays: dict[str, Array]) -> Node:
    """Return the convolution that does both; its weights are added to the arrays."""
    w = arrays[conv.inputs[1]]
    bias = arrays[conv.inputs[2]].astype(np.float64) if len(conv.inputs) > 2 else 0.0
    if isinstance(conv.operator, ops.ConvTranspose):
        # (I, O / groups, *kernel): the input channels of a group lie together.
        groups = conv.operator.groups
        scale = affine.scale.reshape(groups, 1, w.shape[1], *(1 for _ in w.shape[2:]))
        parts = w.reshape(groups, -1, *w.shape[1:])
    else:
        scale, parts = affine.scale.reshape(-1, *(1 for _ in w.shape[1:])), w
    new_w = filled(parts.shape, w.dtype, partial(np.multiply, parts, scale, casting="same_kind"))
    new_w = new_w.reshape(w.shape)
    new_b = (affine.scale * bias + affine.shift).astype(w.dtype)
    names = tuple(f"{after.outputs[0]}.folded.{kind}" for kind in ("w", "b"))
    arrays.update(zip(names, (new_w, new_b), strict=True))
    return Node(conv.name, conv.operator, (conv.inputs[0], *names), after.outputs)
