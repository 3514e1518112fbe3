"""The report beside a trained model: how training went, what it learned, where it errs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung import atomic
from faltung.analysis import summarize
from faltung.analysis.dpp import most_different
from faltung.analysis.feature_maps import feature_maps
from faltung.analysis.learned import convolutions
from faltung.datasets import Dataset
from faltung.graph import Graph
from faltung.training.evaluation import Score, predict
from faltung.training.metrics import read_rows
from faltung.viz import confusion, curves, filters, mistakes
from faltung.viz import feature_maps as maps
from faltung.viz.page import Section, page

if TYPE_CHECKING:
    from faltung.training.loop import TrainingResult

WORST: Final = 10
"""Mistakes that are shown."""
DIFFERENT: Final = 6
"""Filters that are chosen for being different; at most half of a layer's."""


def write(
    path: str | os.PathLike[str], result: TrainingResult, test_set: Dataset | None = None
) -> Path:
    """Write a report on a training run: one HTML file that needs nothing else.

    Parameters
    ----------
    path
        Where to; the folder must exist.
    result
        What `faltung.training.loop.train` returned.
    test_set
        The images that ``result.test`` is the score of.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    graph = result.graph
    network = graph.metadata.get("network", "network")
    title = f"{network} on {graph.metadata.get('dataset', 'images')}"
    html = page(title, facts(result), list(_sections(result, test_set)))
    atomic.write_bytes(path, html.encode())
    return Path(path)


def facts(result: TrainingResult) -> list[tuple[str, str]]:
    """Return what a reader looks for first.

    Parameters
    ----------
    result
        What `faltung.training.loop.train` returned.
    """
    summary = summarize(result.graph)
    told = []
    for name, score in (("test accuracy", result.test), ("held-out accuracy", result.validation)):
        if score is not None:
            told.append((name, f"{100 * score.accuracy:.1f} %"))
    return [
        *told,
        ("parameters", f"{summary.params:,}"),
        ("multiplications an image", f"{summary.macs:,}"),
        ("epochs", f"{result.epochs}"),
        ("trained for", f"{result.seconds:.1f} s"),
    ]


def _sections(result: TrainingResult, test_set: Dataset | None) -> Iterator[Section]:
    graph = result.graph
    rows = [] if result.metrics is None else read_rows(result.metrics)
    if rows:
        text = "Loss and accuracy, of the batches trained on and of the images held out."
        yield Section("Curves", text, curves.draw(rows))
    if test_set is not None and result.test is not None and len(test_set):
        yield from _judged(graph, result.test, test_set)
    yield from _learned(graph)
    if test_set is not None and len(test_set):
        yield _on_its_way(graph, test_set)
    table = summarize(graph)
    text = (
        "Sees: the pixels that one output depends on, its receptive field. Dense params: "
        "parameters of a dense layer between the same input and output."
    )
    yield Section("Layers", text, table.blocks()[0])


def _judged(graph: Graph, score: Score, test_set: Dataset) -> Iterator[Section]:
    """What it gets wrong."""
    text = "Rows are what the test images are, columns what they were taken for."
    drawn = confusion.draw(score.confusion(), test_set.classes)
    yield Section("Confusion", text, drawn)
    worst = score.worst(WORST)
    wrong = int((score.predictions != score.labels).sum())
    text = f"{wrong:,} of {len(score.labels):,} test images are taken for another class."
    if not len(worst):
        yield Section("Mistakes", text)
        return
    shown = [
        mistakes.Mistake(
            test_set.images[index],
            test_set.classes[score.labels[index]],
            test_set.classes[score.predictions[index]],
            share,
        )
        for index, share in zip(worst, _confidence(graph, test_set.images[worst]), strict=True)
    ]
    more = " The worst by their loss, with how sure the network was:"
    yield Section("Mistakes", text + more, mistakes.draw(shown, title=" "))


def _confidence(graph: Graph, images: NDArray[Any]) -> list[float]:
    """The probability that the network gives to its own prediction."""
    logits = predict(graph, images).astype(np.float64)
    shares = 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
    return [float(share) for share in shares]


def _learned(graph: Graph) -> Iterator[Section]:
    """The filters of the first convolution."""
    first = next(iter(convolutions(graph).items()), None)
    if first is None:
        return
    name, w = first
    text = f"What {name} learned: positive weights blue, negative ones vermilion."
    yield Section("Filters", text, filters.draw(w))
    chosen = most_different(w, min(DIFFERENT, max(len(w) // 2, 1)))
    text = (
        "Chosen by a determinantal point process, which draws sets of filters the more often "
        "the less alike they are: by exp(-|u - v|²/2), u and v being filters scaled to length 1."
    )
    yield Section("The most different filters", text, filters.draw_chosen(w, chosen))


def _on_its_way(graph: Graph, test_set: Dataset) -> Section:
    """The first test image through all layers."""
    name = test_set.classes[test_set.labels[0]]
    text = f"The first test image, which is {name}, and what each layer makes of it."
    layers = feature_maps(graph, test_set.images[0])
    drawn = maps.draw(test_set.images[0], layers, classes=test_set.classes)
    return Section("Feature maps", text, drawn)
