"""What every value sees of every input that has space axes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from faltung.analysis.axis_maps import AxisMap
from faltung.analysis.inspect.known import Known
from faltung.analysis.receptive_field import Field, Walk, receptive_fields
from faltung.analysis.receptive_field import sights as sights_of
from faltung.geometry import Interval
from faltung.ops.operator import AxisSpan, Everything

Fields: TypeAlias = tuple[Field, ...]
Intervals: TypeAlias = tuple[Interval, ...]


@dataclass(frozen=True)
class Sights:
    """What values see, by input of the graph and then by value.

    Parameters
    ----------
    fields
        Size, jump, start and share of each space axis of the input.
    first
        Exactly what position 0 sees of it: an axis that is seen whole is ``[0, size)``.
    """

    fields: Mapping[str, Mapping[str, Fields]]
    first: Mapping[str, Mapping[str, Intervals]]


def sights(known: Known) -> Sights:
    """Ask what each value sees, as far as the graph is known.

    Parameters
    ----------
    known
        The graph and what is known of its values.
    """
    part = known.part
    if part is None:
        return Sights({}, {})
    sources = [value.name for value in part.inputs if len(value.shape) > 2]
    walk = Walk(part, known.shapes)
    return Sights(
        {source: receptive_fields(part, source=source) for source in sources},
        {source: _first(walk, source) for source in sources},
    )


def _first(walk: Walk, source: str) -> dict[str, Intervals]:
    sizes = [int(n) for n in walk.shapes[source][2:]]
    found = {}
    for value, seen in sights_of(walk, source).items():
        maps = [each for each in seen if isinstance(each, AxisMap)]
        spans: list[AxisSpan] = [each.seen(Interval(0, 1)) for each in maps]
        if len(maps) < len(seen):
            spans = list(seen_at(walk, value, source, (0,) * len(walk.shapes[value])))
        found[value] = tuple(_interval(s, n) for s, n in zip(spans, sizes, strict=True))
    return found


def seen_at(walk: Walk, value: str, source: str, position: tuple[int, ...]) -> tuple[AxisSpan, ...]:
    """Return what one position of a value sees of each space axis of an input.

    Parameters
    ----------
    walk
        The graph and its shapes.
    value, source
        What sees, and what it sees.
    position
        Of the value, batch and channel included.
    """
    spans = tuple(Interval(at, at + 1) for at in position)
    return walk.spans(value, spans)[source][2:]


def _interval(span: AxisSpan, size: int) -> Interval:
    return Interval(0, size) if isinstance(span, Everything) else span
