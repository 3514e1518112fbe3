"""One step down the gradient. Whatever trains takes its steps here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from faltung.graph.evaluate import evaluate
from faltung.graph.gradients import gradients
from faltung.graph.graph import Graph
from faltung.ops.operator import Key
from faltung.training.diagnosis import gradient_error, loss_error
from faltung.training.optimisers import AbstractOptimiser
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
    (output,) = graph.outputs
    done = evaluate(
        graph, feeds, params=run.params, state=run.state, training=True, key=key, record=True
    )
    loss, dout = loss_of(done.values[output])
    if not math.isfinite(loss):
        raise loss_error(graph, feeds, run, key, loss, lr)
    grads = gradients(graph, done, {output: dout}, wanted=run.params)
    if error := gradient_error(graph, grads, run, loss, lr):
        raise error
    optimiser.update(run.params, grads, run.moments, lr=lr, step=run.step)
    run.state = dict(done.state)
    return loss, done.values[output]
