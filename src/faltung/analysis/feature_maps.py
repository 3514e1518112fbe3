"""What an image becomes on its way through a network: the maps of each layer."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.errors import GraphError, message
from faltung.graph import Graph
from faltung.graph.evaluate import evaluate

Array = NDArray[Any]


class LayerMaps(NamedTuple):
    """One layer's values for one image: (C, *space), or (features,) after flattening."""

    name: str
    operator: str
    values: Array


def feature_maps(graph: Graph, image: ArrayLike) -> list[LayerMaps]:
    """Return the values of every layer for one image, in computing order.

    Parameters
    ----------
    graph
        A network of one input.
    image : array_like (C, *space)
        One image, without a batch axis.

    Returns
    -------
    list of LayerMaps
        A layer of several outputs gives its first.

    Raises
    ------
    GraphError
        The network has several inputs.

    Examples
    --------
    >>> from faltung.graph import layers as L
    >>> net = L.build(L.Chain(L.Conv(4, 3), L.Relu(), L.Flatten(), L.Dense(2)), (1, 5, 5))
    >>> [(each.name, each.values.shape) for each in feature_maps(net, np.ones((1, 5, 5)))]
    [('conv1', (4, 3, 3)), ('relu1', (4, 3, 3)), ('flatten1', (36,)), ('dense1', (2,))]
    """
    if len(graph.inputs) != 1:
        names = [value.name for value in graph.inputs]
        rule = "feature maps are those of a network with one input"
        raise GraphError(message("feature_maps", rule, {"inputs": names}))
    feeds = {graph.inputs[0].name: np.asarray(image)[None]}
    values = evaluate(graph, feeds, keep_all=True).values
    return [
        LayerMaps(node.name, node.operator.onnx_type, values[node.outputs[0]][0])
        for node in graph.nodes
    ]
