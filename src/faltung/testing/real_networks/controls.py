"""Networks that are wrong at one place: a comparison that passes them compares nothing."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from faltung.graph import Graph, Node
from faltung.ops.operator import Array

WRONGS: Final = ("one kernel flipped", "two channels swapped")
"""What `broken` does to the weights of one convolution."""


def convolutions(graph: Graph) -> tuple[Node, ...]:
    """Return the convolutions whose kernels can be flipped, in computing order."""
    return tuple(
        node
        for node in graph.nodes
        if node.operator.onnx_type == "Conv" and max(_weight(graph, node).shape[2:]) > 1
    )


def broken(graph: Graph, node: Node, wrong: str, channel: int) -> Graph:
    """Return a graph with one of `WRONGS` in one of its convolutions.

    Parameters
    ----------
    graph
        Is not changed.
    node
        One of its `convolutions`.
    wrong
        One of `WRONGS`: an output channel's kernel is mirrored on both axes, or it and the
        channel before it change places.
    channel
        Which one: see `liveliest`.
    """
    w = _weight(graph, node).copy()
    if wrong == WRONGS[0]:
        w[channel] = w[channel][:, ::-1, ::-1]
    else:
        w[[channel - 1, channel]] = w[[channel, channel - 1]]
    arrays: dict[str, Any] = {**graph.params, node.inputs[1]: w}
    return graph.replace(params=arrays)


def liveliest(y: Array) -> int:
    """Return the channel of (N, C, H, W) that varies most.

    Behind a ReLU that is 0 everywhere, a kernel may well be flipped: nothing comes out of it.
    """
    return int(y.std(axis=(0, 2, 3)).argmax())


def _weight(graph: Graph, node: Node) -> Array:
    return np.asarray(graph.params[node.inputs[1]])
