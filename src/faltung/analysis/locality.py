"""How far a network is local: halo, total stride, branches that meet, and what sees everything.

A tile of outputs is exact if it is computed from the tile of inputs under it with the halo around
it. Both follow from intervals (`axis_maps`), composed without borders: where pooling and upsampling
make what is seen depend on the phase, the halo is the safe one over all phases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor, lcm
from typing import Any

from faltung import ops
from faltung.analysis.axis_maps import AxisMap
from faltung.analysis.branches import Merge, SizeDependent, merges, size_dependent
from faltung.analysis.global_words import GlobalOperator, global_operators
from faltung.analysis.local_sight import LocalSight, local_sight
from faltung.errors import GraphError, message
from faltung.graph import Graph
from faltung.ops.operator import Shape
from faltung.report import AbstractReport, Table

AXES = {1: ("W",), 2: ("H", "W"), 3: ("D", "H", "W")}
"""What the space axes are called, by how many there are."""


@dataclass(frozen=True)
class AxisLocality:
    """How the local part of a network sees one space axis of its input.

    Output ``o`` reads positions from ``floor(o * stride) - halo_lo`` to
    ``floor(o * stride) + halo_hi``, the last one included, and every output does.

    Parameters
    ----------
    halo_lo, halo_hi
        The safe halo before and after a tile, at least 0, over all phases and local outputs.
    stride
        Input positions from one output to the next; the largest, where outputs differ.
    period
        After how many outputs what is seen repeats.
    grid
        On multiples of so many input positions tiles have to begin, so that every value in
        between is computed at the places that the whole image has.
    """

    halo_lo: int
    halo_hi: int
    stride: Fraction
    period: int
    grid: int

    def tile(self, outputs: tuple[int, int]) -> tuple[int, int]:
        """Return which input positions the outputs ``[first, end)`` need, where the grid allows.

        Not clipped: what lies outside of the image is its padding.
        """
        first, last = (floor(o * self.stride) for o in (outputs[0], outputs[1] - 1))
        lo = first - self.halo_lo
        return lo - lo % self.grid, last + self.halo_hi + 1


@dataclass(frozen=True)
class Locality(AbstractReport):
    """How far a network is local in one of its inputs, and what ends it.

    Parameters
    ----------
    input_shape, source
        The input, and its shape.
    axes
        For each space axis of it, what all `local_outputs` together see.
    global_operators
        What sees everything, in order. Empty: the network is local as a whole.
    merges
        Where branches meet that both still lie on the input's grid.
    local_outputs
        The values at which the local part ends: read by what sees everything, or results.
    size_dependent
        Nodes that put their windows elsewhere when the image's size changes: exact tiles have to
        take the whole image's padding.
    while_training
        Batch normalisations: they see the whole batch, but only while training.
    """

    input_shape: Shape
    source: str
    axes: tuple[AxisLocality, ...]
    global_operators: tuple[GlobalOperator, ...]
    merges: tuple[Merge, ...]
    local_outputs: tuple[str, ...]
    size_dependent: tuple[SizeDependent, ...]
    while_training: tuple[str, ...]

    @property
    def is_local(self) -> bool:
        """Whether no node sees everything, so that the halo makes tiles exact."""
        return not self.global_operators

    @property
    def misaligned(self) -> tuple[Merge, ...]:
        """The merges whose branches stand apart."""
        return tuple(merge for merge in self.merges if not merge.aligned)

    @property
    def names(self) -> tuple[str, ...]:
        """What the space axes are called."""
        return AXES.get(len(self.axes), tuple(str(axis) for axis in range(len(self.axes))))

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, fit for JSON; fractions as numbers."""
        return {
            "source": self.source,
            "input_shape": list(self.input_shape),
            "is_local": self.is_local,
            "local_outputs": list(self.local_outputs),
            "axes": [
                {
                    "axis": name,
                    "halo": [axis.halo_lo, axis.halo_hi],
                    "stride": float(axis.stride),
                    "period": axis.period,
                    "grid": axis.grid,
                }
                for name, axis in zip(self.names, self.axes, strict=True)
            ],
            "global_operators": [vars(each) for each in self.global_operators],
            "merges": [merge.to_dict() for merge in self.merges],
            "size_dependent": [vars(each) for each in self.size_dependent],
            "while_training": list(self.while_training),
        }

    def blocks(self) -> list[Table | str]:
        """Return one paragraph on the whole, and tables of what it rests on."""
        found: list[Table | str] = [" ".join(self._sentences())]
        if self.axes:
            found.append(self._axes_table())
        if self.global_operators:
            rows = [(each.node, each.operator, each.reason) for each in self.global_operators]
            found.append(Table(("node", "operator", "why it sees everything"), rows, (), "", WORDS))
        if self.misaligned:
            rows = [(m.node, " + ".join(m.branches), m.difference) for m in self.misaligned]
            found.append(Table(("node", "branches", "what differs"), rows, (), "", WORDS))
        if self.size_dependent:
            pairs = [(each.node, each.operator, each.reason) for each in self.size_dependent]
            found.append(Table(("node", "operator", "the size decides"), pairs, (), "", WORDS))
        return found

    def _axes_table(self) -> Table:
        rows = [
            (name, f"{a.halo_lo}, {a.halo_hi}", str(a.stride), str(a.period), str(a.grid))
            for name, a in zip(self.names, self.axes, strict=True)
        ]
        return Table(("axis", "halo", "total stride", "period", "tiles begin on"), rows)

    def _sentences(self) -> list[str]:
        ends = _listed(self.local_outputs)
        told = [f"Local in {self.source} as a whole: no operator sees everything."]
        if self.global_operators:
            names = _listed([each.node for each in self.global_operators])
            reason = self.global_operators[0].reason
            told = [f"Local in {self.source} up to {ends}; not from {names} on ({reason})."]
        for name, axis in zip(self.names, self.axes, strict=True):
            told.append(
                f"Along {name}: halo {axis.halo_lo} before and {axis.halo_hi} after, "
                f"total stride {axis.stride}."
            )
        if self.misaligned:
            told.append(f"Branches stand apart at {_listed([m.node for m in self.misaligned])}.")
        if self.size_dependent:
            names = _listed([each.node for each in self.size_dependent])
            told.append(f"Another image size moves the windows of {names}.")
        if self.while_training:
            names = _listed(self.while_training)
            told.append(f"While training, batch normalisation sees the whole batch: {names}.")
        return told


