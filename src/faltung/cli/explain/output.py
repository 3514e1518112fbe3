"""How a topic shows its report: text, one JSON object, a picture."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.text import Text

from faltung.cli.screen import Screen
from faltung.report import AbstractReport


def show(screen: Screen, report: AbstractReport, coloured: Mapping[str, str] | None = None) -> None:
    """Write a report, or the JSON object in its place.

    ``coloured`` has, for blocks of the report, the same with a terminal's codes for colours.
    """
    if screen.is_json:
        screen.result("", report.to_dict())
        return
    for number, block in enumerate(report.blocks()):
        if number:
            screen.say()
        text = str(block)
        screen.out.print(Text.from_ansi((coloured or {}).get(text, text)), soft_wrap=True)


def draw(screen: Screen, kind: str, subject: Any, path: Path) -> None:
    """Write a picture of one of the kinds in `faltung.viz`, and say so."""
    from faltung.viz import style

    style.check_suffix(path)
    module = import_module(f"faltung.viz.{kind}")
    style.save(module.draw(subject), path)
    screen.note(f"picture: {path}")
