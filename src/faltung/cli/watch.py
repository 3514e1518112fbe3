"""Training as it goes: a bar where somebody watches, a line an epoch everywhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from faltung.cli.screen import Screen, percent, write
from faltung.training.listener import Epoch, Plan, Silent, Step

SMOOTHING = 0.95
"""Share of the past in the loss and accuracy beside the bar, which else would flicker."""
NARROW = 78


class Watch(Silent):
    """Listens to a training run and draws it on standard error. Use it as a context manager."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.taken = self.first_step = self.epochs = 0
        self._images, self._start = 0, time.perf_counter()
        self._loss = self._accuracy = self._weight = 0.0
        self._task: TaskID | None = None
        is_live = screen.err.is_terminal and not screen.err.is_dumb_terminal
        self._bar = _bar(screen.err) if is_live and not screen.is_quiet else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.stop()

    def begin(self, plan: Plan) -> None:
        """Say where the run stands."""
        self.taken = self.first_step = plan.step
        self.epochs = plan.epochs
        if plan.step:
            self._line(resumption(plan))
        self._start = time.perf_counter()
        if self._bar is not None:
            self._task = self._bar.add_task("", total=plan.total_steps, numbers="")
            self._show(min(plan.epoch + 1, plan.epochs), "")
            self._bar.start()

    def step(self, report: Step) -> None:
        """Move the bar."""
        self.taken = report.step
        self._images += report.images
        self._loss = self._smooth(self._loss, report.loss)
        self._accuracy = self._smooth(self._accuracy, report.accuracy)
        self._weight = self._smooth(self._weight, 1.0)
        self._show(report.epoch + 1, self._numbers())

    def epoch(self, report: Epoch) -> None:
        """Write the line of an epoch."""
        digits = len(str(self.epochs))
        watched = report.validation_accuracy
        words = [
            f"epoch {report.epoch + 1:>{digits}}/{self.epochs}",
            f"loss {report.loss:.4f}",
            f"accuracy {percent(report.accuracy)}",
            *([] if watched is None else [f"validation {percent(watched)}"]),
            f"{report.images_per_second:,.0f} images/s",
        ]
        self._line("  ".join(words))

    def note(self, text: str) -> None:
        """Write what a user should know."""
        self.screen.note(text)

    def _show(self, epoch: int, numbers: str) -> None:
        if self._bar is not None and self._task is not None:
            text = f"epoch {epoch}/{self.epochs}"
            self._bar.update(self._task, completed=self.taken, description=text, numbers=numbers)

    def _line(self, text: str) -> None:
        if not self.screen.is_quiet:
            write(self.screen.err, text)

    def _smooth(self, past: float, now: float) -> float:
        return SMOOTHING * past + (1 - SMOOTHING) * now

    def _numbers(self) -> str:
        loss, accuracy = self._loss / self._weight, percent(self._accuracy / self._weight)
        rate = f"{self._images / max(time.perf_counter() - self._start, 1e-9):,.0f}"
        if self.screen.err.width < NARROW:
            return f"loss {loss:.3f}  {accuracy}  {rate}/s"
        return f"loss {loss:.3f}  accuracy {accuracy}  {rate} images/s"


def resumption(plan: Plan) -> str:
    """Where a run goes on."""
    if plan.step >= plan.total_steps:
        return f"resuming from step {plan.step:,}, the last one: nothing is left to train"
    place = f"step {plan.step:,} of {plan.total_steps:,}"
    return f"resuming from {place} (epoch {plan.epoch + 1} of {plan.epochs})"


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[numbers]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
        console=console,
        transient=True,
        expand=True,
    )
