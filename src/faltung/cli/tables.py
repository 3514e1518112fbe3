"""A report's tables on a terminal: what is too wide gets taller, and then loses columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

from rich import box
from rich.table import Table
from rich.text import Text

from faltung.report import Table as Plain

GAP: Final = 2
LONGEST: Final = 28
"""Names that are longer may be broken where there is no room."""
SHORTEST: Final = 8
"""Pieces of words are no shorter, whatever room there is."""


def table_of(plain: Plain, width: int) -> Table:
    """Return a table that fits a terminal of a width.

    Where it is too wide, titles of numbers are broken at their spaces; then the columns that the
    table can spare are left out; what is still too wide are words, which go on below. No number
    is cut.
    """
    chosen = list(range(len(plain.header)))
    if _sum(_least(plain, chosen)) > width:
        plain = _broken(plain)
    for spare in plain.spare:
        if _sum(_least(plain, chosen)) > width:
            chosen.remove(spare)
    return _drawn(plain, _widths(plain, chosen, width))


def _broken(plain: Plain) -> Plain:
    """Return a table whose titles of numbers have a line for each word."""
    header = [
        title if place in plain.left else title.replace(" ", "\n")
        for place, title in enumerate(plain.header)
    ]
    return replace(plain, header=header)


def _least(plain: Plain, chosen: Sequence[int]) -> dict[int, int]:
    """Return how wide columns must be: numbers are whole, of words the longest one is."""
    found = {}
    for place in chosen:
        pieces = (
            cell.split(None if place in plain.left else "\n") for cell in _cells(plain, place)
        )
        longest = max((len(piece) for cell in pieces for piece in cell), default=1)
        found[place] = min(longest, LONGEST) if place in plain.left else longest
    return found


def _widths(plain: Plain, chosen: Sequence[int], width: int) -> dict[int, int]:
    """Share out what room is left among the words, to those first that want little."""
    found = _least(plain, chosen)
    room = width - _sum(found)
    wanted = {n: max(map(len, _cells(plain, n))) - found[n] for n in chosen if n in plain.left}
    for place in sorted(wanted, key=lambda n: -found[n]):
        if room < 0:  # then words are broken
            room += found[place]
            found[place] = min(found[place], max(SHORTEST, room))
            room -= found[place]
    for left, place in zip(
        range(len(wanted), 0, -1), sorted(wanted, key=lambda n: wanted[n]), strict=True
    ):
        more = max(0, min(wanted[place], room // left))
        found[place] += more
        room -= more
    return found


def _cells(plain: Plain, place: int) -> list[str]:
    return [row[place] for row in (plain.header, *plain.rows, plain.footer) if row]


def _sum(widths: dict[int, int]) -> int:
    return sum(widths.values()) + GAP * len(widths)


def _drawn(plain: Plain, widths: dict[int, int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.title = Text(plain.title, style="bold") if plain.title else None
    table.title_justify = "left"
    for place, wide in widths.items():
        is_words = place in plain.left
        justify: Literal["left", "right"] = "left" if is_words else "right"
        table.add_column(
            Text(plain.header[place]),
            Text(plain.footer[place]) if plain.footer else "",
            justify=justify,
            width=wide,
            no_wrap=not is_words,
            overflow="fold",
        )
    table.show_footer = bool(plain.footer)
    for row in plain.rows:
        table.add_row(*(Text(row[place]) for place in widths))
    return table
