"""What training tells whoever watches it. It draws nothing: a command line or a page does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Plan:
    """Said once, before the first step.

    Parameters
    ----------
    step, total_steps : int
        Where the run stands, 0 or the checkpoint's step, and where it ends.
    epoch, epochs : int
        The same in epochs.
    batches : int
        Steps of an epoch.
    images : int
        Those of an epoch.
    held_out : int
        Images kept back for validation.
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
    """Said after each step.

    Parameters
    ----------
    step : int
        Counted from 1, over the whole run.
    epoch, batch : int
        Counted from 0, the batch within its epoch.
    images : int
        Those of the batch.
    loss, accuracy : float
        The batch's mean cross-entropy, and the share told right, before the step.
    lr : float
        The learning rate of the step.
    """

    step: int
    epoch: int
    batch: int
    images: int
    loss: float
    accuracy: float
    lr: float


@dataclass(frozen=True, slots=True)
class Epoch:
    """Said after each epoch.

    Parameters
    ----------
    epoch, step : int
        The epoch counted from 0; the steps taken by its end.
    loss, accuracy : float
        Means over the images of its training batches, each as it was when it was trained on.
    validation_loss, validation_accuracy : float or None
        Of the images held out, at the end of the epoch; None where there are none.
    seconds : float
        Since the start of the run, those of its earlier processes included.
    images_per_second : float
        Of the training alone.
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
        """Hear that the run is about to start, or to go on, as ``plan`` says."""

    def step(self, report: Step) -> None:
        """Hear that a step was taken, and the ``report`` on it."""

    def epoch(self, report: Epoch) -> None:
        """Hear that an epoch is over, and the ``report`` on it."""

    def note(self, text: str) -> None:
        """Hear something that a user should know: ``text``, one line."""


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
