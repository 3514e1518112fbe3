"""One run in memory: its steps and epochs. It reads and writes no file and draws nothing."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field

import numpy as np

from faltung.datasets import Dataset
from faltung.graph.graph import Graph
from faltung.training.batches import batch_count, rng
from faltung.training.diagnosis import validation_error
from faltung.training.evaluation import Score, score
from faltung.training.listener import Epoch, Plan, Step
from faltung.training.losses import cross_entropy
from faltung.training.progress import Progress
from faltung.training.recipe import Recipe
from faltung.training.state import Array, TrainState
from faltung.training.step import descend


@dataclass(slots=True, eq=False)
class Run:
    """A network that is being trained.

    Everything that decides the next step is in ``graph``'s structure, ``recipe``, ``images``,
    ``train_state`` and ``progress``; the last two are what a checkpoint holds.

    Parameters
    ----------
    graph : Graph
        Structure and first weights.
    recipe : Recipe
        How it is trained.
    images : Dataset
        What it learns from.
    held_out : Dataset or None
        What it is watched on.
    """

    graph: Graph
    recipe: Recipe
    images: Dataset
    held_out: Dataset | None
    train_state: TrainState = field(init=False)
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        params = dict(self.graph.params)
        moments = self.recipe.optimiser_of().init(params)
        self.train_state = TrainState(params, dict(self.graph.state), moments, self.recipe.seed)

    @property
    def batches(self) -> int:
        """Steps in an epoch."""
        return batch_count(len(self.images), self.recipe.batch)

    @property
    def total_steps(self) -> int:
        """Steps of a run that is not stopped early."""
        return self.recipe.epochs * self.batches

    def plan(self) -> Plan:
        """What is about to happen."""
        return Plan(
            step=self.train_state.step,
            total_steps=self.total_steps,
            epoch=self.train_state.epoch,
            epochs=self.recipe.epochs,
            batches=self.batches,
            images=len(self.images),
            held_out=0 if self.held_out is None else len(self.held_out),
        )

    def step(self, batch: int, chosen: Array) -> Step:
        """Learn from the images ``chosen``, batch ``batch`` of the running epoch.

        Raises
        ------
        TrainingError
            The loss or a gradient is not finite: the step and the first layer at fault.
        """
        start, run = time.perf_counter(), self.train_state
        lr = self.recipe.schedule_of().lr(run.step, self.total_steps)
        labels = self.images.labels[chosen]
        with np.errstate(all="ignore"):  # what is not finite is an error of ours, not a warning
            loss, right = self._learn(self._augmented(batch, chosen), labels, batch, lr)
        run.step, run.batch = run.step + 1, batch + 1
        self.progress.add_batch(len(chosen), right, loss)
        self.progress.step_seconds += time.perf_counter() - start
        accuracy = right / len(chosen)
        return Step(run.step, run.epoch, batch, len(chosen), loss, accuracy, lr)

    def _augmented(self, batch: int, chosen: Array) -> Array:
        images: Array = self.images.images[chosen]
        chance = rng(self.recipe.seed, "augment", self.train_state.epoch, batch)
        for augmentation in self.recipe.augmentations():
            images = augmentation.apply(images, chance)
        return images

    def _learn(self, images: Array, labels: Array, batch: int, lr: float) -> tuple[float, int]:
        """One step down the gradient: the loss before it, and how many predictions were right."""
        graph, run = self.graph, self.train_state
        loss, logits = descend(
            graph,
            run,
            {graph.inputs[0].name: images},
            lambda logits: cross_entropy(logits, labels),
            self.recipe.optimiser_of(),
            key=(run.seed, run.epoch, batch),
            lr=lr,
        )
        return loss, int(np.count_nonzero(logits.argmax(axis=1) == labels))

    def end_epoch(self) -> Epoch:
        """Watch the held-out images, remember the best weights, and turn to the next epoch.

        Raises
        ------
        TrainingError
            The loss on the held-out images is not finite.
        """
        run, progress = self.train_state, self.progress
        watched, epoch = self.validation(), run.epoch
        if watched and progress.is_better(epoch, watched.accuracy, watched.loss):
            self._keep_best()
        run.epoch, run.batch = epoch + 1, 0
        stops = 0 < self.recipe.patience <= progress.stale
        progress.is_finished = stops or run.epoch == self.recipe.epochs
        loss, accuracy = progress.end_epoch()
        return Epoch(
            epoch,
            run.step,
            loss,
            accuracy,
            watched.loss if watched else None,
            watched.accuracy if watched else None,
            progress.seconds,
            progress.images_per_second,
        )

    def _keep_best(self) -> None:
        run = self.train_state
        if self.recipe.patience:
            run.best = {
                word: {name: values.copy() for name, values in arrays.items()}
                for word, arrays in (("params", run.params), ("state", run.state))
            }

    def validation(self) -> Score | None:
        """How the weights of this moment do on the images held out."""
        if self.held_out is None:
            return None
        run = self.train_state
        found = score(self.graph, self.held_out, params=run.params, state=run.state)
        if not math.isfinite(found.loss):
            first = int(np.isfinite(found.losses).argmin())
            feeds = {self.graph.inputs[0].name: self.held_out.images[first : first + 1]}
            with np.errstate(all="ignore"):
                raise validation_error(self.graph, feeds, run, found.loss)
        return found

    def trained(self) -> Graph:
        """The network with its weights: the best ones with early stopping, else the last."""
        run = self.train_state
        best = run.best or {"params": run.params, "state": run.state}
        # In the graph's order, which a checkpoint does not keep: equal runs make equal files.
        params = {name: best["params"][name] for name in self.graph.params}
        state = {name: best["state"][name] for name in self.graph.state}
        return self.graph.replace(params=params, state=state)
