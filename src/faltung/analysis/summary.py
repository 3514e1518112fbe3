"""A network layer by layer: sizes, parameters, connections, multiplications, receptive fields.

It is a short reading of `faltung.inspect`, for networks whose operators are all known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from faltung.analysis.inspect.inspecting import of
from faltung.analysis.inspect.layer import InspectedLayer
from faltung.analysis.inspect.words import sees as sees
from faltung.analysis.receptive_field import Field
from faltung.graph import Graph
from faltung.graph.open_sizes import Sized
from faltung.ops.operator import Cost, Everything, Shape
from faltung.report import AbstractReport, Table


@dataclass(frozen=True)
class LayerSummary:
    """One layer, for a batch of one.

    ``dense_params`` are the parameters, biases included, of the dense layer between the same
    input and output; None for layers that are no weighted sum of their input. Parameters and
    state that several layers share count for the first one.
    """

    name: str
    operator: str
    out_shape: Shape
    params: int
    state: int
    cost: Cost
    field: tuple[Field, ...]
    dense_params: int | None


@dataclass(frozen=True)
class Summary(AbstractReport):
    """All layers, and their totals.

    Parameters
    ----------
    input_shape
        Of the first input, for a batch of one.
    layers
        In computing order.
    """

    input_shape: Shape
    layers: tuple[LayerSummary, ...]

    @property
    def params(self) -> int:
        """Trained numbers, all layers together."""
        return sum(layer.params for layer in self.layers)

    @property
    def state(self) -> int:
        """Numbers that are kept but not trained."""
        return sum(layer.state for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one input, taps on padding included."""
        return sum(layer.cost.macs for layer in self.layers)

    @property
    def connections(self) -> int:
        """Connections for one input, taps on padding included."""
        return sum(layer.cost.connections for layer in self.layers)

    def header(self) -> tuple[str, ...]:
        """Return the titles of the table's columns."""
        return ("layer", "operator", "output", "params", "connections", "sees", "dense params")

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table's rows as text, without the totals."""
        return [
            (
                layer.name,
                layer.operator,
                "×".join(str(size) for size in layer.out_shape[1:]),
                f"{layer.params:,}" if layer.params else "",
                f"{layer.cost.connections:,}" if layer.cost.connections else "",
                sees(layer.field),
                "" if layer.dense_params is None else f"{layer.dense_params:,}",
            )
            for layer in self.layers
        ]

    def totals(self) -> tuple[str, ...]:
        """Return the table's last row."""
        return ("total", "", "", f"{self.params:,}", f"{self.connections:,}", "", "")

    def to_dict(self) -> dict[str, Any]:
        """Return everything as numbers, strings and lists, fit for JSON."""
        return {
            "input_shape": list(self.input_shape),
            "params": self.params,
            "state": self.state,
            "macs": self.macs,
            "connections": self.connections,
            "layers": [_as_dict(layer) for layer in self.layers],
        }

    def blocks(self) -> list[Table]:
        """Return the one table."""
        return [Table(self.header(), self.rows(), self.totals(), left=(0, 1, 2))]


def _as_dict(layer: LayerSummary) -> dict[str, Any]:
    return {
        "name": layer.name,
        "operator": layer.operator,
        "out_shape": list(layer.out_shape),
        "params": layer.params,
        "state": layer.state,
        **layer.cost._asdict(),
        "dense_params": layer.dense_params,
        "field": [
            {
                "size": None if isinstance(f.size, Everything) else f.size,
                "jump": float(f.jump),
                "start": f.start,
                "share": f.share,
            }
            for f in layer.field
        ],
    }


def summarize(graph: Graph, input_shape: Sequence[int] | None = None) -> Summary:
    """Describe a network layer by layer.

    Parameters
    ----------
    graph
        Any graph whose first input's sizes are known, but for the batch, which counts as one.
    input_shape
        ``(N, C, *space)`` of that input, if not the declared one.

    Returns
    -------
    Summary
        Prints as a table; notebooks show it as HTML.

    Examples
    --------
    >>> from faltung.graph import layers as L
    >>> net = L.build(L.Chain(L.Conv(6, 5), L.Relu(), L.Flatten(), L.Dense(10)), (1, 28, 28))
    >>> print(summarize(net))
    layer     operator  output   params  connections  sees  dense params
    --------------------------------------------------------------------
    conv1     Conv      6×24×24     156       86,400   5×5     2,712,960
    relu1     Relu      6×24×24                        5×5
    flatten1  Flatten   3456                           5×5
    dense1    Gemm      10       34,570       34,560   all        34,570
    --------------------------------------------------------------------
    total                        34,726      120,960
    """
    first = graph.inputs[0]
    shape = _single(tuple(first.shape if input_shape is None else input_shape))
    others = {v.name: _single(v.shape) for v in graph.inputs[1:]}
    graph = graph.with_input_shape({first.name: shape, **others})
    found = of("network", Sized(graph), strict=True)
    return Summary(shape, tuple(_layer(layer, first.name) for layer in found.layers))


def _single(shape: Shape) -> Shape:
    return tuple(1 if i == 0 and isinstance(n, str) else n for i, n in enumerate(shape))


def _layer(layer: InspectedLayer, source: str) -> LayerSummary:
    """What a summary says of a layer: its first output, and what that sees of the first input."""
    return LayerSummary(
        name=layer.name,
        operator=layer.operator,
        out_shape=layer.out_shape or (),
        params=layer.params,
        state=layer.state,
        cost=layer.cost or Cost(),
        field=layer.fields.get(source, ()),
        dense_params=layer.dense_params,
    )
