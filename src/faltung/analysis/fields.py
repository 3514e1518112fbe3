"""How far each layer sees: receptive fields as a table, with their share of the input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any, Final

from faltung.analysis.receptive_field import Field, receptive_fields
from faltung.analysis.summary import sees
from faltung.graph import Graph
from faltung.graph import layers as L
from faltung.ops.operator import Everything, Shape
from faltung.report import AbstractReport, Table

EXAMPLE: Final = (7, 7)
"""Positions of the input of the worked example."""


@dataclass(frozen=True)
class LayerField:
    """What one output of a layer sees of the input.

    Parameters
    ----------
    name
        Of the layer.
    out_shape
        (C, *space), or (features,).
    field
        One `faltung.analysis.receptive_field.Field` for each space axis of the input.
    """

    name: str
    out_shape: Shape
    field: tuple[Field, ...]

    @property
    def share(self) -> float:
        """The share of the input's positions that it sees, at most 1."""
        return prod(axis.share for axis in self.field)

    def to_dict(self) -> dict[str, Any]:
        """Return every figure; a size is None where all of the axis is seen."""
        sizes = [None if isinstance(f.size, Everything) else f.size for f in self.field]
        return {
            "layer": self.name,
            "out_shape": list(self.out_shape),
            "sees": sizes,
            "jump": [float(f.jump) for f in self.field],
            "start": [f.start for f in self.field],
            "share": self.share,
        }


@dataclass(frozen=True)
class FieldReport(AbstractReport):
    """The receptive fields of all layers.

    Parameters
    ----------
    input_space
        Positions along each space axis of the input.
    layers
        In computing order.
    """

    input_space: tuple[int, ...]
    layers: tuple[LayerField, ...]

    def blocks(self) -> list[Table | str]:
        """Return the table and how it is come by."""
        rows = [
            (
                each.name,
                "×".join(map(str, each.out_shape)),
                sees(each.field),
                "×".join(dict.fromkeys(_jump(f.jump) for f in each.field)),
                f"{100 * each.share:.1f} %",
            )
            for each in self.layers
        ]
        size = "×".join(map(str, self.input_space))
        table = Table(("layer", "output", "sees", "jump", "share"), rows, left=(0, 1, 2))
        rule = (
            f"Share: of the input's {size} positions. Jump: input positions from one output to the "
            "next, the product of the strides so far. A window of k at dilation d adds (k-1)·d "
            "times the jump before it; a layer's own stride changes later layers alone."
        )
        return [table, rule]

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, fit for JSON."""
        return {
            "input": list(self.input_space),
            "layers": [each.to_dict() for each in self.layers],
        }


def _jump(jump: Fraction) -> str:
    """Nothing where there is one output alone."""
    return str(jump) if jump else ""


def example() -> Graph:
    """Return three convolutions of 3×3 on 7×7: the last one sees everything."""
    return L.build(L.Chain(*[L.Conv(1, 3) for _ in range(3)]), (1, *EXAMPLE))


def field_report(
    graph: Graph | None = None, input_shape: Sequence[int] | None = None
) -> FieldReport:
    """Return how far each layer of a network sees.

    Parameters
    ----------
    graph
        Any graph; by default three convolutions of 3×3 on 7×7.
    input_shape
        ``(N, C, *space)`` of the first input, if not the declared one.

    Returns
    -------
    FieldReport
        A report: text when printed, HTML in notebooks, ``to_dict()`` for JSON.

    Examples
    --------
    >>> [f"{100 * layer.share:.1f} %" for layer in field_report().layers]
    ['18.4 %', '51.0 %', '100.0 %']
    """
    graph = example() if graph is None else graph
    first = graph.inputs[0]
    shape = tuple(first.shape if input_shape is None else input_shape)
    others = {value.name: value.shape for value in graph.inputs}
    graph = graph.with_input_shape(
        {n: (1, *s[1:]) for n, s in {**others, first.name: shape}.items()}
    )
    shapes, fields = graph.shapes(), receptive_fields(graph)
    layers = tuple(
        LayerField(node.name, tuple(shapes[node.outputs[0]][1:]), fields[node.outputs[0]])
        for node in graph.nodes
        if node.outputs[0] in fields
    )
    return FieldReport(tuple(int(n) for n in shape[2:]), layers)
