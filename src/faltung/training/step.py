"""One step down the gradient. Whatever trains takes its steps here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from faltung.graph.graph import Graph
from faltung.ops.operator import Key
from faltung.training.diagnosis import gradient_error, loss_error
from faltung.training.optimisers import AbstractOptimiser
from faltung.training.planned import step_of
from faltung.training.state import Array, TrainState

Loss = Callable[[Array], tuple[float, Array]]
"""From what a network puts out to a loss and its gradient."""


def descend(
    graph: Graph,
    run: TrainState,
    feeds: Mapping[str, Array],
    loss_of: Loss,
    optimiser: AbstractOptimiser,
    *,
    key: Key,
    lr: float,
) -> tuple[float, Array]:
    """Take one step, in place on the parameters, state and moments of ``run``; it counts nothing.

    Parameters
    ----------
    graph
        One output; its structure alone is used.
    run
        The numbers that are trained.
    feeds
        A batch: the inputs by name.
    loss_of
        Compares the output with what it should have been.
    optimiser
        Whose moments ``run`` has.
    key
        Seeds chance.
    lr
        The learning rate of this step.

    Returns
    -------
    loss : float
        Before the step.
    output : array
        What the network put out before the step.

    Raises
    ------
    TrainingError
        The loss or a gradient is not finite: the step and the first layer at fault.
    """
    step = step_of(graph, run, feeds)
    output = step.forward(feeds, key)
    loss, dout = loss_of(output)
    if not math.isfinite(loss):
        raise loss_error(graph, feeds, run, key, loss, lr)
    grads = step.backward(dout)
    if not step.is_finite() and (error := gradient_error(graph, grads, run, loss, lr)):
        raise error
    step.finish(run, optimiser, lr)
    return loss, output
