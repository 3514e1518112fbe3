"""The one visual language: what each colour means, in light and in dark.

Hues are those of Okabe and Ito (*Color Universal Design*, 2008), safe for colour-blind readers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, hsv_to_rgb, to_hex, to_rgba
from matplotlib.typing import ColorType
from numpy.typing import NDArray

from faltung.errors import PictureError, message


@dataclass(frozen=True)
class Theme:
    """Colours by what they stand for.

    Parameters
    ----------
    name
        ``"light"`` or ``"dark"``.
    paper, ink
        What is drawn on, and text and outlines.
    muted, faint
        Padding and axes; grids and cells that are empty.
    input, kernel, output
        The three parts of a convolution.
    other, wrong
        What is compared with them; mistakes.
    """

    name: str
    paper: str
    ink: str
    muted: str
    faint: str
    input: str
    kernel: str
    output: str
    other: str
    wrong: str

    @property
    def series(self) -> tuple[str, ...]:
        """Colours for things that have no part in a convolution, neighbours far apart."""
        return (self.input, self.kernel, self.output, self.other, self.wrong, self.muted)


LIGHT: Final = Theme(
    "light",
    paper="#fefefe",
    ink="#1c2126",
    muted="#6b7580",
    faint="#dfe3e7",
    input="#0072b2",
    kernel="#e69f00",
    output="#009e73",
    other="#cc79a7",
    wrong="#d55e00",
)
DARK: Final = Theme(
    "dark",
    paper="#15191d",
    ink="#e8ebee",
    muted="#97a1ab",
    faint="#343b43",
    input="#56b4e9",
    kernel="#e69f01",
    output="#12b886",
    other="#dd91bb",
    wrong="#ee7a2b",
)
THEMES: Final[Mapping[str, Theme]] = {theme.name: theme for theme in (LIGHT, DARK)}

DIVERGING: Final = LinearSegmentedColormap.from_list(
    "faltung", ["#b04a00", "#d55e00", "#f3c2a0", "#ffffff", "#9fc9e4", "#0072b2", "#00507d"]
)
"""Negative vermilion, zero white, positive blue; the same in both themes."""
AMOUNT: Final = LinearSegmentedColormap.from_list("amount", ["#ffffff", "#7cc9b2", "#007a59"])
"""From none (white) to much (green)."""


def theme_of(name: str) -> Theme:
    """Return a theme by its name.

    >>> theme_of("dark").name
    'dark'
    """
    if name not in THEMES:
        values, cure = {"theme": repr(name)}, f"Use one of {', '.join(THEMES)}"
        raise PictureError(message("picture", "there is no such theme", values, cure))
    return THEMES[name]


def hues(count: int) -> list[str]:
    """Return so many colours, light enough for black text, neighbours far apart.

    The golden ratio spaces hues evenly however many there are; a second step varies lightness, so
    that dozens can still be told apart.

    >>> len(set(hues(100)))
    100
    """
    numbers = np.arange(count)
    hue = (0.56 + numbers * 0.618034) % 1.0
    saturation = 0.34 + 0.26 * (numbers * 0.381966 % 1.0)
    value = 0.98 - 0.16 * (numbers * 0.754878 % 1.0)
    colours: NDArray[np.float64] = hsv_to_rgb(np.stack([hue, saturation, value], axis=1))
    return [to_hex(colour) for colour in colours]


def text_on(colour: ColorType) -> str:
    """Return black or white, whichever reads better on a colour (WCAG's relative luminance).

    >>> text_on("#ffffff"), text_on("#0072b2")
    ('#000000', '#ffffff')
    """
    channels: NDArray[np.float64] = np.array(to_rgba(colour)[:3])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ (0.2126, 0.7152, 0.0722))
    return "#000000" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "#ffffff"
