"""Which operator, or which gradient, was the first whose numbers were not finite."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from faltung.errors import TrainingError, message
from faltung.graph.evaluate import evaluate
from faltung.graph.graph import Graph, Node
from faltung.ops.operator import Key
from faltung.training.state import Array, TrainState


def loss_error(
    graph: Graph, feeds: Mapping[str, Array], run: TrainState, key: Key, loss: float, lr: float
) -> TrainingError:
    """The batch is run again, every value kept, to find where it went wrong."""
    done = evaluate(
        graph, feeds, params=run.params, state=run.state, training=True, key=key, keep_all=True
    )
    for node in graph.nodes:
        if not all(map(_is_finite, (done.values[name] for name in node.outputs))):
            place = f"first not finite in layer {node.name!r} ({node.operator.subject})"
            return _error(run, f"{place}{_because(node, run)}", loss, lr)
    return _error(run, "the loss is not finite, though every layer's output is", loss, lr)


def gradient_error(
    graph: Graph, grads: Mapping[str, Array], run: TrainState, loss: float, lr: float
) -> TrainingError | None:
    """The gradient nearest to the output that is not finite, if there is one."""
    bad = [name for name, grad in grads.items() if not _is_finite(grad)]
    if not bad:
        return None
    node = next(node for node in reversed(graph.nodes) if set(bad).intersection(node.inputs))
    name = next(name for name in node.inputs if name in bad)
    place = f"layer {node.name!r} ({node.operator.subject})"
    rule = f"the gradient of {name} in {place} is not finite"
    return _error(run, rule, loss, lr)


def _because(node: Node, run: TrainState) -> str:
    """Name the parameters of the layer that are to blame."""
    arrays = {**run.params, **run.state}
    bad = [name for name in node.inputs if name in arrays and not _is_finite(arrays[name])]
    return f", whose {' and '.join(bad)} is not finite" if bad else ""


def _is_finite(values: Array) -> bool:
    return bool(np.isfinite(values).all())


def _error(run: TrainState, rule: str, loss: float, lr: float) -> TrainingError:
    values, cure = {"loss": f"{loss:.4g}", "lr": f"{lr:.4g}"}, "Use a smaller learning rate"
    return TrainingError(message(f"training step {run.step + 1}", rule, values, cure))
