"""The table of an inspection: columns, the most important first, as many as there is room for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from faltung.analysis.inspect import words
from faltung.report import Table

if TYPE_CHECKING:
    from faltung.analysis.inspect.inspection import Inspection
    from faltung.analysis.inspect.layer import InspectedLayer

WIDTH: Final = 112
"""How wide the table is in text whose width nobody said."""
GAP: Final = 2
LEAST, MOST = 10, 28
"""How short a layer's name may be cut, and how long it may be."""
FULL: Final = 76
"""In less, counts are rounded."""


@dataclass(frozen=True)
class Column:
    """One figure of all layers.

    Parameters
    ----------
    title
        What stands above it.
    cells
        One text for each layer.
    total
        What stands below.
    is_left
        Whether it is set to the left, as words are.
    """

    title: str
    cells: tuple[str, ...]
    total: str = ""
    is_left: bool = False

    @property
    def width(self) -> int:
        """Of the longest text."""
        return max(map(len, (self.title, self.total, *self.cells)))

    @property
    def is_empty(self) -> bool:
        """Whether no layer has anything to say here."""
        return not any(self.cells)


def columns(report: Inspection, *, is_rounded: bool = False) -> list[Column]:
    """Return all columns that say something, the most important ones first.

    Parameters
    ----------
    report
        What they are of.
    is_rounded
        Whether counts have three digits, or all of theirs.
    """
    made = list(_columns(report, words.rounded if is_rounded else words.count))
    return [*made[:4], *(column for column in made[4:] if not column.is_empty)]


def _columns(report: Inspection, number: Callable[[int | None], str]) -> Iterator[Column]:
    layers, totals = report.layers, report.totals
    least, inputs = "≥ " if report.at_least else "", len(report.input_shapes)

    def column(
        title: str, cell: Callable[[InspectedLayer], str], total: str = "", is_left: bool = False
    ) -> Column:
        return Column(title, tuple(cell(layer) for layer in layers), total, is_left)

    def counted(title: str, of: Callable[[InspectedLayer], int | None], total: int) -> Column:
        cells = tuple("" if n == 0 else number(n) for n in map(of, layers))
        return Column(title, cells, least + number(total))

    def cost(kind: str) -> Callable[[InspectedLayer], int | None]:
        return lambda layer: None if layer.cost is None else int(getattr(layer.cost, kind))

    yield column("layer", lambda layer: layer.name, "total", is_left=True)
    yield column("output", words.output, is_left=True)
    yield counted("params", lambda layer: layer.params, totals.params)
    yield counted("MACs", cost("macs"), totals.cost.macs)
    yield column("sees", lambda layer: words.seen(layer, inputs))
    yield column("operator", lambda layer: layer.operator, is_left=True)
    yield column("jump", lambda layer: words.jumps(layer, inputs))
    size = words.size_of(totals.activation_bytes)
    yield column("activations", lambda layer: words.size_of(layer.activation_bytes), least + size)
    yield column("output 0 sees", lambda layer: words.first(layer, inputs))
    yield column("share", lambda layer: words.share(layer, inputs))
    yield column("MACs/byte", intensity)
    yield counted("connections", cost("connections"), totals.cost.connections)
    yield counted("off padding", cost("connections_inside"), totals.cost.connections_inside)
    size = words.size_of(totals.weight_bytes)
    yield column(
        "weights", lambda layer: words.size_of(layer.weight_bytes or None).strip("?"), size
    )
    yield column("as dense", lambda n: number(n.dense_params).strip("?"))
    yield counted("state", lambda layer: layer.state, totals.state)
    yield column("dropped", lambda n: words.along(n.dropped))
    yield column("unknown", lambda layer: layer.unknown, is_left=True)


def intensity(layer: InspectedLayer) -> str:
    """Return multiply-accumulates a byte with three digits; nothing for none."""
    if layer.intensity is None or not layer.cost or not layer.cost.macs:
        return ""
    return f"{layer.intensity:.3g}" if layer.intensity < 999.5 else f"{layer.intensity:,.0f}"


def fitting(report: Inspection, width: int) -> list[Column]:
    """Return as many columns as a width holds, in their order.

    The first two are always there; layers' names are cut, in front, where they are too long.

    Parameters
    ----------
    report
        What they are of.
    width
        In characters.
    """
    return fitted(columns(report, is_rounded=width < FULL), width)


def fitted(found: Sequence[Column], width: int) -> list[Column]:
    """Return those of some columns that a width holds: the first two, and what else there is room.

    Parameters
    ----------
    found
        The most important ones first; the first has names, which are cut where they are too long.
    width
        In characters.
    """
    chosen = [found[0]]
    room = width - min(found[0].width, MOST if width >= FULL else 20)
    for place, column in enumerate(found[1:]):
        need = column.width + GAP
        if need <= room or place < 1:
            chosen.append(column)
            room -= need
    wide = max(LEAST, width - sum(each.width + GAP for each in chosen[1:]))
    cells = tuple(cut(cell, wide) for cell in found[0].cells)
    return [Column(found[0].title, cells, found[0].total, is_left=True), *chosen[1:]]


def cut(name: str, width: int) -> str:
    """Return the end of a name that is too long: files number their layers there.

    >>> cut("/features/features.0/Conv", 14)
    '…atures.0/Conv'
    """
    return name if len(name) <= width else f"…{name[len(name) - width + 1 :]}"


def table(report: Inspection, width: int = WIDTH) -> Table:
    """Return the table for a width.

    Parameters
    ----------
    report
        What it is of.
    width
        In characters.
    """
    return as_table(fitting(report, width))


def as_table(chosen: Sequence[Column]) -> Table:
    """Return columns as a table.

    Parameters
    ----------
    chosen
        Columns of one report.
    """
    rows = list(zip(*(column.cells for column in chosen), strict=True))
    totals = [column.total for column in chosen]
    footer = totals if any(totals) else []
    left = tuple(i for i, column in enumerate(chosen) if column.is_left)
    return Table([column.title for column in chosen], rows, footer, left=left)
