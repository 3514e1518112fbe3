"""Everything about one layer, and what each step on the way to it sees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from faltung.analysis.inspect import words
from faltung.analysis.inspect.inspection import Inspection
from faltung.analysis.inspect.layer import InspectedLayer
from faltung.analysis.inspect.sights import seen_at
from faltung.analysis.inspect.table import intensity
from faltung.analysis.receptive_field import Walk
from faltung.geometry import Interval
from faltung.graph.graph import producers
from faltung.ops.operator import Everything
from faltung.report import AbstractReport, Table


@dataclass(frozen=True)
class SeenFrom:
    """What one position of a layer's output sees of an input.

    Parameters
    ----------
    where
        ``"first"``, ``"middle"`` or ``"last"``.
    source
        The input.
    position
        Of the first output, along its space axes; of a value without these, its only axis.
    spans
        Exactly what it sees of each space axis; beyond the input is padding. None for all of it.
    """

    where: str
    source: str
    position: tuple[int, ...]
    spans: tuple[Interval | None, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return positions and intervals."""
        spans = [None if span is None else list(span) for span in self.spans]
        return {
            "where": self.where,
            "input": self.source,
            "position": list(self.position),
            "sees": spans,
        }


@dataclass(frozen=True)
class LayerDetail(AbstractReport):
    """One layer with all its figures.

    Parameters
    ----------
    layer
        The layer.
    settings
        Its operator with its attributes.
    seen
        What its first, middle and last position see.
    way
        The layers whose outputs lead to it, in computing order, itself last.
    inputs
        How many inputs the network has.
    """

    layer: InspectedLayer
    settings: str
    seen: tuple[SeenFrom, ...]
    way: tuple[InspectedLayer, ...]
    inputs: int

    def blocks(self) -> list[Table | str]:
        """Return the figures, the exact intervals, and the chain of fields."""
        layer = self.layer
        title = f"{layer.name}: {self.settings}"
        found: list[Table | str] = [
            Table(("figure", "value"), list(self._figures()), title=title, left=(0, 1))
        ]
        if layer.unknown:
            found.append(f"Not all of it is known: {layer.unknown}.")
        if self.seen:
            rows = [
                (each.where, words.by(each.position), each.source, _spans(each.spans))
                for each in self.seen
            ]
            header = ("output", "position", "input", "sees exactly")
            found.append(Table(header, rows, left=(0, 1, 2, 3)))
        if layer.fields:
            steps = [
                (
                    each.name,
                    each.operator,
                    words.output(each),
                    words.seen(each, self.inputs),
                    words.jumps(each, self.inputs),
                    words.first(each, self.inputs),
                )
                for each in self.way
            ]
            titles = ("on its way", "operator", "output", "sees", "jump", "output 0 sees")
            found.append(Table(titles, steps, left=(0, 1, 2)))
        return found

    def _figures(self) -> Iterator[tuple[str, str]]:
        layer = self.layer
        yield "operator", layer.operator
        shapes = zip(layer.inputs, layer.in_shapes, strict=True)
        yield "reads", ", ".join(f"{name} {words.by(shape)}" for name, shape in shapes)
        shapes = zip(layer.outputs, layer.out_shapes, strict=True)
        yield "writes", ", ".join(f"{name} {words.by(shape)}" for name, shape in shapes)
        yield "parameters", f"{layer.params:,}"
        yield "state", f"{layer.state:,}"
        yield "weights", words.size_of(layer.weight_bytes)
        cost = layer.cost
        yield "MACs", words.count(None if cost is None else cost.macs)
        yield "connections", words.count(None if cost is None else cost.connections)
        yield "off padding", words.count(None if cost is None else cost.connections_inside)
        yield "activations", words.size_of(layer.activation_bytes)
        yield "bytes moved", words.size_of(layer.moved_bytes)
        yield "MACs a byte", intensity(layer) or "0"
        yield "as dense", "" if layer.dense_params is None else f"{layer.dense_params:,} parameters"
        yield "sees", words.seen(layer, self.inputs)
        yield "jump", words.jumps(layer, self.inputs)
        yield "share", words.share(layer, self.inputs)
        if layer.dropped:
            yield "dropped", words.along(layer.dropped) or "nothing"
            yield "never read", words.along(layer.skipped) or "nothing of its input"

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, and the layers on its way by name."""
        return {
            "layer": self.layer.to_dict(),
            "settings": self.settings,
            "seen": [each.to_dict() for each in self.seen],
            "way": [each.to_dict() for each in self.way],
        }


def _spans(spans: tuple[Interval | None, ...]) -> str:
    texts = ["all" if span is None else words.interval(span) for span in spans]
    return " × ".join(texts)


def detail(report: Inspection, layer: InspectedLayer) -> LayerDetail:
    """Return everything about one layer of a network.

    Parameters
    ----------
    report
        On the network.
    layer
        One of its layers.
    """
    by_value = producers(report.graph.nodes)
    needed, open_values = {layer.name}, list(layer.inputs)
    while open_values:
        node = by_value.get(open_values.pop())
        if node is not None and node.name not in needed:
            needed.add(node.name)
            open_values += node.inputs
    node = next(node for node in report.graph.nodes if node.name == layer.name)
    return LayerDetail(
        layer,
        repr(node.operator),
        tuple(_seen(report, layer)),
        tuple(each for each in report.layers if each.name in needed),
        len(report.input_shapes),
    )


def _seen(report: Inspection, layer: InspectedLayer) -> Iterator[SeenFrom]:
    """The exact intervals of the first, middle and last position."""
    part, shape = report.known.part, layer.out_shape
    if part is None or shape is None or not layer.fields or not prod(int(n) for n in shape):
        return
    walk = Walk(part, report.known.shapes)
    fixed = min(2, len(shape) - 1) if len(shape) > 1 else 0
    sizes = [int(n) for n in shape[fixed:]]
    corners = {
        "first": tuple(0 for _ in sizes),
        "middle": tuple(n // 2 for n in sizes),
        "last": tuple(n - 1 for n in sizes),
    }
    for source in layer.fields:
        for where, at in corners.items():
            spans = seen_at(walk, layer.outputs[0], source, (*(0,) * fixed, *at))
            exact = tuple(None if isinstance(span, Everything) else span for span in spans)
            yield SeenFrom(where, source, at, exact)
