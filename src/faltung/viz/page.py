"""Pages of pictures and tables that stand alone: one file, no network, light and dark."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields
from html import escape
from typing import Final, NamedTuple

from matplotlib.figure import Figure

from faltung import theme
from faltung.report import Table
from faltung.theme import LIGHT, Theme
from faltung.viz.style import encoded

COLOURS: Final = tuple(field.name for field in fields(Theme) if field.name != "name")

_STYLE: Final = """
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 58rem; line-height: 1.5;
  font-family: system-ui, sans-serif; color: var(--ink); background: var(--paper); }
h1 { line-height: 1.2; }
h2 { margin-top: 2.5rem; }
figure { margin: 1rem 0; }
svg { display: block; max-width: 100%; height: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.7rem; border-bottom: 1px solid var(--faint); text-align: right; }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1rem; }
dt { color: var(--muted); }
dd { margin: 0; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
"""


class Section(NamedTuple):
    """A heading, some sentences, and what they are about."""

    title: str
    text: str
    content: Figure | Table | None = None


def page(title: str, facts: Sequence[tuple[str, str]], sections: Sequence[Section]) -> str:
    """Return an HTML page.

    Parameters
    ----------
    title
        Plain text, as everything else; it is escaped here.
    facts
        What is said at the top: names and figures.
    sections
        In reading order. Figures are drawn in the light theme; the page recolours them.
    """
    listed = "".join(f"<div><dt>{escape(n)}</dt><dd>{escape(v)}</dd></div>" for n, v in facts)
    parts = [f"<dl>{listed}</dl>" if facts else ""]
    parts += [_section(number, section) for number, section in enumerate(sections)]
    heading = f"<h1>{escape(title)}</h1>"
    return theme.page(title, _STYLE, "\n".join([heading, *parts]))


def _section(number: int, section: Section) -> str:
    text = f"<p>{escape(section.text)}</p>" if section.text else ""
    return f"<h2>{escape(section.title)}</h2>\n{text}\n{_content(number, section)}"


def _content(number: int, section: Section) -> str:
    if isinstance(section.content, Table):
        return f'<div class="wide">{section.content.html()}</div>'
    if section.content is None:
        return ""
    drawing = inline_svg(section.content, f"s{number}-", section.title)
    return f"<figure>{drawing}</figure>"


def inline_svg(drawn: Figure, prefix: str, label: str) -> str:
    """Return a figure as an SVG element that takes its colours from the page.

    Parameters
    ----------
    drawn
        A figure in the light theme, whose colours are each a variable of the page's style.
    prefix
        Put before every id, which must be unique in a page.
    label
        What the figure is, for those who do not see it.
    """
    text = encoded(drawn, "svg").decode()
    text = text[text.index("<svg") :]
    for name in COLOURS:
        text = text.replace(getattr(LIGHT, name), f"var(--{name})")
    text = re.sub(r'(?<=\bid=")|(?<=href="#)|(?<=url\(#)', prefix, text)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1).strip()
