"""What an estimator learns from, and an epoch of learning."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from faltung.graph.graph import Graph
from faltung.training.batches import batch_count, batches
from faltung.training.losses import mean_squared_error
from faltung.training.recipe import Recipe
from faltung.training.state import Array, TrainState
from faltung.training.step import descend

Loss = Callable[[Array, Array, Array | None], tuple[float, Array]]
"""From outputs, targets and weights to a loss and its gradient by the outputs."""


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """Samples, what they should become, and how much each counts.

    Parameters
    ----------
    samples : array (N, C, *space)
        As the user gave them: a batch is converted when it is fed.
    targets : array (N,) of int64 or (N, outputs) of float64
        Class numbers, or values.
    weights : array (N,) of float64, or None
        None where all count alike.
    loss : function
        Compares outputs with targets.
    """

    samples: Array
    targets: Array
    weights: Array | None
    loss: Loss

    def __len__(self) -> int:
        return len(self.samples)

    def part(self, chosen: Array) -> Lesson:
        """Some of the samples, by position or as a mask."""
        weights = None if self.weights is None else self.weights[chosen]
        return Lesson(self.samples[chosen], self.targets[chosen], weights, self.loss)

    def loss_of(self, outputs: Array) -> tuple[float, Array]:
        """The loss of what a network made of all the samples, and its gradient."""
        return self.loss(outputs, self.targets, self.weights)

    def counted(self) -> Lesson:
        """Without samples of weight 0, and with weights whose mean is 1.

        So a whole weight is the same as a sample repeated, and 0 as one left out, wherever an epoch
        is one batch; and a learning rate means the same whatever the unit of the weights.
        """
        if self.weights is None:
            return self
        kept = self if self.weights.all() else self.part(self.weights > 0)
        weights = kept.weights
        assert weights is not None
        return dataclasses.replace(kept, weights=weights / weights.mean())


@dataclass(frozen=True, slots=True)
class ScaledSquares:
    """Squared errors in units of what the targets vary by, so that a learning rate fits them all.

    Parameters
    ----------
    scale : tuple of float
        The standard deviation of each output's targets.
    """

    scale: tuple[float, ...]

    def __call__(
        self, outputs: Array, targets: Array, weights: Array | None
    ) -> tuple[float, Array]:
        """Return the mean of ``((outputs - targets) / scale)**2`` and its gradient."""
        scale = np.array(self.scale)
        with np.errstate(all="ignore"):  # what is not finite is the caller's
            scaled = outputs.astype(np.float64) / scale
            loss, slope = mean_squared_error(scaled, targets / scale, weights)
            return loss, (slope / scale).astype(outputs.dtype)


def steps_of(lesson: Lesson, recipe: Recipe) -> int:
    """Steps of all epochs together."""
    return recipe.epochs * batch_count(len(lesson), recipe.batch)


def run_epoch(
    graph: Graph, run: TrainState, lesson: Lesson, recipe: Recipe, total_steps: int
) -> float:
    """See every sample once; the mean loss of the batches, each before its step.

    Raises
    ------
    TrainingError
        A loss or a gradient that is not finite.
    """
    optimiser, schedule, total = recipe.optimiser_of(), recipe.schedule_of(), 0.0
    (value,) = graph.inputs
    for batch, chosen in batches(len(lesson), recipe.batch, seed=run.seed, epoch=run.epoch):
        part, key = lesson.part(chosen), (run.seed, run.epoch, batch)
        lr = schedule.lr(run.step, max(total_steps, run.step + 1))
        with np.errstate(all="ignore"):  # what is not finite is an error of ours, not a warning
            feeds = {value.name: part.samples}
            loss, _ = descend(graph, run, feeds, part.loss_of, optimiser, key=key, lr=lr)
        run.step, total = run.step + 1, total + loss * len(chosen)
    run.epoch += 1
    return total / len(lesson)