WORDS = (0, 1, 2)
LISTED = 4


def _listed(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def locality(
    graph: Graph, input_shape: Sequence[int] | None = None, *, source: str | None = None
) -> Locality:
    """Say how far a network is local in an input: halo, total stride, and what sees everything.

    Parameters
    ----------
    graph
        Any graph with an input of 1 to 3 space axes; chains and branches alike.
    input_shape
        ``(N, C, *space)`` of that input if not the declared one. The halo does not depend on how
        large the image is, but for padding words that do.
    source
        Which input, where there are several; the first, unless given.

    Returns
    -------
    Locality
        Prints as a paragraph and tables.

    Raises
    ------
    GraphError
        ``source`` is no input, or has no space axes.

    Examples
    --------
    >>> from faltung.graph import layers as L
    >>> conv = L.Conv(1, 3, padding=1)
    >>> up = L.ConvTranspose(1, 2, stride=2)
    >>> net = L.build(L.Chain(conv, L.MaxPool(2), conv, up, conv), (1, 32))
    >>> print(locality(net))
    Local in x as a whole: no operator sees everything. Along W: halo 5 before and 5 after, \
total stride 1.
    <BLANKLINE>
    axis  halo  total stride  period  tiles begin on
    ------------------------------------------------
    W     5, 5             1       2               2
    """
    source = graph.inputs[0].name if source is None else source
    if source not in [value.name for value in graph.inputs]:
        values = {"source": source, "inputs": [value.name for value in graph.inputs]}
        raise GraphError(message("locality", "source must be an input", values))
    if input_shape is not None:
        declared = {value.name: value.shape for value in graph.inputs}
        graph = graph.with_input_shape({**declared, source: tuple(input_shape)})
    shapes = graph.shapes()
    if len(shapes[source]) < 3:
        rule, given = "the input must have space axes", {"shape": shapes[source]}
        raise GraphError(message("locality", rule, given))
    sight = local_sight(graph, shapes, source)
    ends = sight.frontier()
    return Locality(
        input_shape=shapes[source],
        source=source,
        axes=tuple(_axis(sight, ends, axis) for axis in range(len(shapes[source]) - 2)),
        global_operators=global_operators(sight),
        merges=merges(sight),
        local_outputs=ends,
        size_dependent=size_dependent(sight),
        while_training=_while_training(sight),
    )


def _while_training(sight: LocalSight) -> tuple[str, ...]:
    return tuple(
        node.name
        for node in sight.graph.nodes
        if isinstance(node.operator, ops.BatchNormalization)
        and not node.operator.training_mode
        and sight.used(node)
    )


def _axis(sight: LocalSight, ends: Sequence[str], axis: int) -> AxisLocality:
    """Unite what the ends of the local part see of one axis."""
    found = [maps[axis] for value in ends if (maps := sight.maps(value))]
    passed = [maps[axis] for value in sight.seen if (maps := sight.maps(value))]
    halos = [halo(each) for each in found] or [(0, 0)]
    return AxisLocality(
        halo_lo=max(lo for lo, _ in halos),
        halo_hi=max(hi for _, hi in halos),
        stride=max((Fraction(each.step, each.period) for each in found), default=Fraction(1)),
        period=lcm(*(each.period for each in found)),
        grid=lcm(*(each.step for each in passed)),
    )


def halo(seen: AxisMap) -> tuple[int, int]:
    """Return how far before and after its own place an output reads, at most and at least 0.

    >>> halo(AxisMap(2, (-5, -3), (5, 7), 2))
    (5, 5)
    """
    at = [floor(Fraction(o * seen.step, seen.period)) for o in range(seen.period)]
    before = (o - low for o, low in zip(at, seen.lows, strict=True))
    after = (high - 1 - o for o, high in zip(at, seen.highs, strict=True))
    return max(0, *before), max(0, *after)
