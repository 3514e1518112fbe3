"""Counters of a run that are no weights: what a checkpoint needs beside the `TrainState`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from faltung.training.environment import JSON


@dataclass(slots=True)
class Progress:
    """Where a run stands.

    ``seen``, ``right`` and ``loss_sum`` belong to the epoch that is running; ``best_accuracy``,
    ``best_loss`` and ``best_epoch`` to the best one so far, ``stale`` counts epochs since.
    ``seconds`` and ``step_seconds`` are those of every process that worked on the run: all of it,
    and its steps alone.
    """

    images: int = 0
    seen: int = 0
    right: int = 0
    loss_sum: float = 0.0
    best_accuracy: float = -1.0
    best_loss: float = 0.0
    best_epoch: int = -1
    stale: int = 0
    is_finished: bool = False
    seconds: float = 0.0
    step_seconds: float = 0.0

    def add_batch(self, images: int, right: int, loss: float) -> None:
        """Count a batch; ``loss`` is its mean."""
        self.images += images
        self.seen += images
        self.right += right
        self.loss_sum += loss * images

    def end_epoch(self) -> tuple[float, float]:
        """Mean loss and accuracy of the epoch; the next one counts from 0."""
        means = self.loss_sum / self.seen, self.right / self.seen
        self.seen = self.right = 0
        self.loss_sum = 0.0
        return means

    def is_better(self, epoch: int, accuracy: float, loss: float) -> bool:
        """Whether a validation is the best so far, which is remembered: accuracy, then loss."""
        if (accuracy, -loss) > (self.best_accuracy, -self.best_loss):
            self.best_accuracy, self.best_loss = accuracy, loss
            self.best_epoch, self.stale = epoch, 0
            return True
        self.stale += 1
        return False

    @property
    def images_per_second(self) -> float:
        """Images trained on in a second of steps."""
        return self.images / self.step_seconds if self.step_seconds else 0.0

    def to_json(self) -> dict[str, JSON]:
        """The counters as JSON writes them; floats come back as they were."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Progress:
        """The counters of a record that `to_json` made."""
        return cls(**record)
