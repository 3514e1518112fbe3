"""How good a network is: loss, accuracy, which classes it confuses, its worst mistakes."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from faltung.datasets import Dataset
from faltung.graph.graph import Graph
from faltung.kernels.settings import token
from faltung.training.fit import check_fit
from faltung.training.state import Array

if TYPE_CHECKING:
    from faltung.plan.plan import Plan

BATCH: Final = 100
"""Images whose values are in memory together, at most."""


@dataclass(frozen=True, eq=False)
class Score:
    """What a network made of a data set.

    Parameters
    ----------
    losses : array (N,) of float64
        Each image's cross-entropy.
    predictions : array (N,) of int64
        The class with the greatest score, the first of equal ones.
    labels : array (N,) of int64
        The class that it is.
    classes : int
        How many there are.
    """

    losses: NDArray[np.float64]
    predictions: NDArray[np.int64]
    labels: NDArray[np.int64]
    classes: int

    def __repr__(self) -> str:
        return f"<Score {self.accuracy:.2%} of {len(self.labels):,} images>"

    @property
    def loss(self) -> float:
        """The mean of the losses."""
        return float(self.losses.mean()) if self.losses.size else float("nan")

    @property
    def accuracy(self) -> float:
        """The share of the images whose prediction is their label."""
        right = self.predictions == self.labels
        return float(right.mean()) if right.size else float("nan")

    def confusion(self) -> NDArray[np.int64]:
        """Return how many images of each class (row) were taken for each class (column).

        >>> labels = np.array([0, 0, 1])
        >>> Score(np.zeros(3), np.array([0, 1, 1]), labels, 2).confusion().tolist()
        [[1, 1], [0, 1]]
        """
        pairs = self.labels * self.classes + self.predictions
        counts = np.bincount(pairs, minlength=self.classes**2)
        return counts.reshape(self.classes, self.classes).astype(np.int64, copy=False)

    def worst(self, count: int) -> NDArray[np.int64]:
        """Return indices of the wrong predictions, the highest loss first, at most ``count``.

        >>> losses, labels = np.array([0.1, 3.0, 5.0]), np.array([0, 0, 1])
        >>> Score(losses, np.array([0, 1, 0]), labels, 2).worst(9).tolist()
        [2, 1]
        """
        wrong = np.flatnonzero(self.predictions != self.labels)
        order = np.argsort(-self.losses[wrong], kind="stable")
        return wrong[order[:count]].astype(np.int64, copy=False)


def score(
    graph: Graph,
    data: Dataset,
    *,
    params: Mapping[str, Array] | None = None,
    state: Mapping[str, Array] | None = None,
) -> Score:
    """Run a network, in inference form, on every image of a data set.

    Parameters
    ----------
    graph : Graph
        One input (N, C, H, W), one output (N, classes): scores before the softmax.
    data : Dataset
        Images and labels.
    params, state : mapping of name to array, optional
        Arrays that stand in for the graph's own.

    Returns
    -------
    Score

    Raises
    ------
    GraphError
        The network does not fit the images or the classes [fit F1, F2, F3].
    """
    check_fit(graph, data)
    logits = predict(graph, data.images, params=params, state=state)
    predictions = logits.argmax(axis=1).astype(np.int64, copy=False)
    return Score(losses_of(logits, data.labels), predictions, data.labels, len(data.classes))


def losses_of(logits: Array, labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each image's cross-entropy; `faltung.training.losses.cross_entropy` is their mean.

    >>> losses_of(np.zeros((2, 4)), np.array([0, 3])).round(6).tolist()  # log 4
    [1.386294, 1.386294]
    """
    with np.errstate(all="ignore"):
        shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
        total = np.log(np.exp(shifted).sum(axis=1))
        losses: NDArray[np.float64] = total - shifted[np.arange(len(labels)), labels]
        return losses


def predict(
    graph: Graph,
    images: Array,
    *,
    params: Mapping[str, Array] | None = None,
    state: Mapping[str, Array] | None = None,
) -> Array:
    """Return what a network puts out for images, by a plan (see `faltung.compile`).

    Parameters
    ----------
    graph : Graph
        One input (N, C, H, W) and one output (N, classes).
    images : array (N, C, H, W)
        N may be 0.
    params, state : mapping of name to array, optional
        Arrays that stand in for the graph's own.

    Returns
    -------
    array (N, classes)
        Scores, as the network gives them: those of an image do not depend on the others. A network
        that overflows gives infinities or NaN here, without a warning.

    Examples
    --------
    >>> from faltung.graph.layers import Flatten, build
    >>> predict(build(Flatten(), (1, 1, 2)), np.array([[[[3, 9]]], [[[4, 1]]]])).tolist()
    [[3.0, 9.0], [4.0, 1.0]]
    """
    parts = list(parts_of(graph, images, params=params, state=state))
    if not parts:
        classes = graph.shapes()[graph.outputs[0]][1]
        return np.zeros((0, int(classes)), np.float32)
    return np.concatenate(parts)


def parts_of(
    graph: Graph,
    images: Array,
    *,
    params: Mapping[str, Array] | None = None,
    state: Mapping[str, Array] | None = None,
) -> Iterator[Array]:
    """Give what `predict` returns, a hundred images at a time, or less.

    All batches have one size, for which there is one plan: the last begins early enough to be
    whole, which changes no bit.
    """
    if params is not None or state is not None:
        own = {**graph.params, **(params or {})}
        graph = graph.replace(params=own, state={**graph.state, **(state or {})})
    count = len(images)
    size = -(-count // max(1, -(-count // BATCH)))
    for start in range(0, count, max(1, size)):
        first = min(start, count - size)
        batch = images[first : first + size]
        outputs = np.asarray(_plan_of(graph, batch.shape)(batch))
        yield outputs[start - first :]


def _plan_of(graph: Graph, shape: tuple[int, ...]) -> Plan:
    """Return a plan; the last one is kept as long as its network, whose numbers never change."""
    from faltung.plan.compiling import compile as planned

    key, kept = (shape, token()), _kept.get(graph)
    if kept is None or kept[0] != key:
        kept = _kept[graph] = key, planned(graph, shape)
    return kept[1]


_kept: WeakKeyDictionary[Graph, tuple[Hashable, Plan]] = WeakKeyDictionary()
