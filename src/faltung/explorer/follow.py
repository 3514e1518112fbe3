"""A training run step by step, so that somebody can look at the network on its way."""

from __future__ import annotations

from collections.abc import Iterator

from faltung.datasets import Dataset
from faltung.graph import Graph
from faltung.training.batches import batches
from faltung.training.listener import Epoch, Step
from faltung.training.recipe import Recipe
from faltung.training.run import Run


def begun(graph: Graph, train_set: Dataset, recipe: Recipe) -> Run:
    """Return a run before its first step, its share of the images held out."""
    learned, held_out = train_set, None
    if recipe.validation:
        learned, held_out = train_set.split(recipe.validation, recipe.seed)
    return Run(graph, recipe, learned, held_out)


def reports(run: Run) -> Iterator[Step | Epoch]:
    """Take the steps of a run, as `faltung.training.train` does, and give the report on each."""
    while not run.progress.is_finished:
        at = run.train_state
        for batch, chosen in batches(
            len(run.images), run.recipe.batch, seed=at.seed, epoch=at.epoch, start=at.batch
        ):
            yield run.step(batch, chosen)
            if batch + 1 == run.batches:
                yield run.end_epoch()
