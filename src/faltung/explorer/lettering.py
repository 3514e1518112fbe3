"""A small alphabet of 5×7 pixels, so that a page of text needs no font."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from faltung.errors import ExplorerError, message

HEIGHT: Final = 7
WIDTH: Final = 5
_ROWS: Final = {
    " ": ("     ",) * 7,
    "a": ("     ", "     ", " ### ", "    #", " ####", "#   #", " ####"),
    "d": ("    #", "    #", " ## #", "#  ##", "#   #", "#   #", " ####"),
    "e": ("     ", "     ", " ### ", "#   #", "#####", "#    ", " ### "),
    "f": ("  ## ", " #   ", "###  ", " #   ", " #   ", " #   ", " #   "),
    "h": ("#    ", "#    ", "# ## ", "##  #", "#   #", "#   #", "#   #"),
    "i": ("  #  ", "     ", " ##  ", "  #  ", "  #  ", "  #  ", " ### "),
    "k": ("#    ", "#    ", "#  # ", "# #  ", "##   ", "# #  ", "#  # "),
    "l": (" ##  ", "  #  ", "  #  ", "  #  ", "  #  ", "  #  ", " ### "),
    "n": ("     ", "     ", "# ## ", "##  #", "#   #", "#   #", "#   #"),
    "o": ("     ", "     ", " ### ", "#   #", "#   #", "#   #", " ### "),
    "r": ("     ", "     ", "# ## ", "##  #", "#    ", "#    ", "#    "),
    "s": ("     ", "     ", " ####", "#    ", " ### ", "    #", "#### "),
    "t": (" #   ", " #   ", "###  ", " #   ", " #   ", " #  #", "  ## "),
    "v": ("     ", "     ", "#   #", "#   #", "#   #", " # # ", "  #  "),
}


def page_of(lines: Sequence[str], margin: int = 4) -> NDArray[np.uint8]:
    """Return lines of text, black (0) on white (255).

    Parameters
    ----------
    lines
        Of letters that the alphabet has.
    margin
        White pixels around the text; between lines there are as many.

    Raises
    ------
    ExplorerError
        A letter is not in the alphabet.

    Examples
    --------
    >>> page_of(["e"], 0)[2].tolist()
    [255, 0, 0, 0, 255]
    """
    missing = sorted({letter for line in lines for letter in line} - set(_ROWS))
    if missing:
        values = {"letters": missing}
        raise ExplorerError(message("lettering", "every letter must be in the alphabet", values))
    longest = max(map(len, lines))
    step_y, step_x = HEIGHT + max(margin, 1), WIDTH + 1
    size = (2 * margin + step_y * len(lines), 2 * margin + step_x * longest - 1)
    page = np.full(size, 255, np.uint8)
    for row, line in enumerate(lines):
        for column, letter in enumerate(line):
            ink = np.array([list(pixels) for pixels in _ROWS[letter]]) == "#"
            y, x = margin + row * step_y, margin + column * step_x
            page[y : y + HEIGHT, x : x + WIDTH][ink] = 0
    return page[: size[0] - max(margin, 1) + margin]
