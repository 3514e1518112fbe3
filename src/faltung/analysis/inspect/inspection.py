"""What is known of a whole network before it runs, and the faces on which it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from faltung.analysis.inspect.border import gaps_by_input, never_read
from faltung.analysis.inspect.known import Known
from faltung.analysis.inspect.layer import InspectedLayer
from faltung.analysis.inspect.memory import PeakMemory, peak_memory
from faltung.analysis.inspect.sights import Sights
from faltung.analysis.locality import Locality, locality
from faltung.analysis.scale import ExamplesWanted
from faltung.errors import FaltungError, GraphError, message
from faltung.geometry import Interval
from faltung.graph import Graph
from faltung.graph.open_sizes import Sized
from faltung.ops.operator import Cost, Shape
from faltung.report import AbstractReport, Table

if TYPE_CHECKING:
    from faltung.analysis.inspect.detail import LayerDetail
    from faltung.analysis.inspect.difference import Difference
    from faltung.analysis.verification import Verification


@dataclass(frozen=True)
class Totals:
    """All layers together.

    Parameters
    ----------
    params, state
        Numbers that are trained, and numbers that are kept but not trained; shared ones once.
    weight_bytes
        What these take.
    cost
        Multiply-accumulates and connections.
    activation_bytes
        What all outputs of all layers take together, as training keeps them.
    at_least
        Whether something is not known, so that there is more than this.
    """

    params: int
    state: int
    weight_bytes: int
    cost: Cost
    activation_bytes: int
    at_least: bool

    def to_dict(self) -> dict[str, Any]:
        """Return every figure."""
        return {
            "params": self.params,
            "state": self.state,
            "weight_bytes": self.weight_bytes,
            **self.cost._asdict(),
            "activation_bytes": self.activation_bytes,
            "at_least": self.at_least,
        }


@dataclass(frozen=True)
class Inspection(AbstractReport):
    """A network layer by layer: sizes, parameters, work, memory, and what each layer sees.

    Parameters
    ----------
    name
        What the network is called.
    sized
        The graph, and the numbers that were taken for sizes which it leaves open.
    layers
        In computing order.
    known
        The graph, and what can be told of its values.
    sights
        What the values see.
    """

    name: str
    sized: Sized = field(repr=False, compare=False)
    layers: tuple[InspectedLayer, ...]
    known: Known = field(repr=False, compare=False)
    sights: Sights = field(repr=False, compare=False)

    @property
    def graph(self) -> Graph:
        """The network, for inputs of these shapes."""
        return self.known.graph

    @property
    def input_shapes(self) -> dict[str, Shape]:
        """The shape of each input, by name."""
        return {value.name: tuple(value.shape) for value in self.graph.inputs}

    @property
    def unknown(self) -> tuple[InspectedLayer, ...]:
        """The layers of which something is not known."""
        return tuple(layer for layer in self.layers if layer.unknown)

    @property
    def at_least(self) -> bool:
        """Whether something is not known, so that the totals are lower bounds."""
        return bool(self.unknown)

    @cached_property
    def totals(self) -> Totals:
        """All layers together."""
        costs = [layer.cost for layer in self.layers if layer.cost is not None]
        return Totals(
            params=sum(layer.params for layer in self.layers),
            state=sum(layer.state for layer in self.layers),
            weight_bytes=sum(layer.weight_bytes for layer in self.layers),
            cost=Cost(*map(sum, zip(*costs, strict=True))) if costs else Cost(),
            activation_bytes=sum(layer.activation_bytes or 0 for layer in self.layers),
            at_least=self.at_least,
        )

    @cached_property
    def peak_memory(self) -> PeakMemory:
        """The most bytes that values take at once while the network runs, and where."""
        return peak_memory(self.known)

    @property
    def examples_wanted(self) -> tuple[int, int]:
        """Examples that 5 to 10 for each parameter would be: a rule of thumb, no law."""
        return ExamplesWanted(self.name, self.totals.params).wanted

    @cached_property
    def never_read(self) -> dict[str, tuple[tuple[Interval, ...], ...]]:
        """By input and axis, the positions that no output of the network depends on."""
        return never_read(self.known)

    @cached_property
    def locality(self) -> dict[str, Locality]:
        """By input with space axes, how far the network is local, and what sees everything."""
        found, part = {}, self.known.part
        for name in self.sights.fields:
            try:
                found[name] = locality(part or self.graph, source=name)
            except FaltungError:  # what cannot be followed is said of the layers
                continue
        return found

    def layer(self, name: str) -> InspectedLayer:
        """Return the layer called ``name``, or the one that computes a value of that name.

        Parameters
        ----------
        name
            Of a node or a value.

        Raises
        ------
        GraphError
            inspect I1: there is none.
        """
        for layer in self.layers:
            if name == layer.name or name in layer.outputs:
                return layer
        from difflib import get_close_matches

        names = [layer.name for layer in self.layers]
        close = get_close_matches(name, names, n=3, cutoff=0.3) or names[:3]
        cure = f"Use one such as {', '.join(close)}" if close else ""
        rule, values = "there is no such layer", {"layer": repr(name)}
        raise GraphError(message(f"inspect {self.name}", rule, values, cure, "inspect I1"))

    def detail(self, name: str) -> LayerDetail:
        """Return everything about one layer, ``name``, and the way that leads to it."""
        from faltung.analysis.inspect.detail import detail

        return detail(self, self.layer(name))

    def difference(self, other: Inspection) -> Difference:
        """Return what ``other``, another network or the same for other inputs, has otherwise."""
        from faltung.analysis.inspect.difference import difference

        return difference(self, other)

    def verify(self) -> Verification:
        """Count the figures again, by brute force on a small input, and compare.

        Returns
        -------
        faltung.analysis.verification.Verification
        """
        from faltung.analysis.verification import verify

        return verify(self.graph)

    def blocks(self) -> list[Table | str]:
        """Return the header, the layers, the totals, and what else there is to know."""
        from faltung.analysis.inspect.table import table
        from faltung.analysis.inspect.words import header, notes, totals_line

        return [header(self), table(self), totals_line(self), *notes(self)]

    def markdown(self) -> str:
        """Return the report as Markdown, with every column."""
        from faltung.analysis.inspect.page import markdown

        return markdown(self)

    def html(self, further: Mapping[str, AbstractReport] | None = None) -> str:
        """Return the report as one HTML page, with ``further`` reports below it by their titles."""
        from faltung.analysis.inspect.page import page

        return page(self, further or {})

    def _repr_html_(self) -> str:
        from faltung.analysis.inspect.page import fragment

        return fragment(self)

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, fit for JSON."""
        return {
            "name": self.name,
            "inputs": [{"name": n, "shape": list(s)} for n, s in self.input_shapes.items()],
            "open_sizes": dict(self.sized.taken),
            "assumed": list(self.sized.notes),
            "totals": self.totals.to_dict(),
            "peak_memory": self.peak_memory.to_dict(),
            "examples_wanted": {"numbers": list(self.examples_wanted), "rule_of_thumb": True},
            "never_read": [
                {"input": name, "axis": axis, "positions": [list(run) for run in runs]}
                for name, axis, runs in gaps_by_input(self.never_read)
            ],
            "is_known_as_a_whole": self.known.part is self.graph,
            "locality": {name: each.to_dict() for name, each in self.locality.items()},
            "layers": [layer.to_dict() for layer in self.layers],
        }
