"""Weights and inputs at random, for what is asked of a network whatever it has learned."""

from __future__ import annotations

from math import prod

import numpy as np

from faltung import ops
from faltung.graph import Graph, Value
from faltung.ops.operator import Array

_SCALED = (ops.BatchNormalization, ops.InstanceNormalization, ops.GroupNormalization)
_SCALED_LAST = (ops.LayerNormalization,)


def has_weights(graph: Graph) -> bool:
    """Whether a graph has weights of its own: a sketch's are zeros, all of them.

    >>> from faltung.graph.layers import Conv, build, sketch
    >>> has_weights(build(Conv(2, 3), (1, 8))), has_weights(sketch(Conv(2, 3), (1, 8)))
    (True, False)
    """
    weights = [array for array in graph.params.values() if array.ndim > 1]
    # One that is zero throughout says nothing about a network in which others are not.
    return not weights or any(_any(array) for array in weights)


def _any(array: Array) -> bool:
    return bool(array.any()) if any(array.strides) else bool(array.size and array.flat[0])


def with_drawn_weights(graph: Graph, seed: int = 0) -> Graph:
    """Return the network with He-normal weights, scales near 1 and small biases.

    Parameters
    ----------
    graph
        Any graph; its state stays.
    seed
        Of the draw.
    """
    rng = np.random.default_rng(seed)
    scales = {
        node.inputs[1]
        for node in graph.nodes
        if isinstance(node.operator, (*_SCALED, *_SCALED_LAST)) and len(node.inputs) > 1
    }
    drawn = {}
    for name, array in graph.params.items():
        values = rng.standard_normal(array.shape)
        if array.ndim > 1:
            values *= np.sqrt(2 / max(prod(array.shape[1:]), 1))
        else:
            values = (name in scales) + 0.1 * values
        drawn[name] = values.astype(array.dtype)
    return graph.replace(params=drawn)


def drawn_input(graph: Graph, value: Value, shape: tuple[int, ...], seed: int = 0) -> Array:
    """Return an input at random, each number one that float32 holds too.

    Raw pixels, 0 to 255, where the network begins by normalising them; standard normal else.

    Parameters
    ----------
    graph
        The network.
    value
        The input.
    shape
        All sizes.
    seed
        Of the draw.
    """
    rng = np.random.default_rng(seed)
    readers = [node for node in graph.nodes if value.name in node.inputs]
    is_raw = bool(readers) and all(isinstance(n.operator, (ops.Sub, ops.Cast)) for n in readers)
    if np.dtype(value.dtype).kind in "iub":
        return rng.integers(0, 256, shape).astype(value.dtype)
    values = rng.uniform(0, 255, shape) if is_raw else rng.standard_normal(shape)
    drawn: Array = values.astype(np.float32).astype(value.dtype)
    return drawn
