"""What an image of a given size costs: dense, local, shared, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from faltung.analysis.layer_cost import (
    LayerCost,
    Local,
    checked_image,
    convolution,
    dense,
    layer_cost,
)
from faltung.analysis.scale import (
    GREYS,
    ExamplesWanted,
    ImageCount,
    Reach,
    Stack,
    examples_wanted,
    reach,
    stack,
    table_of_examples,
)
from faltung.errors import GeometryError, message
from faltung.graph.layers import Chain, Dense, Flatten, Relu
from faltung.report import AbstractReport, Table
from faltung.zoo import sketch

CLASSES = 10
YARDSTICK = "vgg16"


@dataclass(frozen=True)
class CostReport(AbstractReport):
    """What layers cost on one image, and how they compare.

    Parameters
    ----------
    in_shape
        The image, (C, *space).
    kernel
        Positions of a kernel along each axis.
    channels
        Output channels of the layers that keep the image's size.
    dense
        The dense layer on the flattened image.
    same_size
        The dense layer from the image to as many channels of its size.
    local
        The same with weights inside a window only, other ones at each position.
    convolution
        The same with the same weights at each position.
    stack
        Small kernels in a row against a large one.
    examples
        What a rule of thumb wants for two dense layers on this image, and for known data sets.
    images
        How many such images there are.
    yardstick
        The name and the parameters of a large network.
    """

    in_shape: tuple[int, ...]
    kernel: int
    channels: int
    dense: LayerCost
    same_size: LayerCost
    local: LayerCost
    convolution: LayerCost
    stack: Stack
    examples: tuple[ExamplesWanted, ...]
    images: ImageCount
    yardstick: tuple[str, int]

    @property
    def layers(self) -> tuple[LayerCost, ...]:
        """All four layers."""
        return (self.dense, self.same_size, self.local, self.convolution)

    @property
    def reach(self) -> Reach | None:
        """How many layers see the longest side; None for kernels of 1."""
        return reach(max(self.in_shape[1:]), self.kernel)

    @property
    def ratios(self) -> dict[str, float]:
        """How many times more the dense layers have than what locality and sharing leave.

        ``params``: dense layer to convolution, biases included. ``weights``: the same without.
        ``same_size``: the dense layer that keeps the size, to convolution, without biases.
        ``neuron``: the inputs of one dense neuron to those of one local one.
        ``values``: the numbers that the convolution puts out to those that it takes.
        """
        conv = self.convolution
        return {
            "params": self.dense.params / conv.params,
            "weights": self.dense.weights / conv.weights,
            "same_size": self.same_size.weights / conv.weights,
            "neuron": self.dense.per_neuron / conv.per_neuron,
            "values": conv.outputs / conv.inputs,
        }

    def blocks(self) -> list[Table | str]:
        """Return the layers, what the ratios say, the rule of thumb, the number of images."""
        return [
            self._layers(),
            self._saved(),
            self._stacked(),
            table_of_examples(self.examples),
            self._counted(),
        ]

    def _layers(self) -> Table:
        rows = [
            (
                layer.name,
                f"{layer.params:,}",
                f"{layer.per_neuron:,}",
                f"{layer.cost.macs:,}",
                f"{layer.cost.connections:,}",
                f"{layer.cost.connections_inside:,}",
            )
            for layer in self.layers
        ]
        header = ("layer", "parameters", "a neuron", "macs", "connections", "off padding")
        size = "×".join(map(str, (*self.in_shape[1:], self.in_shape[0])))
        return Table(header, rows, title=f"one image of {size}")

    def _saved(self) -> str:
        name, params = self.yardstick
        conv, dense = self.convolution, self.dense
        times = {of: _times(ratio) for of, ratio in self.ratios.items()}
        return (
            f"The dense layer has {times['params']} the parameters of the convolution, and "
            f"{dense.params / params:,.3f} times those of all of {name} ({params:,}). Locality "
            f"alone leaves a neuron {dense.per_neuron:,} / {conv.per_neuron:,} = "
            f"{times['neuron']} fewer inputs; with sharing, {dense.weights:,} weights become "
            f"{conv.weights:,}, {times['weights']} fewer. Where the size is kept, dense layer and "
            f"convolution are {times['same_size']} apart, and {times['values']} as many numbers "
            "come out as go in."
        )

    def _stacked(self) -> str:
        small, large = self.stack.small, self.stack.large
        per, channels = self.stack.per_square, self.stack.channels
        return (
            f"{small.name} in a row see {self.stack.sees[0]} positions, as {large.name} does. On C "
            f"channels they have {per[0]}C² weights against {per[1]}C²: for C = {channels}, "
            f"{small.weights:,} against {large.weights:,}.{self._reached()}"
        )

    def _reached(self) -> str:
        far = self.reach
        if far is None:
            return ""
        return (
            f" To see {far.pixels:,} positions takes {far.plain:,} layers with a kernel of "
            f"{far.kernel}, or {far.doubling} with doubling dilation, which see "
            f"{far.doubling_sees:,}."
        )

    def _counted(self) -> str:
        images = self.images
        return (
            f"There are {images.greys}^{images.pixels:,} images of this size with {images.greys} "
            f"values a number, about 10^{images.power_of_ten:,}: 10^{images.atoms_power:,} for "
            "each of the 10^80 atoms that can be seen. No data set shows more than a trace of them."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return every count and ratio."""
        names = ("dense", "same_size", "local", "convolution")
        return {
            "in_shape": list(self.in_shape),
            "kernel": self.kernel,
            "channels": self.channels,
            "layers": {n: each.to_dict() for n, each in zip(names, self.layers, strict=True)},
            "ratios": self.ratios,
            "stack": self.stack.to_dict(),
            "reach": None if self.reach is None else self.reach._asdict(),
            "examples": [each.to_dict() for each in self.examples],
            "images": self.images.to_dict(),
            "yardstick": {"name": self.yardstick[0], "params": self.yardstick[1]},
        }


