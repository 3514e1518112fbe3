"""A model and the images it is judged by: found, matched, scored."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from faltung.cli.runs import MODEL, read_record
from faltung.cli.screen import Screen
from faltung.cli.settings import network_name, read_data
from faltung.datasets import NAMES, Dataset
from faltung.errors import DatasetError, FaltungError, ModelFileError, message
from faltung.graph import Graph, load
from faltung.training.evaluation import BATCH, Score, losses_of, parts_of
from faltung.training.fit import check_fit
from faltung.training.start import start_from

MANY = 1000
"""Images from which on there is a bar."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A model beside images that fit it."""

    path: Path
    graph: Graph
    images: Dataset
    data: str
    data_dir: str | None
    split: str
    notes: tuple[str, ...]

    def options(self) -> list[str]:
        """The options that name the data."""
        return ["--data", self.data, *(["--data-dir", self.data_dir] if self.data_dir else [])]


@dataclass(frozen=True, eq=False)
class Verdict:
    """What the model made of the images; ``logits`` (N, classes) are its scores."""

    subject: Subject
    logits: NDArray[np.float64]
    score: Score
    seconds: float

    def confidence(self, index: int) -> float:
        """The probability that the model gives to its own prediction."""
        row = self.logits[index]
        return float(np.exp(row.max() - row.max()) / np.exp(row - row.max()).sum())


def model_file(path: Path) -> Path:
    """The file itself, or the model in the folder of a run.

    Raises
    ------
    ModelFileError
        There is none.
    """
    if path.is_dir():
        if not (path / MODEL).is_file():
            cure = "Name an ONNX file, or the folder of a finished run"
            rule = f"is a folder without {MODEL}"
            raise ModelFileError(message(str(path), rule, None, cure))
        return path / MODEL
    if not path.exists():
        cure = "Name an ONNX file, or make one with faltung train"
        raise ModelFileError(message(str(path), "there is no such model", None, cure))
    return path


def open_model(path: Path, data: str | None, data_dir: str | None, split: str) -> Subject:
    """Read a model and the images to judge it by, its own data set unless another is named."""
    graph = load(path)
    if data is None:
        data, known_dir = own_data(graph, path)
        data_dir = data_dir or known_dir
    parts = read_data(data, data_dir, network_name(graph, str(path)))
    images = parts[0] if split == "train" else parts[1]
    notes = [images.note] if images.note else []
    images, odd = in_order(images, class_names(graph), path)
    sized = fitting(graph, images)
    return Subject(path, sized, images, data, data_dir, split, (*notes, *odd))


def own_data(graph: Graph, path: Path) -> tuple[str, str | None]:
    """The data that a model was trained on: what its run wrote down, else what it says itself.

    Raises
    ------
    DatasetError
        Neither says it.
    """
    try:
        settings = read_record(path.parent)
    except FaltungError:
        settings = None
    if settings is not None:
        return settings.data, settings.data_dir
    name = graph.metadata.get("dataset", "").removesuffix(" 0 and 1")
    if name not in NAMES:
        rule = "does not say which data it was trained on"
        raise DatasetError(message(str(path), rule, None, "Name some with --data"))
    return name, None


def class_names(graph: Graph) -> tuple[str, ...]:
    """The names in a model's metadata; none where it has no list of them."""
    try:
        names = json.loads(graph.metadata.get("classes", "[]"))
    except ValueError:
        return ()
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(names) if is_list else ()


def in_order(images: Dataset, names: tuple[str, ...], path: Path) -> tuple[Dataset, list[str]]:
    """The images with their classes numbered as the model numbers them, and what is odd."""
    if not names or names == images.classes or len(names) != len(images.classes):
        return images, []
    if set(names) != set(images.classes):
        ours, theirs = ", ".join(names[:3]), ", ".join(images.classes[:3])
        return images, [f"{path} knows other classes ({ours}, ...) than the data ({theirs}, ...)"]
    number = np.array([names.index(name) for name in images.classes])
    return images.with_labels(number[images.labels], names), []


def fitting(graph: Graph, images: Dataset) -> Graph:
    """The model for images of this size, its scores those before a softmax.

    Raises
    ------
    GraphError
        It cannot take them, or has another number of classes [fit F1, F2, F3].
    """
    sized = resized(graph, images.image_shape)
    check_fit(sized, images)
    return start_from(sized, len(images.classes), images.image_shape)


def resized(graph: Graph, image_shape: tuple[int, ...]) -> Graph:
    """The model for images of another size, if it works on any; else as it is."""
    try:
        sized = graph.with_input_shape(("N", *image_shape))
        sized.shapes()
    except FaltungError:
        if tuple(graph.inputs[0].shape[1:]) == image_shape:
            raise
        return graph
    return sized


def judge(screen: Screen, subject: Subject) -> Verdict:
    """Run the model on all images."""
    start = time.perf_counter()
    pixels, labels = subject.images.images, subject.images.labels
    parts = track(
        parts_of(subject.graph, pixels),
        "evaluating",
        total=-(-len(labels) // BATCH),
        console=screen.err,
        transient=True,
        disable=screen.is_quiet or not screen.err.is_terminal or len(labels) <= MANY,
    )
    logits = np.concatenate(list(parts)).astype(np.float64)
    predictions = logits.argmax(axis=1).astype(np.int64)
    result = Score(losses_of(logits, labels), predictions, labels, logits.shape[1])
    return Verdict(subject, logits, result, time.perf_counter() - start)
