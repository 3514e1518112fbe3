"""What a verification says: each figure beside what brute force counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from faltung.report import AbstractReport, Table

SHOWN = 12
"""Figures that agree, and layers that are left out, are listed by name up to so many."""


@dataclass(frozen=True)
class Row:
    """One figure of one layer.

    Parameters
    ----------
    layer, figure
        The node's name, and what is counted.
    place
        On what: the network on a small input, or a small stand-in of the layer.
    said, counted
        What the analysis says, and what brute force found, as text.
    same
        Whether they agree.
    """

    layer: str
    figure: str
    place: str
    said: str
    counted: str
    same: bool


@dataclass(frozen=True)
class LeftOut:
    """A figure that was not recounted.

    Parameters
    ----------
    layer, figure, reason
        The node's name, what was not counted, and why.
    """

    layer: str
    figure: str
    reason: str


@dataclass(frozen=True)
class Verification(AbstractReport):
    """All figures that were recounted, and those that were not.

    Parameters
    ----------
    inputs
        In words, how small the inputs were.
    rows
        One for each figure of each layer.
    left_out
        What could not be recounted, with the reason.
    positions
        How many receptive fields were compared position by position: whole inside the input, and
        those that its border cuts off.
    """

    inputs: tuple[str, ...]
    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...]
    positions: tuple[int, int]

    @property
    def passed(self) -> bool:
        """Whether there was something to compare, and all of it agrees."""
        return bool(self.rows) and not self.differences

    @property
    def differences(self) -> tuple[Row, ...]:
        """The figures that do not agree."""
        return tuple(row for row in self.rows if not row.same)

    def blocks(self) -> Sequence[Table | str]:
        """Return what differs, how much was compared on what, and what was left out."""
        found: list[Table | str] = [self._verdict()]
        if self.differences:
            found.append(_table(self.differences))
        found.append(" ".join(self.inputs))
        counts = Counter(row.figure for row in self.rows)
        rows = [
            (figure, f"{count:,}", f"{self._wrong(figure):,}") for figure, count in counts.items()
        ]
        found.append(Table(("figure", "recounted", "differ"), rows))
        if self.left_out:
            found.append(self._left_out())
        return found

    def _verdict(self) -> str:
        layers = len({row.layer for row in self.rows})
        inside, border = self.positions
        text = f"{len(self.rows):,} figures of {layers:,} layers were recounted by brute force"
        fields = f"{inside:,} receptive fields were compared whole, {border:,} cut by the border."
        if self.passed:
            return f"{text}: all agree. {fields}"
        return f"{text}: {len(self.differences):,} DIFFER. {fields}"

    def _wrong(self, figure: str) -> int:
        return sum(row.figure == figure for row in self.differences)

    def _left_out(self) -> Table:
        reasons: dict[tuple[str, str], list[str]] = {}
        for each in self.left_out:
            reasons.setdefault((each.figure, each.reason), []).append(each.layer)
        rows = [(figure, _some(layers), reason) for (figure, reason), layers in reasons.items()]
        title = f"Not recounted: {len(self.left_out):,} figures"
        return Table(("figure", "layers", "why"), rows, title=title, left=(0, 1, 2))

    def to_dict(self) -> dict[str, Any]:
        """Return every row, fit for JSON."""
        return {
            "passed": self.passed,
            "inputs": list(self.inputs),
            "receptive_fields": {"whole": self.positions[0], "cut": self.positions[1]},
            "rows": [vars(row) for row in self.rows],
            "left_out": [vars(each) for each in self.left_out],
        }


def _table(rows: Sequence[Row]) -> Table:
    header = ("layer", "figure", "said", "counted", "on")
    cells = [(r.layer, r.figure, r.said, r.counted, r.place) for r in rows]
    return Table(header, cells, left=(0, 1, 2, 3, 4))


def _some(layers: Sequence[str]) -> str:
    more = len(layers) - SHOWN
    return ", ".join(layers[:SHOWN]) + (f" and {more} more" if more > 0 else "")
