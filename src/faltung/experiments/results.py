"""What an experiment found: one value a seed, curves through their means, panels of curves."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from faltung.report import AbstractReport, Table

Values = tuple[float, ...]


def mean(values: Sequence[float]) -> float:
    """Return the mean over the seeds.

    >>> mean((0.5, 1.0))
    0.75
    """
    return math.fsum(values) / len(values)


def spread(values: Sequence[float]) -> float | None:
    """Return the standard deviation over the seeds; None where there is one seed alone.

    >>> spread((0.5, 1.0, 1.5)), spread((0.5,))
    (0.5, None)
    """
    return statistics.stdev(values) if len(values) > 1 else None


def written(values: Sequence[float], *, percent: bool = True) -> str:
    """Return mean and spread as text.

    >>> written((0.96, 0.98)), written((0.5,)), written((1.0, 3.0), percent=False)
    ('97.0 ± 1.4 %', '50.0 %', '2.0 ± 1.4')
    """
    scale, unit = (100, " %") if percent else (1, "")
    around = spread(values)
    text = f"{scale * mean(values):.1f}"
    return f"{text}{unit}" if around is None else f"{text} ± {scale * around:.1f}{unit}"


def points(values: Sequence[float]) -> str:
    """Return a difference of shares as text, in percentage points.

    >>> points((-0.09, -0.11))
    '-10.0 ± 1.4 points'
    """
    text, around = f"{100 * mean(values):+.1f}", spread(values)
    return f"{text} points" if around is None else f"{text} ± {100 * around:.1f} points"


@dataclass(frozen=True)
class Curve:
    """One thing measured several times at each of several places.

    Parameters
    ----------
    label
        What was measured.
    x
        The places along the axis, rising.
    values
        For each place, one value for each seed.
    group
        What it has in common with others: curves of one group are drawn in one colour.
    """

    label: str
    x: tuple[float, ...]
    values: tuple[Values, ...]
    group: str = ""

    @property
    def means(self) -> Values:
        """The mean at each place."""
        return tuple(mean(each) for each in self.values)

    @property
    def spreads(self) -> tuple[float | None, ...]:
        """The standard deviation at each place; None where there is one seed alone."""
        return tuple(spread(each) for each in self.values)

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, fit for JSON."""
        fields = zip(self.x, self.means, self.spreads, self.values, strict=True)
        return {
            "label": self.label,
            "points": [
                {"x": x, "mean": m, "spread": s, "values": list(v)} for x, m, s, v in fields
            ],
        }


@dataclass(frozen=True)
class Panel:
    """Curves on one pair of axes.

    Parameters
    ----------
    title, x_label, y_label
        What is shown.
    curves
        One or more.
    names
        What stands at x = 0, 1, 2 ... where the places are no numbers; empty where they are.
    is_log
        Whether the places are better spaced by their logarithm.
    is_apart
        Whether the places are things of their own, between which there is nothing.
    levels
        Horizontal lines to compare with, by name.
    """

    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    names: tuple[str, ...] = ()
    is_log: bool = False
    is_apart: bool = False
    levels: Mapping[str, float] = field(default_factory=dict)

    def place(self, x: float) -> str:
        """Return a place along the axis as text.

        Parameters
        ----------
        x
            One of a curve's.
        """
        return self.names[int(x)] if self.names else f"{x:,g}"

    def table(self) -> Table:
        """Return a row for each place and a column for each curve; curves share their places."""
        places = self.curves[0].x
        rows = [
            (self.place(x), *(written(curve.values[i]) for curve in self.curves))
            for i, x in enumerate(places)
        ]
        return Table((self.x_label, *(curve.label for curve in self.curves)), rows)

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, fit for JSON."""
        return {
            "title": self.title,
            "x": self.x_label,
            "y": self.y_label,
            "names": list(self.names),
            "levels": dict(self.levels),
            "curves": [curve.to_dict() for curve in self.curves],
        }


@dataclass(frozen=True)
class Findings(AbstractReport):
    """What one experiment found.

    Parameters
    ----------
    name
        The experiment's.
    question
        What it asks.
    setup
        What was trained on what, and for how long.
    seeds
        Of the weights and of the order of the images: the experiment was done once for each.
    steps
        That each network was trained.
    panels
        The measurements, as they are drawn.
    tables
        The measurements, as they are printed.
    answers
        What the numbers say, a sentence or two each.
    figures
        Further numbers, fit for JSON.
    """

    name: str
    question: str
    setup: str
    seeds: tuple[int, ...]
    steps: int
    panels: tuple[Panel, ...]
    tables: tuple[Table, ...]
    answers: tuple[str, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def curves(self) -> tuple[Curve, ...]:
        """The curves of all panels."""
        return tuple(curve for panel in self.panels for curve in panel.curves)

    def curve(self, label: str) -> Curve:
        """Return a curve by what it shows.

        Parameters
        ----------
        label
            Of the first panel that has it.

        Raises
        ------
        KeyError
            There is none.
        """
        for curve in self.curves:
            if curve.label == label:
                return curve
        raise KeyError(label)

    def blocks(self) -> Sequence[Table | str]:
        """Return question, setup, tables, and what they say."""
        return [self.question, f"{self.setup} {self._repeated()}", *self.tables, *self.answers]

    def _repeated(self) -> str:
        seeds = ", ".join(map(str, self.seeds))
        if len(self.seeds) == 1:
            return f"One seed ({seeds}): how far chance moves these numbers is not known."
        return f"Means and standard deviations over {len(self.seeds)} seeds ({seeds})."

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, those of each seed included, fit for JSON."""
        return {
            "experiment": self.name,
            "question": self.question,
            "setup": self.setup,
            "seeds": list(self.seeds),
            "steps": self.steps,
            "panels": [panel.to_dict() for panel in self.panels],
            "answers": list(self.answers),
            **self.figures,
        }