def cost(
    in_shape: Sequence[int] = (3, 224, 224),
    *,
    outputs: int = 1000,
    kernel: int = 3,
    channels: int = 64,
    bias: bool = True,
) -> CostReport:
    """Count what layers cost on an image: dense, local, convolutional.

    Every count is read off a graph, whose operators declare what they cost. Nothing is allocated,
    so that the image may be as large as one likes.

    Parameters
    ----------
    in_shape : (int, int, int)
        (C, H, W) of the image; 1 or 3 space axes as well.
    outputs : int
        Neurons of the dense layer on the flattened image.
    kernel : int
        Positions of the kernels along each axis.
    channels : int
        Output channels of the layers that keep the image's size.
    bias : bool
        Whether layers have biases.

    Returns
    -------
    CostReport
        A report: text when printed, HTML in notebooks, ``to_dict()`` for JSON.

    Raises
    ------
    GeometryError
        cost K1: not (C, *space). K2: outputs, kernel or channels below 1.
    GraphError
        A layer with more weights than can be addressed.

    Examples
    --------
    >>> report = cost((3, 224, 224))
    >>> report.dense.params, report.convolution.params
    (150529000, 1792)
    >>> round(report.ratios["neuron"]), round(report.ratios["weights"])
    (5575, 87111)
    """
    shape = checked_image(in_shape)
    given = {"outputs": outputs, "kernel": kernel, "channels": channels}
    for name, value in given.items():
        if value < 1:
            raise GeometryError(
                message("cost", f"{name} must be at least 1", {name: value}, "", "cost K2")
            )
    positions = channels * prod(shape[1:])
    window = "×".join([str(kernel)] * (len(shape) - 1))
    mlp = layer_cost("", Chain(Flatten(), Dense(outputs), Relu(), Dense(CLASSES)), shape)
    # A graph of all of these neurons could have more weights than an array can.
    neuron = layer_cost("neuron", dense(1, bias=bias), shape)
    wanted = ExamplesWanted(f"this image → {outputs} → {CLASSES}", mlp.params)
    return CostReport(
        shape,
        kernel,
        channels,
        layer_cost(f"dense to {outputs}", dense(outputs, bias=bias), shape),
        neuron.times(positions, f"dense to {channels} maps"),
        layer_cost(f"local {window} to {channels}", Local(channels, kernel, bias), shape),
        layer_cost(f"conv {window} to {channels}", convolution(channels, kernel, bias=bias), shape),
        stack(channels),
        (wanted, *examples_wanted()),
        ImageCount(GREYS, layer_cost("", Flatten(), shape).inputs),
        ("VGG-16", sketch(YARDSTICK).trainable),
    )


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio >= 1000 else f"{ratio:,.1f} times"
