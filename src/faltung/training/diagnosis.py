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
    found = _first_layer(graph, feeds, run, key)
    rule = found or "the loss is not finite, though every layer's output is"
    return _error(run.step + 1, rule, {"loss": f"{loss:.4g}", "lr": f"{lr:.4g}"})


def validation_error(
    graph: Graph, feeds: Mapping[str, Array], run: TrainState, loss: float
) -> TrainingError:
    """The same for a held-out image after an epoch's last step: without dropout."""
    found = _first_layer(graph, feeds, run, None)
    rule = found or "the loss is not finite, though every layer's output is"
    return _error(run.step, rule, {"validation loss": f"{loss:.4g}"})


def _first_layer(
    graph: Graph, feeds: Mapping[str, Array], run: TrainState, key: Key | None
) -> str | None:
    """Name the first layer whose output is not finite; a key means training."""
    training = key is not None
    done = evaluate(
        graph,
        feeds,
        params=run.params,
        state=run.state,
        training=training,
        key=key,
        keep_all=True,
    )
    for node in graph.nodes:
        if not all(map(_is_finite, (done.values[name] for name in node.outputs))):
            return f"first not finite in {_layer(node)}{_because(node, run)}"
    return None


def gradient_error(
    graph: Graph, grads: Mapping[str, Array], run: TrainState, loss: float, lr: float
) -> TrainingError | None:
    """The gradient nearest to the output that is not finite, if there is one."""
    bad = [name for name, grad in grads.items() if not _is_finite(grad)]
    if not bad:
        return None
    node = next(node for node in reversed(graph.nodes) if set(bad).intersection(node.inputs))
    name = next(name for name in node.inputs if name in bad)
    rule = f"the gradient of {name} in {_layer(node)} is not finite"
    return _error(run.step + 1, rule, {"loss": f"{loss:.4g}", "lr": f"{lr:.4g}"})


def _because(node: Node, run: TrainState) -> str:
    """Name the parameters of the layer that are to blame."""
    arrays = {**run.params, **run.state}
    bad = [name for name in node.inputs if name in arrays and not _is_finite(arrays[name])]
    return f", whose {' and '.join(bad)} is not finite" if bad else ""


def _is_finite(values: Array) -> bool:
    return bool(np.isfinite(values).all())


def _layer(node: Node) -> str:
    return f"layer {node.name!r} ({node.operator.subject})"


def _error(step: int, rule: str, values: Mapping[str, object]) -> TrainingError:
    return TrainingError(
        message(f"training step {step}", rule, values, "Use a smaller learning rate")
    )
