"""The report on a model: accuracy, which classes it confuses, its worst mistakes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from faltung.cli.judge import Verdict
from faltung.cli.picture import pictures
from faltung.cli.report import finite
from faltung.cli.screen import Screen, percent

MATRIX_CLASSES = 12
"""More classes than these are listed in pairs: their matrix would not fit a terminal."""
PAIRS = 10
LABEL, SHORT = 16, 3
"""Longest class name that a matrix shows, and the longest that can head a column."""


def show(screen: Screen, verdict: Verdict, count: int) -> None:
    """Write the report, or the JSON object in its place."""
    score, images = verdict.score, verdict.subject.images
    if not screen.is_json:
        screen.say(f"data: {images.name}, {len(images):,} images ({verdict.subject.split} part)")
        confusion = score.confusion()
        screen.show(confusion_table(confusion, images.classes, screen.out))
        show_worst(screen, verdict, count)
    right = int((score.predictions == score.labels).sum())
    line = f"accuracy: {percent(score.accuracy)}  ({right:,} of {len(images):,} images)"
    screen.result(line, to_json(verdict, count))


def to_json(verdict: Verdict, count: int) -> dict[str, Any]:
    """Everything in numbers and words."""
    score, subject = verdict.score, verdict.subject
    return {
        "accuracy": finite(score.accuracy),
        "loss": finite(score.loss),
        "images": len(score.labels),
        "seconds": round(verdict.seconds, 3),
        "images_per_second": round(len(score.labels) / max(verdict.seconds, 1e-9), 1),
        "model": str(subject.path),
        "data": subject.data,
        "split": subject.split,
        "classes": list(subject.images.classes),
        "confusion": score.confusion().tolist(),
        "worst": [mistake(verdict, int(index)) for index in score.worst(count)],
    }


def mistake(verdict: Verdict, index: int) -> dict[str, Any]:
    """One wrong prediction."""
    classes, score = verdict.subject.images.classes, verdict.score
    return {
        "index": index,
        "true": classes[score.labels[index]],
        "predicted": classes[score.predictions[index]],
        "confidence": finite(verdict.confidence(index)),
        "loss": finite(float(score.losses[index])),
    }


def confusion_table(
    confusion: NDArray[np.int64], classes: tuple[str, ...], console: Console
) -> Table:
    """The whole matrix where it fits the terminal, else the pairs confused most often."""
    boundless = console.options.update(max_width=1000)
    for title in ("true ╲ taken for", "true"):
        if len(classes) <= MATRIX_CLASSES:
            table = matrix_table(confusion, classes, title)
            if console.measure(table, options=boundless).maximum <= console.width:
                return table
    return pairs_table(confusion, classes)


def matrix_table(confusion: NDArray[np.int64], classes: tuple[str, ...], title: str) -> Table:
    """True classes as rows, predictions as columns, and the share of each row that is right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=0)
    names = [shortened(name) for name in classes]
    are_short = all(len(name) <= SHORT for name in names)
    table.add_column(title, no_wrap=True)
    for number, name in enumerate(names):
        head = Text(name if are_short else str(number))
        table.add_column(head, justify="right", no_wrap=True, min_width=3)
    table.add_column("right", justify="right", no_wrap=True, min_width=7)
    for row, name in enumerate(names):
        counts = confusion[row].tolist()
        cells = [cell(count, row == column) for column, count in enumerate(counts)]
        title = name if are_short else f"{row} {name}"
        right = percent(counts[row] / sum(counts)) if sum(counts) else "no image"
        table.add_row(Text(title), *cells, right)
    return table


def cell(count: int, is_right: bool) -> Text:
    """One entry: none is a dot, mistakes stand out."""
    if not count:
        return Text("·", style="dim")
    return Text(str(count), style="green" if is_right else "bold red")


def pairs_table(confusion: NDArray[np.int64], classes: tuple[str, ...]) -> Table:
    """The pairs of classes that are confused most often."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("true", "taken for"):
        table.add_column(title, overflow="ellipsis")
    table.add_column("images", justify="right", no_wrap=True)
    table.add_column("of its class", justify="right", no_wrap=True)
    wrong = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    for row, column in zip(*np.unravel_index(order, wrong.shape), strict=True):
        count = int(wrong[row, column])
        if count:
            share = percent(count / int(confusion[row].sum()))
            table.add_row(Text(classes[row]), Text(classes[column]), str(count), share)
    return table


def show_worst(screen: Screen, verdict: Verdict, count: int) -> None:
    """The wrong predictions of the highest loss, and pictures of the first ones."""
    worst = verdict.score.worst(count).tolist()
    if not worst:
        return
    screen.say("Worst mistakes:" if len(worst) > 1 else "Worst mistake:", "bold")
    screen.show(mistakes_table([mistake(verdict, index) for index in worst]))
    titles = [f"image {index}" for index in worst]
    drawn = pictures(verdict.subject.images.images[worst], titles, screen.out)
    if drawn is not None:
        screen.show(drawn)


def mistakes_table(mistakes: list[dict[str, Any]]) -> Table:
    """One row a mistake."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("image", justify="right", no_wrap=True)
    table.add_column("true", overflow="ellipsis")
    table.add_column("taken for", overflow="ellipsis")
    table.add_column("confidence", justify="right", no_wrap=True)
    table.add_column("loss", justify="right", no_wrap=True)
    for each in mistakes:
        sure = "" if each["confidence"] is None else percent(each["confidence"])
        loss = "" if each["loss"] is None else f"{each['loss']:.2f}"
        table.add_row(str(each["index"]), Text(each["true"]), Text(each["predicted"]), sure, loss)
    return table


def shortened(name: str) -> str:
    """A class name that leaves the table room."""
    return name if len(name) <= LABEL else name[: LABEL - 1] + "…"
