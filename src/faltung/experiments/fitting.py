"""How the networks of an experiment are trained: the same steps, batches and optimiser for all."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from faltung.datasets import Dataset
from faltung.experiments.digits import some
from faltung.graph.graph import Graph
from faltung.graph.layers import AbstractLayer, build
from faltung.training.batches import batch_count
from faltung.training.loop import train
from faltung.training.recipe import Recipe
from faltung.training.state import Array, TrainState
from faltung.training.step import descend as one_step

BATCH: Final = 50
LR: Final = 5e-3

Batch = tuple[Array, Array]
Loss = Callable[[Array, Array], tuple[float, Array]]
After = Callable[[dict[str, Array], float], None]


def recipe_of(images: int, steps: int, seed: int, lr: float = LR) -> Recipe:
    """Return the recipe that takes about so many steps: whole passes over the images.

    >>> recipe_of(6000, 360, 0).epochs, recipe_of(120, 360, 0).epochs, recipe_of(6000, 5, 0).epochs
    (3, 120, 1)
    """
    epochs = max(1, round(steps / batch_count(images, BATCH)))
    return Recipe(epochs=epochs, batch=BATCH, lr=lr, validation=0.0, seed=seed)


def fit(network: AbstractLayer, data: Dataset, steps: int, seed: int) -> Graph:
    """Return a network that was trained for about so many steps of `BATCH` images.

    Parameters
    ----------
    network
        From raw pixels to scores.
    data
        What it learns from; of more images than the steps can see, some are taken.
    steps
        Rounded to whole passes over the images.
    seed
        Of weights, of the order of the images, and of which are taken.
    """
    seen = some(data, steps * BATCH, seed)
    graph = build(network, data.image_shape, seed=seed)
    return train(graph, seen, recipe=recipe_of(len(seen), steps, seed)).graph


def descend(
    graph: Graph,
    batch: Callable[[int], Batch],
    loss: Loss,
    *,
    recipe: Recipe,
    steps: int,
    after: After | None = None,
) -> Graph:
    """Return a trained network, for what `faltung.training.train` has no place for.

    Parameters
    ----------
    graph
        One input and one output.
    batch
        Gives inputs and targets of each step.
    loss
        Gives a loss and its gradient, of outputs and targets.
    recipe
        Optimiser and schedule are taken from it.
    steps
        How many.
    after
        Called after each step with the parameters, to be changed in place, and the step's learning
        rate.
    """
    optimiser, schedule = recipe.optimiser_of(), recipe.schedule_of()
    params = dict(graph.params)
    state = TrainState(params, dict(graph.state), optimiser.init(params), recipe.seed)
    (value,) = graph.inputs
    for step in range(steps):
        inputs, targets = batch(step)
        feeds, lr = {value.name: inputs}, schedule.lr(step, steps)
        how: dict[str, Any] = {"key": (recipe.seed, step), "lr": lr}
        one_step(graph, state, feeds, partial(_judged, loss, targets), optimiser, **how)
        state.step = step + 1
        if after is not None:
            after(state.params, lr)
    return graph.replace(params=state.params)


def _judged(loss: Loss, targets: Array, outputs: Array) -> tuple[float, Array]:
    return loss(outputs, targets)
