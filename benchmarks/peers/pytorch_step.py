"""A step of training by PyTorch: eager, channels last ("cl"), compiled, or both."""

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
    torch.set_num_threads(threads)
    graph = steps.network(task)
    x, labels = (torch.from_numpy(array) for array in steps.batch_of(task))
    net: Any = Net(graph)
    if "cl" in variant:
        net, x = net.to(memory_format=torch.channels_last), _last(x)
    called = torch.compile(net) if "compiled" in variant else net
    descent = torch.optim.SGD(net.parameters(), lr=steps.LR, momentum=steps.MOMENTUM)

    def step() -> float:
        descent.zero_grad()
        loss = functional.cross_entropy(called(x), labels)
        loss.backward()
        descent.step()
        return float(loss)

    return Call(step, lambda first: steps.series(first, step))


def _last(x: torch.Tensor) -> torch.Tensor:
    return x.to(memory_format=torch.channels_last)


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
