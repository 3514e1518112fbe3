"""What one layer costs, for images of one size: counted from graphs that hold no arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from faltung import ops
from faltung.errors import GeometryError, message
from faltung.graph import Graph
from faltung.graph.layers import (
    AbstractLayer,
    Chain,
    Conv,
    Dense,
    Flatten,
    Symbol,
    Weight,
    apply,
    sketch,
    zeros,
)
from faltung.ops.operator import Cost


@dataclass(frozen=True)
class LayerCost:
    """Parameters, work and connections of a layer, for one image.

    Parameters
    ----------
    name
        What the layer is.
    weights, biases
        Its parameters.
    inputs, outputs
        How many numbers it takes and gives.
    cost
        Multiply-accumulates and connections, as its operators declare them.
    """

    name: str
    weights: int
    biases: int
    inputs: int
    outputs: int
    cost: Cost

    @property
    def params(self) -> int:
        """Weights and biases."""
        return self.weights + self.biases

    @property
    def per_neuron(self) -> int:
        """Weights of one output, those on padding included."""
        return self.cost.connections // self.outputs if self.outputs else 0

    def times(self, count: int, name: str) -> LayerCost:
        """Return the cost of so many such layers side by side on the same image.

        Parameters
        ----------
        count
            How many.
        name
            What all of them are.
        """
        cost = Cost(*(count * n for n in self.cost))
        parts = (count * self.weights, count * self.biases, self.inputs, count * self.outputs)
        return LayerCost(name, *parts, cost)

    def to_dict(self) -> dict[str, Any]:
        """Return every count."""
        return {
            "name": self.name,
            "params": self.params,
            "weights": self.weights,
            "biases": self.biases,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "per_neuron": self.per_neuron,
            **self.cost._asdict(),
        }


def layer_cost(name: str, network: AbstractLayer, in_shape: Sequence[int]) -> LayerCost:
    """Count what a layer, or several in a row, cost for an image (C, *space)."""
    graph = sketch(network, tuple(in_shape)).with_input_shape((1, *in_shape))
    biases = sum(array.size for name, array in graph.params.items() if name.endswith(".bias"))
    outputs = prod(int(n) for n in graph.shapes()[graph.outputs[0]])
    return LayerCost(
        name, graph.trainable - biases, biases, prod(in_shape), outputs, graph_cost(graph)
    )


def graph_cost(graph: Graph) -> Cost:
    """Add up what the operators of a graph cost; its batch must be a number."""
    shapes = graph.shapes()
    costs = [node.operator.cost([shapes[n] for n in node.inputs]) for node in graph.nodes]
    return Cost(*(sum(counts) for counts in zip(*costs, strict=True))) if costs else Cost()


def dense(outputs: int, *, bias: bool = True) -> AbstractLayer:
    """Return a dense layer on a flattened image."""
    return Chain(Flatten(), Dense(outputs, bias=bias))


def convolution(channels: int, kernel: int, *, bias: bool = True) -> AbstractLayer:
    """Return a convolution that keeps the size of its image."""
    return Conv(channels, kernel, padding="same", bias=bias)


@dataclass(frozen=True)
class Local(AbstractLayer):
    """A convolution's windows, but weights and a bias of their own for each output."""

    channels: int
    kernel: int
    bias: bool = True

    def __call__(self, *sources: Symbol) -> Symbol:
        """Add the layer; where it has biases, an addition after it."""
        (x,) = sources
        operator = ops.LocallyConnected(self.kernel, padding="same")
        shape = operator.weight_shape(x.shape, self.channels)
        y = apply(operator, x, Weight("weight", shape, zeros(shape)))
        if not self.bias:
            return y
        each = tuple(int(n) for n in y.shape[1:])
        return apply(ops.Add(), y, Weight("bias", each, zeros(each)))


def checked_image(in_shape: Sequence[int]) -> tuple[int, ...]:
    """Refuse what is not (C, *space) with 1 to 3 space axes.

    Raises
    ------
    GeometryError
        cost K1.
    """
    shape = tuple(int(n) for n in in_shape)
    if not 2 <= len(shape) <= 4 or min(shape) < 1:
        rule = "an image must have channels and 1 to 3 space axes, all at least 1"
        cure = "Use (channels, height, width)"
        raise GeometryError(message("cost", rule, {"in_shape": shape}, cure, "cost K1"))
    return shape
