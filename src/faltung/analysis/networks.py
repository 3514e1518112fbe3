"""Whole networks side by side: parameters, work, where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from faltung import ops, zoo
from faltung.analysis.layer_cost import graph_cost
from faltung.graph import Graph
from faltung.ops.operator import Cost, Shape
from faltung.report import AbstractReport, Table


@dataclass(frozen=True)
class NetworkCost:
    """One network's parameters, by the kind of layer, and its work on one image.

    Parameters
    ----------
    name
        Of the network.
    in_shape
        Its image, (C, *space).
    params
        All that training changes.
    convolutions, dense
        What of them is in convolutions, and in dense layers; the rest is normalisation.
    cost
        Multiply-accumulates and connections.
    """

    name: str
    in_shape: Shape
    params: int
    convolutions: int
    dense: int
    cost: Cost

    @property
    def dense_share(self) -> float:
        """The share of the parameters that dense layers have."""
        return self.dense / self.params if self.params else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return every count."""
        return {
            "name": self.name,
            "in_shape": list(self.in_shape),
            "params": self.params,
            "convolutions": self.convolutions,
            "dense": self.dense,
            "dense_share": self.dense_share,
            **self.cost._asdict(),
        }


@dataclass(frozen=True)
class Networks(AbstractReport):
    """Several networks.

    Parameters
    ----------
    networks
        In the order in which they were asked for.
    """

    networks: tuple[NetworkCost, ...]

    def __getitem__(self, name: str) -> NetworkCost:
        return next(each for each in self.networks if each.name == name)

    def blocks(self) -> list[Table]:
        """Return the one table."""
        rows = [
            (
                each.name,
                "×".join(map(str, each.in_shape)),
                f"{each.params:,}",
                f"{each.convolutions:,}",
                f"{each.dense:,}",
                f"{100 * each.dense_share:.1f} %",
                f"{each.cost.macs:,}",
            )
            for each in self.networks
        ]
        header = ("network", "image", "parameters", "convolutions", "dense", "share", "macs")
        return [Table(header, rows, left=(0, 1))]

    def to_dict(self) -> dict[str, Any]:
        """Return the networks by name."""
        return {each.name: each.to_dict() for each in self.networks}


def network_costs(names: Sequence[str] | None = None) -> Networks:
    """Count the parameters and the work of networks of the zoo, from their graphs.

    Parameters
    ----------
    names
        Of the zoo; by default all that are published.

    Returns
    -------
    Networks
        A report: text when printed, HTML in notebooks, ``to_dict()`` for JSON.

    Examples
    --------
    >>> vgg = network_costs(["vgg16"])["vgg16"]
    >>> vgg.params, vgg.convolutions, vgg.dense, round(100 * vgg.dense_share, 1)
    (138357544, 14714688, 123642856, 89.4)
    """
    chosen = zoo.PUBLISHED if names is None else names
    return Networks(tuple(network_cost(name, zoo.sketch(name)) for name in chosen))


def network_cost(name: str, graph: Graph) -> NetworkCost:
    """Count the parameters and the work of one network on one image.

    Parameters
    ----------
    name
        What it is called.
    graph
        Any graph with one input, whose sizes are known but for the batch.
    """
    (value,) = graph.inputs
    in_shape = value.shape[1:]
    return NetworkCost(
        name,
        in_shape,
        graph.trainable,
        _params(graph, ops.Conv, ops.ConvTranspose),
        _params(graph, ops.Gemm, ops.MatMul),
        graph_cost(graph.with_input_shape((1, *in_shape))),
    )


def _params(graph: Graph, *kinds: type) -> int:
    names = {n for node in graph.nodes if isinstance(node.operator, kinds) for n in node.inputs}
    return sum(array.size for name, array in graph.params.items() if name in names)
