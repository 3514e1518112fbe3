"""A patch classifier turned into a scene detector: every window of a scene in one pass."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung import ops
from faltung.errors import GraphError, message
from faltung.graph.graph import Graph, Node
from faltung.imaging.exact import evaluate_exact
from faltung.imaging.rewrite import rewritten

Array = NDArray[Any]
BATCH = 256


@dataclass(frozen=True)
class Comparison:
    """The detector beside the classifier, window by window.

    Parameters
    ----------
    windows : int
        How many were compared.
    equal : int
        How many have the same scores, bit for bit.
    largest : float
        The largest difference of a score.
    changed : int
        How many are another class.
    """

    windows: int
    equal: int
    largest: float
    changed: int


@dataclass(frozen=True, eq=False)
class Detector:
    """A classifier of patches, and the same network for scenes.

    Parameters
    ----------
    classifier : Graph
        (N, C, h, w) to (N, classes).
    graph : Graph
        Scenes (N, C, H, W) to ``scores`` (N, classes, rows, columns) and ``best`` (N, classes, 1,
        1), each class's highest score anywhere: whether there is one at all.
    patch : tuple of int
        (C, h, w).
    stride : tuple of int
        Rows and columns between two windows.
    padded : tuple of str
        Layers that pad their patches: with any, a window inside a scene has other scores than
        alone, because it sees its neighbours where it had zeros.
    classes : tuple of str
        Their names.
    """

    classifier: Graph
    graph: Graph
    patch: tuple[int, int, int]
    stride: tuple[int, int]
    padded: tuple[str, ...]
    classes: tuple[str, ...]

    def scores(self, scene: ArrayLike, *, exact: bool = False) -> Array:
        """Return the classifier's scores of every window of a scene.

        Parameters
        ----------
        scene : array_like, (C, H, W)
            At least as large as a patch.
        exact : bool
            Add in one fixed order (`faltung.imaging.exact`): slower, and with the same bits as
            the classifier's, evaluated so, on each window alone, if no layer pads. Otherwise the
            two agree to rounding.

        Returns
        -------
        array, (classes, rows, columns)
            Window (i, j) has its upper left corner at ``(i, j)`` times the stride.

        Raises
        ------
        GraphError
            detector D5: a scene of other channels, or smaller than a patch.
        """
        x = np.asarray(scene)
        self._check(x)
        network = self._scores_alone()
        found = evaluate_exact(network, x[None]) if exact else network(x[None])
        assert isinstance(found, np.ndarray)
        # Where a patch's last columns are dropped, a window more fits than lies inside.
        rows, columns = self.positions(x.shape[1:])
        return found[0, :, :rows, :columns]

    def positions(self, size: Sequence[int]) -> tuple[int, int]:
        """Return how many windows a scene (H, W) has along each axis.

        Parameters
        ----------
        size : (int, int)
            Of the scene.
        """
        rows, columns = (
            (n - k) // s + 1 for n, k, s in zip(size, self.patch[1:], self.stride, strict=True)
        )
        return rows, columns

    def compare(self, scene: ArrayLike, most: int = 256) -> Comparison:
        """Classify windows of a scene one by one and compare, in the fixed order of sums.

        Parameters
        ----------
        scene : array_like, (C, H, W)
            As in `scores`.
        most : int
            How many windows are compared, evenly chosen from all of them.

        Returns
        -------
        Comparison
            All windows equal where nothing is padded; else how far they are.
        """
        x = np.asarray(scene)
        together = self.scores(x, exact=True)
        count = together[0].size
        chosen = np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int))
        alone = np.concatenate(list(self._alone(x, chosen, together.shape[2])))
        together = together.reshape(len(together), -1).T[chosen]
        differs = np.abs(together.astype(float) - alone).max(axis=1)
        return Comparison(
            windows=len(chosen),
            equal=int((together == alone).all(axis=1).sum()),
            largest=float(differs.max()),
            changed=int((together.argmax(axis=1) != alone.argmax(axis=1)).sum()),
        )

    def _alone(self, x: Array, chosen: Array, columns: int) -> Iterator[Array]:
        """The classifier's scores of windows, a few at a time."""
        _, height, width = self.patch
        for start in range(0, len(chosen), BATCH):
            corners = (divmod(int(i), columns) for i in chosen[start : start + BATCH])
            tops = [(i * self.stride[0], j * self.stride[1]) for i, j in corners]
            windows = np.stack([x[:, y : y + height, z : z + width] for y, z in tops])
            yield evaluate_exact(self.classifier, windows)

    def _scores_alone(self) -> Graph:
        scores = self.graph.outputs[:1]
        nodes = self.graph.nodes[:-1]
        given = self.graph
        return Graph(given.inputs, nodes, scores, given.params, given.state, given.metadata)

    def _check(self, x: Array) -> None:
        channels, height, width = self.patch
        if x.ndim != 3 or x.shape[0] != channels or x.shape[1] < height or x.shape[2] < width:
            rule = "a scene must be (C, H, W) with the patch's channels, and no smaller"
            got = {"scene": x.shape, "patch": self.patch}
            raise GraphError(message("detector", rule, got, "", "detector D5"))


def detector(classifier: Graph, patch: Sequence[int] | None = None) -> Detector:
    """Turn a classifier of patches into a detector for scenes of any size.

    Parameters
    ----------
    classifier : Graph
        One input (N, C, h, w), one output (N, classes).
    patch : (int, int, int), optional
        (C, h, w), where the graph leaves its input's size open.

    Returns
    -------
    Detector
        Its graph is one pass over a scene.

    Raises
    ------
    GraphError
        detector D1 to D4: a network that is no such classifier; D6: a patch of unknown size.
    """
    shape = classifier.inputs[0].shape[1:] if patch is None else tuple(patch)
    if len(shape) != 3 or not all(isinstance(n, int) for n in shape):
        rule, cure = "the size of a patch must be known", "Pass patch=(channels, height, width)"
        raise GraphError(message("detector", rule, {"patch": shape}, cure, "detector D6"))
    channels, height, width = (int(n) for n in shape)
    sized = classifier.with_input_shape(("N", channels, height, width))
    found = rewritten(sized, (channels, height, width))
    graph = found.graph
    best = Node(_free("best", graph), ops.GlobalMaxPool(), graph.outputs, (_free("best", graph),))
    graph = Graph(
        graph.inputs,
        (*graph.nodes, best),
        (*graph.outputs, *best.outputs),
        graph.params,
        graph.state,
        graph.metadata,
    )
    return Detector(
        classifier=sized,
        graph=graph,
        patch=(channels, height, width),
        stride=found.stride,
        padded=found.padded,
        classes=class_names(classifier, _class_count(sized)),
    )


def class_names(graph: Graph, count: int) -> tuple[str, ...]:
    """Return the names in a model's metadata, or "0", "1", ... where it has none that fit."""
    try:
        names = json.loads(graph.metadata.get("classes", "[]"))
    except ValueError:
        names = []
    fits = isinstance(names, list) and len(names) == count
    return tuple(map(str, names)) if fits else tuple(map(str, range(count)))


def _class_count(graph: Graph) -> int:
    return int(graph.shapes()[graph.outputs[0]][1])


def _free(name: str, graph: Graph) -> str:
    """A name that no node or value has."""
    taken = {node.name for node in graph.nodes} | {out for n in graph.nodes for out in n.outputs}
    taken |= {*graph.params, *graph.state, graph.inputs[0].name}
    while name in taken:
        name += "_"
    return name
