"""PyTorch as one who trains: eager, channels last ("cl"), compiled, or both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional

from benchmarks import steps
from benchmarks.peers.contract import Call
from benchmarks.tasks import Task
from faltung import ops
from faltung.graph import Graph, Node


def version() -> str:
    return str(torch.__version__)


def make(task: Task, variant: str, threads: int) -> Call:
    """``variant`` is "", "cl", "compiled" or "cl-compiled"."""
    theirs, (x, labels) = learner(task, variant, threads), steps.batch_of(task)

    def step() -> float:
        return theirs.step(x, labels, steps.LR)

    return Call(step, lambda first: steps.series(first, step))


def learner(task: Task, variant: str, threads: int) -> Theirs:
    """Return PyTorch as one who trains; variants as in `make`."""
    torch.set_num_threads(threads)
    return Theirs(steps.network(task), variant)


class Theirs:
    """A network with PyTorch's own optimiser."""

    def __init__(self, graph: Graph, variant: str) -> None:
        last = torch.channels_last if "cl" in variant else torch.contiguous_format
        self._layout: torch.memory_format = last
        self._net: Any = Net(graph)
        self._net = self._net.to(memory_format=last)
        self._called = torch.compile(self._net) if "compiled" in variant else self._net
        self._descent = torch.optim.SGD(self._net.parameters(), steps.LR, steps.MOMENTUM)

    def step(self, x: steps.Array, labels: steps.Array, lr: float) -> float:
        """Take a step on a batch; return the loss before it."""
        self._net.train()
        self._descent.param_groups[0]["lr"] = lr
        self._descent.zero_grad()
        loss = functional.cross_entropy(self._called(self._given(x)), torch.from_numpy(labels))
        loss.backward()
        self._descent.step()
        return float(loss.detach())

    def predict(self, x: steps.Array) -> steps.Array:
        """Return the scores of images."""
        self._net.eval()
        with torch.inference_mode():
            scores: steps.Array = self._net(self._given(x)).numpy()
        return scores

    def _given(self, x: steps.Array) -> torch.Tensor:
        return torch.from_numpy(x).to(memory_format=self._layout)


class Net(nn.Module):
    """The same network with the same first weights."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.layers = nn.ModuleList(_module(node, graph) for node in graph.nodes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = {self.graph.inputs[0].name: x}
        for node, layer in zip(self.graph.nodes, self.layers, strict=True):
            given = [values[name] for name in node.inputs if name in values]
            values[node.outputs[0]] = layer(*given)
        return values[self.graph.outputs[0]]


class Called(nn.Module):
    """A function without weights."""

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        return self.function(*given)


CALLED: Final[dict[str, Callable[..., torch.Tensor]]] = {
    "Relu": functional.relu,
    "Add": torch.add,
    "GlobalAveragePool": lambda x: x.mean((2, 3), keepdim=True),
    "Flatten": lambda x: x.flatten(1),
}


def _module(node: Node, graph: Graph) -> nn.Module:
    """Return what PyTorch calls a layer, with its weights."""
    operator = node.operator
    weights = [torch.from_numpy(graph.params[n].copy()) for n in node.inputs if n in graph.params]
    made: nn.Module
    if isinstance(operator, ops.Conv):
        out, channels, kernel, _ = weights[0].shape
        made = nn.Conv2d(channels, out, kernel, operator.stride, kernel // 2)
    elif isinstance(operator, ops.Gemm):
        out, channels = weights[0].shape
        made = nn.Linear(channels, out)
    elif isinstance(operator, ops.BatchNormalization):
        made = nn.BatchNorm2d(len(weights[0]), operator.epsilon)
    elif isinstance(operator, ops.MaxPool):
        return nn.MaxPool2d(operator.kernel_size)
    else:
        return Called(CALLED[operator.onnx_type])
    with torch.no_grad():
        for parameter, values in zip(made.parameters(), weights, strict=True):
            parameter.copy_(values)
    return made
