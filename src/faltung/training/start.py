"""The network that a run starts from: one of the zoo, fresh, or a trained one given new classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from faltung import zoo
from faltung.datasets import Dataset
from faltung.errors import FaltungError, GraphError, message
from faltung.graph.graph import Graph, Node, producers
from faltung.graph.layers import he_normal
from faltung.ops import Gemm, LogSoftmax, Softmax
from faltung.training.batches import rng
from faltung.training.fit import size_of
from faltung.training.state import Array

_BLOCK = 1000  # images whose pixels are in memory as float64 together


def start_new(name: str, train_set: Dataset, *, seed: int = 0) -> Graph:
    """Return a network of the zoo for a data set, normalising by that data set's statistics.

    Raises
    ------
    GraphError
        As `faltung.zoo.build`.
    """
    mean, std = pixel_statistics(train_set)
    classes = len(train_set.classes)
    return zoo.build(name, train_set.image_shape, classes, mean=mean, std=std, seed=seed)


def pixel_statistics(data: Dataset) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over all images; 1 where a channel is flat.

    >>> images = np.array([0, 4, 8, 4], np.uint8).reshape(4, 1, 1, 1)
    >>> mean, std = pixel_statistics(Dataset(images, [0, 1, 0, 1], ("a", "b"), "dots"))
    >>> mean, round(std[0], 6)
    ((4.0,), 2.828427)
    """
    sums = np.zeros((2, data.image_shape[0]))
    for start in range(0, len(data), _BLOCK):
        part = data.images[start : start + _BLOCK].astype(np.float64)
        sums += [part.sum(axis=(0, 2, 3)), np.square(part).sum(axis=(0, 2, 3))]
    mean, square = sums / max(data.images[:, 0].size, 1)
    std = np.sqrt(np.maximum(square - mean**2, 0.0))
    std[std == 0.0] = 1.0
    return tuple(mean.tolist()), tuple(std.tolist())


def start_from(graph: Graph, classes: int, in_shape: Sequence[int], *, seed: int = 0) -> Graph:
    """Return a trained network to go on from, for images of one shape and so many classes.

    A softmax at its end is taken away, as the loss has its own. If it has another number of
    scores, its last dense layer is replaced by a fresh one, whose weights ``seed`` decides. What
    its metadata say of its own classes and accuracy is dropped.

    Parameters
    ----------
    graph : Graph
        Such as `faltung.load` returns.
    classes : int
        Scores that it should put out.
    in_shape : (int, int, int)
        (C, H, W) of the images.
    seed : int
        0 or more.

    Raises
    ------
    GraphError
        Not one input and one output [start S1]; images that it cannot take [start S2]; no dense
        layer to replace [start S3].

    Examples
    --------
    >>> trained = zoo.build("lenet", (1, 28, 28), 10)
    >>> digits = start_from(trained, 3, (1, 28, 28))
    >>> digits.shapes()[digits.outputs[0]]
    ('N', 3)
    """
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        values = {"inputs": len(graph.inputs), "outputs": len(graph.outputs)}
        rule = "must have one input and one output"
        raise GraphError(message("model to start from", rule, values, "", "start S1"))
    sized = _without_softmax(_with_images(graph, tuple(in_shape)))
    kept = {key: text for key, text in graph.metadata.items() if key == "network"}
    sized = sized.replace(metadata=kept)
    scores = sized.shapes()[sized.outputs[0]]
    return sized if scores[1:] == (classes,) else _with_classes(sized, classes, seed)


def _with_images(graph: Graph, in_shape: tuple[int, ...]) -> Graph:
    """The network for images of this shape: some take any height and width, most take one."""
    (value,) = graph.inputs
    try:
        sized = graph.with_input_shape(("N", *in_shape))
        sized.shapes()
    except FaltungError as error:
        values = {"takes": size_of(value.shape[1:]), "images": size_of(in_shape)}
        cure = "Resize the images, or start from another model"
        rule = "cannot take images of this shape"
        raise GraphError(message("model to start from", rule, values, cure, "start S2")) from error
    return sized


def _without_softmax(graph: Graph) -> Graph:
    last = producers(graph.nodes).get(graph.outputs[0])
    if last is None or not isinstance(last.operator, (Softmax, LogSoftmax)):
        return graph
    nodes = tuple(node for node in graph.nodes if node is not last)
    return dataclasses.replace(graph, nodes=nodes, outputs=(last.inputs[0],))


def _with_classes(graph: Graph, classes: int, seed: int) -> Graph:
    """The network with a fresh last dense layer."""
    last = producers(graph.nodes).get(graph.outputs[0])
    if last is None or not isinstance(last.operator, Gemm) or last.inputs[1] not in graph.params:
        ends = "nothing" if last is None else last.operator.subject
        cure = "Start from a model whose last layer is dense"
        values = {"last layer": ends, "classes": classes}
        rule = "its last layer cannot be given other classes"
        raise GraphError(message("model to start from", rule, values, cure, "start S3"))
    params = {**graph.params, **_fresh_dense(graph, last, last.operator, classes, seed)}
    return dataclasses.replace(graph, params=params)


def _fresh_dense(
    graph: Graph, node: Node, operator: Gemm, classes: int, seed: int
) -> dict[str, Array]:
    weight = graph.params[node.inputs[1]]
    features = weight.shape[1 if operator.trans_b else 0]
    fresh = he_normal((classes, features), features)(rng(seed, "last layer")).astype(weight.dtype)
    arrays = {node.inputs[1]: fresh if operator.trans_b else np.ascontiguousarray(fresh.T)}
    if len(node.inputs) > 2:
        arrays[node.inputs[2]] = np.zeros(classes, weight.dtype)
    return arrays
