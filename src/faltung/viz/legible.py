"""Whether every text of a figure can be read: large enough, inside it, and none on another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from faltung.viz.style import TEXT, theme_name, themed

SLACK: Final = 1.0
"""Pixels by which boxes may meet: they hold room for accents and tails that most words lack."""


@dataclass(frozen=True)
class Placed:
    """A text as it was drawn.

    Parameters
    ----------
    text
        Its letters.
    points
        Their size.
    box
        What it covers, in pixels.
    """

    text: str
    points: float
    box: Bbox


def texts(drawn: Figure) -> list[Placed]:
    """Return every text that a figure shows, in drawing order.

    Parameters
    ----------
    drawn
        The figure; it is drawn once more, and each text asked for its box as it is drawn.
    """
    found: list[Placed] = []
    with themed(theme_name(drawn)), _overheard(found):
        drawn.canvas.draw()
    return found


def complaints(drawn: Figure, points: float = TEXT) -> list[str]:
    """Return what stands in the way of reading a figure's texts, one line each.

    Parameters
    ----------
    drawn
        The figure.
    points
        How large the smallest text has to be.
    """
    found = texts(drawn)
    width, height = drawn.canvas.get_width_height()
    lines = [f"{t.text!r} is too small: {t.points:g} pt" for t in found if t.points < points]
    for each in found:
        box = each.box
        if min(box.x0, box.y0) < 0 or box.x1 > width or box.y1 > height:
            lines.append(f"{each.text!r} leaves the figure")
    lines += [f"{a.text!r} is on {b.text!r}" for a, b in combinations(found, 2) if _meet(a, b)]
    return lines


def _meet(a: Placed, b: Placed) -> bool:
    """Whether two boxes share more than an edge."""
    wide = min(a.box.x1, b.box.x1) - max(a.box.x0, b.box.x0)
    high = min(a.box.y1, b.box.y1) - max(a.box.y0, b.box.y0)
    return bool(min(wide, high) > SLACK)


@contextmanager
def _overheard(found: list[Placed]) -> Iterator[None]:
    """Note each text when it is drawn: tick labels exist that never are."""
    original = Text.draw

    def draw(self: Text, renderer: Any, *args: Any, **kwargs: Any) -> None:
        original(self, renderer, *args, **kwargs)
        if self.get_visible() and self.get_text().strip():
            box = Text.get_window_extent(self, renderer)
            found.append(Placed(self.get_text(), float(self.get_fontsize()), box))

    Text.draw = draw  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        Text.draw = original  # type: ignore[method-assign]
