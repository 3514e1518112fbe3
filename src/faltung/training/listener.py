"""What training tells whoever watches it. It draws nothing: a command line or a page does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Plan:
    """Said once, before the first step.

    ``step`` is where the run stands: 0, or the checkpoint's step. ``images`` are those of an
    epoch, ``held_out`` those kept back for validation.
    """

    step: int
    total_steps: int
    epoch: int
    epochs: int
    batches: int
    images: int
    held_out: int


@dataclass(frozen=True, slots=True)
class Step:
    """Said after each step: ``step`` counts from 1, ``epoch`` and ``batch`` from 0."""

    step: int
    epoch: int
    batch: int
    images: int
    loss: float
    accuracy: float
    lr: float


@dataclass(frozen=True, slots=True)
class Epoch:
    """Said after each epoch, counted from 0; the means over its training batches.

    The validation's numbers are None where nothing is held out. ``seconds`` counts from the
    start of the run, those of its earlier processes included.
    """

    epoch: int
    step: int
    loss: float
    accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float
    images_per_second: float


class Listener(Protocol):
    """Whom `faltung.training.loop.train` reports to."""

    def begin(self, plan: Plan) -> None:
        """The run is about to start, or to go on."""

    def step(self, report: Step) -> None:
        """A step was taken."""

    def epoch(self, report: Epoch) -> None:
        """An epoch is over."""

    def note(self, text: str) -> None:
        """Something that a user should know, in one line."""


class Silent:
    """Listens and says nothing. Inherit it to hear a part."""

    def begin(self, plan: Plan) -> None:
        """See `Listener.begin`."""

    def step(self, report: Step) -> None:
        """See `Listener.step`."""

    def epoch(self, report: Epoch) -> None:
        """See `Listener.epoch`."""

    def note(self, text: str) -> None:
        """See `Listener.note`."""
