"""What a training run says at its end: table, accuracy, model, and what to try next."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faltung.analysis import Summary, summarize
from faltung.cli.layers_table import LEGEND, layers_table
from faltung.cli.screen import Screen, command, percent
from faltung.cli.settings import Settings
from faltung.training.loop import TrainingResult

NEXT_NET = {"zero-one": "small", "small": "lenet", "lenet": "resnet", "resnet": "small"}
"""The network to try after another one."""


@dataclass(frozen=True)
class Trained:
    """A run that came to its end, and where its model and its page of pictures lie."""

    settings: Settings
    result: TrainingResult
    model: Path
    page: Path | None
    resumed_from: int | None

    def to_json(self) -> dict[str, Any]:
        """Everything in numbers and words."""
        result, settings, summary = self.result, self.settings, summarize(self.result.graph)
        test, watched = result.test, result.validation
        return {
            "test_accuracy": None if test is None else finite(test.accuracy),
            "test_loss": None if test is None else finite(test.loss),
            "test_images": 0 if test is None else len(test.labels),
            "validation_accuracy": None if watched is None else finite(watched.accuracy),
            "seconds": round(result.seconds, 3),
            "images_per_second": round(result.images_per_second, 1),
            "epochs": result.epochs,
            "steps": result.steps,
            "best_epoch": None if result.best_epoch is None else result.best_epoch + 1,
            "stopped_early": result.is_early,
            "resumed_from_step": self.resumed_from,
            "params": summary.params,
            "macs": summary.macs,
            "connections": summary.connections,
            "model": str(self.model),
            "report": None if self.page is None else str(self.page),
            "net": settings.net,
            "init": settings.init,
            "data": settings.data,
            "seed": settings.recipe.seed,
            "recipe": result.recipe.to_json(),
        }


def finite(number: float) -> float | None:
    """The number, or None where JSON has no word for it."""
    return number if math.isfinite(number) else None


def show(screen: Screen, trained: Trained) -> None:
    """Write the report, or the JSON object in its place."""
    result = trained.result
    summary = summarize(result.graph)
    if not screen.is_json:
        screen.show(layers_table(summary, screen.out.width))
        for line in LEGEND:
            screen.tell(line, "dim")
        for line in (dense_line(summary), stopped_line(trained), time_line(result)):
            if line:
                screen.tell(line)
    lines = [accuracy_line(result), f"model: {trained.model}"]
    if trained.page is not None:
        lines.append(f"report: {trained.page}")
    screen.result("\n".join(lines), trained.to_json())
    if not screen.is_json:
        show_next(screen, trained)


def dense_line(summary: Summary) -> str:
    """What sharing its kernels saves a network."""
    windows = [layer for layer in summary.layers if layer.operator == "Conv"]
    shared = sum(layer.params for layer in windows)
    dense = sum(layer.dense_params or 0 for layer in windows)
    if not windows:
        return ""
    return f"Its convolutions have {shared:,} parameters; as dense layers, {dense:,}."


def stopped_line(trained: Trained) -> str:
    """Why a run was over before its time."""
    result = trained.result
    if not result.is_early or result.best_epoch is None:
        return ""
    best = f"kept the weights of epoch {result.best_epoch + 1}"
    return f"Stopped early after {result.epochs} of {result.recipe.epochs} epochs; {best}."


def time_line(result: TrainingResult) -> str:
    """How long it took."""
    rate = f"{result.images_per_second:,.0f} images/s"
    work = f"{result.epochs} epochs, {result.steps:,} steps"
    return f"Trained {work}, in {result.seconds:.1f} s ({rate})."


def accuracy_line(result: TrainingResult) -> str:
    """How many of the test images it gets right."""
    if result.test is None:
        return "no test images"
    labels, predictions = result.test.labels, result.test.predictions
    right = int((labels == predictions).sum())
    share = percent(result.test.accuracy)
    return f"test accuracy: {share}  ({right:,} of {len(labels):,} test images)"


def show_next(screen: Screen, trained: Trained) -> None:
    """Write three commands that work as they stand here."""
    screen.say()
    screen.say("Next, try:", "bold")
    for arguments, purpose in next_commands(trained):
        screen.say(f"  {command(*arguments)}", "cyan")
        screen.tell(f"      {purpose}", "dim")


def next_commands(trained: Trained) -> list[tuple[list[str], str]]:
    """What to do with a trained model: look at it, train it on, compare it."""
    settings, model = trained.settings, str(trained.model)
    other = NEXT_NET.get(settings.net, "small")
    images = "all the classes" if settings.net == "zero-one" else "the same images"
    data = [] if settings.data_options() == ["--data", "sample"] else settings.data_options()
    rate = f"{settings.recipe.lr / 10:g}"
    return [
        (["evaluate", model], "which classes it confuses, and its worst mistakes"),
        (
            ["train", *data, "--init", model, "--epochs", "2", "--lr", rate],
            "go on from these weights, in smaller steps",
        ),
        (["train", *data, "--net", other], f"{images}, with the network {other}"),
    ]
