"""Matrices as text: a letter for each weight, so that tied entries are seen; a dot for zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from string import ascii_letters
from typing import Any, Final

from numpy.typing import NDArray

GAP: Final = "    "
HUES: Final = (33, 208, 36, 170, 178, 75, 166, 42, 141, 220, 39, 203)
"""Colours of a terminal with 256 of them, neighbours far apart."""


def drawing(tied: Mapping[str, NDArray[Any]], *, colour: bool = False, across: int = 2) -> str:
    """Return titled matrices beside and below each other.

    Parameters
    ----------
    tied
        For each title, which weight stands at each entry, -1 for zero: `Square.tied`.
    colour
        Whether to colour the letters for a terminal; weights beyond the twelfth repeat hues.
    across
        How many matrices stand beside each other.
    """
    panels = [_panel(title, labels, colour) for title, labels in tied.items()]
    rows = [panels[i : i + across] for i in range(0, len(panels), across)]
    return "\n\n".join(_beside(row) for row in rows)


def names_of(count: int) -> list[str]:
    """Return as many names of one length: letters, or pairs or more of them.

    >>> names_of(3), names_of(54)[51:]
    (['a', 'b', 'c'], ['aZ', 'ba', 'bb'])
    """
    width, room = 1, len(ascii_letters)
    while room < count:
        width, room = width + 1, room * len(ascii_letters)
    return [_name(n, width) for n in range(count)]


def _name(number: int, width: int) -> str:
    letters = []
    for _ in range(width):
        number, letter = divmod(number, len(ascii_letters))
        letters.append(ascii_letters[letter])
    return "".join(reversed(letters))


def _panel(title: str, labels: NDArray[Any], colour: bool) -> list[tuple[str, int]]:
    """Return lines, each with its width on the screen."""
    names = names_of(int(labels.max(initial=0)) + 1)
    wide = len(names[0])
    lines = [[_cell(int(label), names, colour) for label in row] for row in labels]
    width = max(labels.shape[1] * (wide + 1) - 1, len(title))
    padding = width - (labels.shape[1] * (wide + 1) - 1)
    return [
        (title.ljust(width), width),
        *((" ".join(cells) + " " * padding, width) for cells in lines),
    ]


def _cell(label: int, names: Sequence[str], colour: bool) -> str:
    if label < 0:
        return "·".rjust(len(names[0]))
    if not colour:
        return names[label]
    return f"\x1b[38;5;{HUES[label % len(HUES)]}m{names[label]}\x1b[0m"


def _beside(panels: Sequence[Sequence[tuple[str, int]]]) -> str:
    blanks = [" " * panel[0][1] for panel in panels]
    lines = zip_longest(*([text for text, _ in panel] for panel in panels))
    return "\n".join(
        GAP.join(b if text is None else text for text, b in zip(line, blanks, strict=True)).rstrip()
        for line in lines
    )
