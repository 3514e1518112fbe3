"""faltung itself."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

import faltung
from benchmarks.peers.contract import Call
from benchmarks.tasks import Task
from faltung.geometry.window import ConvWindow
from faltung.ops import dispatch

if TYPE_CHECKING:
    from benchmarks.accuracy import Learner
    from benchmarks.steps import Array


def version() -> str:
    return faltung.__version__


def make(task: Task, variant: str, threads: int) -> Call:
    """Prepared, plain, one of training's passes, or a step of it, a filter or a signal."""
    if task.kind == "filter":
        return _filter(task)
    if task.kind == "signal":
        x, w = task.arrays()
        return Call(lambda: faltung.convolve(x, w, mode="same"))
    if task.kind == "step":
        return _step(task)
    if task.what in ("forward", "dx", "dw"):
        return _pass(task)
    return _prepared(task) if task.what == "prepared" else _plain(task)


def _settings(task: Task) -> dict[str, Any]:
    return {
        "stride": task.stride,
        "padding": task.padding,
        "dilation": task.dilation,
        "groups": task.groups,
    }


def _plain(task: Task) -> Call:
    x, w = task.arrays()
    settings = _settings(task)
    conv = faltung.conv_transpose if task.kind == "transposed" else faltung.conv
    return Call(lambda: conv(x, w, **settings))


def _prepared(task: Task) -> Call:
    """Weights transformed once, the output's memory used again."""
    name = "prepare_transpose" if task.kind == "transposed" else "prepare"
    prepare = getattr(faltung, name, None)
    if prepare is None:
        return _plain(task)
    x, w = task.arrays()
    conv, out = prepare(w, **_settings(task)), np.empty(task.y_shape, task.dtype)
    return Call(lambda: conv(x, out=out))


def _pass(task: Task) -> Call:
    """As training calls it: the transforms of the weights are in the time."""
    x, w = task.arrays()
    dout = task.dout()
    window = ConvWindow.of(x.shape, w.shape, **_settings(task))
    match task.what:
        case "dx":
            return Call(lambda: dispatch.conv_dx(window, dout, w))
        case "dw":
            return Call(lambda: dispatch.conv_dw(window, x, dout))
    return Call(lambda: dispatch.conv(window, x, w, prepared=True))


def _filter(task: Task) -> Call:
    x, w = task.arrays()
    dtype = np.uint8 if task.dtype == "uint8" else None
    return Call(lambda: faltung.filter_image(x, w, dtype=dtype))


def _step(task: Task) -> Call:
    from benchmarks import steps

    ours, (x, labels) = learner(task, "", 0), steps.batch_of(task)

    def step() -> float:
        return ours.step(x, labels, steps.LR)

    return Call(step, lambda first: steps.series(first, step))


def learner(task: Task, variant: str, threads: int) -> Learner:
    """As `faltung.training` takes its steps: plan, loss, optimiser."""
    return Ours(task)


class Ours:
    """faltung as one who trains."""

    def __init__(self, task: Task) -> None:
        from benchmarks import steps
        from faltung.training.optimisers import SGD
        from faltung.training.state import TrainState

        self._graph, self._optimiser = steps.network(task), SGD(momentum=steps.MOMENTUM)
        params, state = dict(self._graph.params), dict(self._graph.state)
        self._run = TrainState(params, state, self._optimiser.init(params), seed=0)

    def step(self, x: Array, labels: Array, lr: float) -> float:
        """Take a step on a batch; return the loss before it."""
        from faltung.training.losses import cross_entropy
        from faltung.training.step import descend

        graph, run, feeds = self._graph, self._run, {self._graph.inputs[0].name: x}
        how: dict[str, Any] = {"key": (run.step,), "lr": lr}
        loss_of = partial(cross_entropy, labels=labels)
        loss, _ = descend(graph, run, feeds, loss_of, self._optimiser, **how)
        run.step += 1
        return loss

    def predict(self, x: Array) -> Array:
        """Return the scores of images."""
        from faltung.training.evaluation import predict

        of_any = self._graph.with_input_shape(("N", *x.shape[1:]))
        return predict(of_any, x, params=self._run.params, state=self._run.state)
