"""Whether a network and a data set go together, said in one line before anything starts."""

from __future__ import annotations

import numpy as np

from faltung.datasets import Dataset
from faltung.errors import DatasetError, GraphError, message
from faltung.graph.graph import Graph


def check_fit(graph: Graph, data: Dataset) -> None:
    """Refuse a network that cannot take the images or does not have a score for each class.

    Raises
    ------
    GraphError
        Not one input and one output (N, classes) [fit F1]; other images [fit F2]; another number
        of classes [fit F3].
    """
    shapes = graph.shapes()
    if len(graph.inputs) != 1 or len(graph.outputs) != 1 or len(shapes[graph.outputs[0]]) != 2:
        rule = "must have one input and one output (N, classes)"
        outputs = {name: shapes[name] for name in graph.outputs}
        values = {"inputs": len(graph.inputs), "outputs": outputs}
        raise GraphError(message("network", rule, values, "", "fit F1"))
    takes, gives = tuple(graph.inputs[0].shape[1:]), shapes[graph.outputs[0]][1]
    if takes != data.image_shape:
        rule = f"must take the images of {data.name}"
        values = {"takes": size_of(takes), "images": size_of(data.image_shape)}
        cure = "Build it for this size, or resize the images"
        raise GraphError(message("network", rule, values, cure, "fit F2"))
    if gives != len(data.classes):
        rule = f"must have a score for each class of {data.name}"
        values = {"scores": gives, "classes": len(data.classes)}
        raise GraphError(message("network", rule, values, "Build it for them", "fit F3"))


def check_training(train_set: Dataset, test_set: Dataset | None) -> None:
    """Refuse data that cannot be learned from, or a test part of something else.

    Raises
    ------
    DatasetError
        A class without an image [fit F4]; test images or classes that are not those of the
        training part [fit F5]; an empty test part [fit F6].
    """
    counts = np.bincount(train_set.labels, minlength=len(train_set.classes))
    if not counts.all():
        index = int(np.flatnonzero(counts == 0)[0])
        values = {"class": repr(train_set.classes[index]), "images": 0}
        cure = "Add images of it or take the class away"
        rule = "every class needs a training image"
        raise DatasetError(message(train_set.name, rule, values, cure, "fit F4"))
    if test_set is None:
        return
    for name in ("image_shape", "classes"):
        ours, theirs = getattr(train_set, name), getattr(test_set, name)
        if ours != theirs:
            rule = f"training and test part must have the same {name}"
            values = {"train": ours, "test": theirs}
            raise DatasetError(message(train_set.name, rule, values, "", "fit F5"))
    if len(test_set) == 0:
        raise DatasetError(message(test_set.name, "the test part is empty", None, "", "fit F6"))


def size_of(shape: tuple[object, ...]) -> str:
    """An image's shape as people write it: CxHxW."""
    return "x".join(map(str, shape))
