"""The network that an estimator begins with."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from faltung import ops, zoo
from faltung.errors import EstimatorError, message
from faltung.estimators.columns import SampleShape
from faltung.graph.graph import Graph, Node
from faltung.graph.layers import (
    AbstractLayer,
    Chain,
    Conv,
    Dense,
    Flatten,
    MaxPool,
    Normalize,
    Relu,
    build,
)
from faltung.training.start import start_from

Numbers = tuple[float, ...]

_LEAST_POOLED = 8  # an axis of fewer positions keeps them all


def plain(in_shape: SampleShape, outputs: int) -> AbstractLayer:
    """Two 3-wide convolutions, to 16 and 32 channels, for signals, volumes and small images.

    Pooling halves the axes that have 8 positions or more before the first of them; one dense layer
    sees what is left.
    """
    pooled = tuple(2 if size >= _LEAST_POOLED else 1 for size in in_shape[1:])
    pool = (MaxPool(pooled),) if max(pooled) > 1 else ()
    first = (Conv(16, 3, padding="same"), Relu(), *pool)
    return Chain(*first, Conv(32, 3, padding="same"), Relu(), *pool, Flatten(), Dense(outputs))


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a first network is made for: samples, their statistics, and what it shall put out."""

    name: str
    in_shape: SampleShape
    outputs: int
    mean: Numbers
    std: Numbers
    seed: int


def first_network(network: Any, wanted: Wanted) -> tuple[Graph, bool]:
    """The graph of what a user named, wrote or gave; whether it is new, not someone's own graph.

    Raises
    ------
    EstimatorError
        Something else than a name, a graph, a layer or a function that gives one [estimator E3];
        not one output (N, outputs) [estimator E4].
    GraphError
        A name of the zoo for samples that are no images, or too small; a graph that takes others.
    """
    made = network(wanted.in_shape, wanted.outputs) if _is_function(network) else network
    if isinstance(made, Graph):
        graph, is_new = start_from(made, wanted.outputs, wanted.in_shape, seed=wanted.seed), False
    else:
        graph, is_new = _new(made, wanted), True
    shapes = graph.shapes()
    if [shapes[name][1:] for name in graph.outputs] != [(wanted.outputs,)]:
        values = {"outputs": [shapes[name] for name in graph.outputs], "wanted": wanted.outputs}
        rule, cure = "the network must have one output (N, outputs)", "End with Dense(outputs)"
        raise EstimatorError(message(wanted.name, rule, values, cure, "estimator E4"))
    return graph, is_new


def _is_function(network: Any) -> bool:
    return callable(network) and not isinstance(network, (AbstractLayer, Graph))


def _new(network: Any, wanted: Wanted) -> Graph:
    if isinstance(network, str) and network != "auto":
        return zoo.build(
            network,
            wanted.in_shape,
            wanted.outputs,
            mean=wanted.mean,
            std=wanted.std,
            seed=wanted.seed,
        )
    if isinstance(network, str):
        is_image = len(wanted.in_shape) == 3 and min(wanted.in_shape[1:]) >= _LEAST_POOLED
        if is_image:
            return _new("small", wanted)
        network = plain(wanted.in_shape, wanted.outputs)
    if not isinstance(network, AbstractLayer):
        rule = "network must be a name, a Graph, a layer, or a function that returns one"
        values = {"network": type(network).__name__}
        cure = "A function gets (channels, *space) and the number of outputs"
        raise EstimatorError(message(wanted.name, rule, values, cure, "estimator E3"))
    return build(
        Chain(Normalize(wanted.mean, wanted.std), network), wanted.in_shape, seed=wanted.seed
    )


def with_units(graph: Graph, mean: Numbers, scale: Numbers) -> Graph:
    """The graph with ``y * scale + mean`` behind it, so that what it puts out has its units.

    >>> graph = build(Flatten(), (2,))
    >>> with_units(graph, (1.0, 2.0), (10.0, 100.0))([[3, 4]]).tolist()
    [[31.0, 402.0]]
    """
    (before,) = graph.outputs
    state = {"target.scale": scale, "target.mean": mean}
    scaled = Node("target_scale", ops.Mul(), (before, "target.scale"), ("target_scale",))
    moved = Node("target_mean", ops.Add(), ("target_scale", "target.mean"), ("target_mean",))
    return dataclasses.replace(
        graph,
        nodes=(*graph.nodes, scaled, moved),
        outputs=moved.outputs,
        state={**graph.state, **{k: np.asarray(v, np.float32) for k, v in state.items()}},
    )
