"""What a reader hands to the catalogue, and how it turns a parser's failure into one line."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from faltung.datasets.dataset import Dataset, Labels
from faltung.errors import DatasetError, message
from faltung.files.parsing import parsing as parsing_into

SPLITS = ("train", "test")


@dataclass(frozen=True)
class Source:
    """Data found but not yet read: ``read("train")``, and ``read("test")`` if ``has_test``."""

    read: Callable[[str], Dataset]
    has_test: bool


def parsing(path: Path, cure: str) -> AbstractContextManager[None]:
    """Around somebody else's parser: whatever it raises on bad bytes names the file."""
    return parsing_into(path, cure, DatasetError)


def check_every_class(labels: Labels, classes: tuple[str, ...], where: str) -> None:
    """Refuse a training part in which a class has no image."""
    present = set(labels.tolist())
    missing = next((index for index in range(len(classes)) if index not in present), None)
    if missing is not None:
        values = {"class": repr(classes[missing])}
        cure = "Add images of it or take the class away"
        raise DatasetError(message(where, "a class has no image", values, cure))


def numbered_classes(labels: Labels, where: str) -> tuple[str, ...]:
    """Names "0", "1", ... for labels that come without any."""
    # More classes than images means an empty class: say so before naming a billion of them.
    largest = int(labels.max(initial=-1))
    if largest >= len(labels):
        values = {"label": largest, "images": len(labels)}
        cure = "Number the classes from 0 without gaps"
        raise DatasetError(message(where, "labels are larger than the data", values, cure))
    classes = tuple(map(str, range(largest + 1)))
    check_every_class(labels, classes, where)
    return classes
