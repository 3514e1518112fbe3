"""Where branches meet, and whether they stand on the same places; windows that a size moves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Any

from faltung.analysis.axis_maps import AxisMap
from faltung.analysis.local_sight import LocalSight, Maps
from faltung.errors import FaltungError
from faltung.geometry import Interval
from faltung.graph import Node
from faltung.ops import Resize
from faltung.ops.operator import Shape

FEW = 512
"""Of more remainders than twice so many, only the first and the last are looked at."""


@dataclass(frozen=True)
class Merge:
    """A node that several branches of one input meet at.

    Parameters
    ----------
    node, operator
        Its name, and that of its operator.
    branches
        The values that meet.
    jumps
        For each branch and axis, its total stride.
    starts
        For each branch and axis, the first input position that output 0 sees.
    centres
        For each branch and axis, the middle of what output 0 sees, the mean over its phases.
    aligned
        Whether total strides, centres and the order of the axes agree.
    difference
        What does not, in words; empty if aligned.
    """

    node: str
    operator: str
    branches: tuple[str, ...]
    jumps: tuple[tuple[Fraction, ...], ...]
    starts: tuple[tuple[int, ...], ...]
    centres: tuple[tuple[Fraction, ...], ...]
    aligned: bool
    difference: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields, fit for JSON; fractions as numbers."""
        return {
            "node": self.node,
            "operator": self.operator,
            "branches": list(self.branches),
            "jumps": [[float(jump) for jump in each] for each in self.jumps],
            "starts": [list(each) for each in self.starts],
            "centres": [[float(centre) for centre in each] for each in self.centres],
            "aligned": self.aligned,
            "difference": self.difference,
        }


@dataclass(frozen=True)
class SizeDependent:
    """A node that puts its windows elsewhere in an image of another size.

    Parameters
    ----------
    node, operator
        Its name, and that of its operator.
    reason
        How, in a few words.
    """

    node: str
    operator: str
    reason: str


TURNED = "the image's axes are in another order"


def merges(sight: LocalSight) -> tuple[Merge, ...]:
    """Return the nodes where branches of the input meet that lie on its grid."""
    found = ((node, sight.branches(node)) for node in sight.graph.nodes)
    return tuple(_merge(node, branches) for node, branches in found if len(branches) > 1)


def _merge(node: Node, branches: dict[str, Maps]) -> Merge:
    seen = tuple(branches.values())
    jumps = tuple(tuple(jump(each) for each in maps) for maps in seen)
    centres = tuple(tuple(centre(each) for each in maps) for maps in seen)
    turned = len({tuple(each.axis for each in maps) for maps in seen}) > 1
    difference = TURNED if turned else _difference(jumps, centres)
    return Merge(
        node=node.name,
        operator=node.operator.subject,
        branches=tuple(branches),
        jumps=jumps,
        starts=tuple(tuple(each.low(0) for each in maps) for maps in seen),
        centres=centres,
        aligned=not difference,
        difference=difference,
    )


def jump(seen: AxisMap) -> Fraction:
    """Return the total stride."""
    return Fraction(seen.step, seen.period)


def centre(seen: AxisMap) -> Fraction:
    """Return where output 0's place in the input is: the middle of what it sees.

    Where the middle swings with the phase, as behind pooling and upsampling, it is the mean.

    >>> centre(AxisMap(2, (-1,), (2,), 1)), centre(AxisMap(2, (0, 0), (2, 2), 2))
    (Fraction(0, 1), Fraction(0, 1))
    """
    twice = sum(seen.lows) + sum(seen.highs) - seen.period
    return Fraction(twice - seen.step * (seen.period - 1), 2 * seen.period)


def _difference(
    jumps: Sequence[tuple[Fraction, ...]], centres: Sequence[tuple[Fraction, ...]]
) -> str:
    if len(set(jumps)) > 1:
        strides = " and ".join(_listed(each) for each in jumps)
        return f"total strides {strides}"
    if len(set(centres)) == 1:
        return ""
    apart = tuple(max(axis) - min(axis) for axis in zip(*centres, strict=True))
    return f"the same stride, but {_listed(apart)} input positions apart"


def _listed(numbers: Sequence[Fraction]) -> str:
    return "×".join(str(n) for n in numbers)


def size_dependent(sight: LocalSight) -> tuple[SizeDependent, ...]:
    """Return the nodes on the input's grid whose windows the image's size moves.

    'same' padding with a stride is shared out by what the stride leaves over: an image that is one
    position longer is sampled on another grid.
    """
    return tuple(
        SizeDependent(node.name, node.operator.subject, reason)
        for node in sight.graph.nodes
        for i, name in sight.used(node)[:1]
        if sight.maps(name) is not None and (reason := _moved(sight, node, i, name))
    )


def _moved(sight: LocalSight, node: Node, position: int, value: str) -> str:
    if isinstance(node.operator, Resize) and node.operator.sizes is not None:
        return "it resizes to given sizes, so that the total stride depends on the image's"
    shapes = [sight.shapes[name] for name in node.inputs]
    rank = len(sight.shapes[node.outputs[0]])
    for axis in sorted(axis for axes in sight.places[value] for axis in axes):
        way = sight.of(node).axis(position, axis)
        size = shapes[position][axis]
        if not isinstance(way, AxisMap) or way.step < 2 or not isinstance(size, int):
            continue
        if len({*_starts(node, shapes, position, axis, rank, _residues(size, way.step))}) > 1:
            return "its padding is shared out by the size of its input"
    return ""


def _residues(size: int, step: int) -> Iterable[int]:
    """Return a size for each remainder; of very many, the first and the last."""
    if step <= 2 * FEW:
        return range(size, size + step)
    return chain(range(size, size + FEW), range(size + step - FEW, size + step))


def _starts(
    node: Node, shapes: Sequence[Shape], position: int, axis: int, rank: int, sizes: Iterable[int]
) -> Iterator[int]:
    """Yield where the first window begins, for each size of one axis."""
    box = (Interval(0, 1),) * rank
    for size in sizes:
        shape = (*shapes[position][:axis], size, *shapes[position][axis + 1 :])
        given = [*shapes[:position], shape, *shapes[position + 1 :]]
        try:
            span = node.operator.input_span(given, box)[position][axis]
        except FaltungError:  # A reshape takes one size alone.
            continue
        if isinstance(span, Interval):
            yield span.lo
