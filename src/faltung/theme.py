"""The one visual language: what each colour means, in light and in dark.

Figures, pages and the explorer all take their colours from here. Hues are those of Okabe and Ito
(*Color Universal Design*, 2008), safe for colour-blind readers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from html import escape
from typing import Final


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

    def css(self) -> str:
        """Return the colours as declarations of CSS variables.

        >>> LIGHT.css().split()[:2]
        ['--paper:', '#fefefe;']
        """
        named = [field.name for field in fields(self) if field.name != "name"]
        return " ".join(f"--{name}: {getattr(self, name)};" for name in named)


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

DIVERGING_STOPS: Final = (
    *("#b04a00", "#d55e00", "#f3c2a0"),
    "#ffffff",
    *("#9fc9e4", "#0072b2", "#00507d"),
)
"""Negative vermilion, zero white, positive blue, evenly spaced; the same in both themes."""
AMOUNT_STOPS: Final = ("#ffffff", "#7cc9b2", "#007a59")
"""From none (white) to much (green)."""

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
:root {{ {light} }}
@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}
{style}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def page(title: str, style: str, body: str) -> str:
    """Return an HTML page that stands alone: light or dark as the reader's system is.

    Parameters
    ----------
    title
        Plain text.
    style
        CSS that may use the colours as variables, ``var(--ink)``.
    body
        HTML.
    """
    shown = escape(title)
    return _PAGE.format(title=shown, light=LIGHT.css(), dark=DARK.css(), style=style, body=body)
