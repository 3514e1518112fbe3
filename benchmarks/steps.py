"""Steps of training: the networks of ``networks.txt``, forward, back, and the optimiser's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.networks import BATCH, CONV, lines
from benchmarks.tasks import HERE, Task
from faltung.graph import Graph, layers
from faltung.graph.evaluate import evaluate
from faltung.graph.gradients import gradients
from faltung.graph.symbols import Input, Symbol
from faltung.training.losses import cross_entropy
from faltung.training.optimisers import SGD
from faltung.training.state import TrainState

Array = NDArray[Any]

LR, MOMENTUM = 0.0005, 0.9
CHECKED = 3
"""Steps whose losses are compared."""
CLASSES = 10


def steps(path: Path = HERE / "networks.txt", batch: int = BATCH) -> list[Task]:
    """Return a step of every network."""
    return [_step(*line, batch) for line in lines(path)]


def _step(name: str, image: str, words: list[str], batch: int) -> Task:
    x_shape = (batch, *map(int, image.split("x")))
    none: dict[str, Any] = {"w_shape": (), "stride": (), "padding": (), "dilation": ()}
    task = Task(name, True, "step", x_shape, what=" ".join(words), **none)
    graph = network(task)
    shapes = {**graph.shapes(), graph.inputs[0].name: x_shape}
    shapes |= {name: array.shape for name, array in graph.params.items()}
    shapes |= {name: array.shape for name, array in graph.state.items()}
    work = 0
    for node in graph.nodes:
        macs = node.operator.cost([shapes[name] for name in node.inputs]).macs
        # Forward, the weights' gradient, and but for the first layer that of the input.
        work += macs * (2 if graph.inputs[0].name in node.inputs else 3)
    return Task(name, True, "step", x_shape, what=task.what, work=work, **none)


def network(task: Task) -> Graph:
    """Return a task's network, its first weights seeded."""
    words = task.what.split()
    x = start = Input(task.x_shape[1:])
    for at, word in enumerate(words):
        if (conv := CONV.fullmatch(word)) is not None:
            start = x if _begins_block(words[at:]) else start
            k, stride, out = int(conv[1]), int(conv[2] or 1), int(conv[3])
            x = layers.Conv(out, k, stride=stride, padding=k // 2)(x)
        elif word == "+":
            x = layers.Add()(x, _like(start, x))
        else:
            x = _layer(word)(x)
    return layers.build(x, seed=0).with_input_shape(task.x_shape)


def _begins_block(words: list[str]) -> bool:
    """Whether a convolution is the first of two whose result an input is added to."""
    return words[1:3] == ["bn", "relu"] and words[4:6] == ["bn", "+"]


def _like(start: Symbol, x: Symbol) -> Symbol:
    """Return a block's input, convolved where its shape is another one."""
    if start.shape == x.shape:
        return start
    stride = -(-int(start.shape[2]) // int(x.shape[2]))
    return layers.Conv(int(x.shape[1]), 1, stride=stride)(start)


def _layer(word: str) -> Any:
    kind, _, size = word.partition(":")
    if kind == "dense":
        return layers.Chain(layers.Flatten(), layers.Dense(int(size)))
    if kind.startswith("pool"):
        return layers.MaxPool(int(kind.removeprefix("pool")))
    return {"bn": layers.BatchNorm, "relu": layers.Relu, "gap": layers.GlobalAvgPool}[kind]()


def batch_of(task: Task) -> tuple[Array, Array]:
    """Return images and labels: the same in every process."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(task.x_shape).astype(np.float32)
    return x, rng.integers(0, CLASSES, task.x_shape[0])


def losses(task: Task) -> Array:
    """Return the losses of the first steps, by the interpreter, in float64."""
    graph = network(task).astype("float64")
    x, labels = batch_of(task)
    optimiser = SGD(momentum=MOMENTUM)
    run = TrainState(dict(graph.params), {}, optimiser.init(graph.params), seed=0)
    found = []
    for step in range(CHECKED):
        feeds = {graph.inputs[0].name: x.astype(np.float64)}
        done = evaluate(graph, feeds, params=run.params, training=True, record=True)
        loss, dout = cross_entropy(done.values[graph.outputs[0]], labels)
        grads = gradients(graph, done, {graph.outputs[0]: dout}, wanted=run.params)
        optimiser.update(run.params, grads, run.moments, lr=LR, step=step)
        found.append(loss)
    return np.array(found)


def series(first: float, step: Callable[[], float]) -> Array:
    """Return the losses of the first steps, of which one was taken."""
    return np.array([first, *(step() for _ in range(CHECKED - 1))], np.float32)
