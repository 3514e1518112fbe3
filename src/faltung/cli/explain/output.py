"""How a topic shows its report: text, one JSON object, a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from faltung.cli.screen import Screen
    from faltung.report import AbstractReport


def show(screen: Screen, report: AbstractReport, coloured: Mapping[str, str] | None = None) -> None:
    """Write a report, or the JSON object in its place.

    ``coloured`` has, for blocks of the report, the same with a terminal's codes for colours.
    """
    from rich.text import Text

    if screen.is_json:
        screen.result("", report.to_dict())
        return
    for number, block in enumerate(report.blocks()):
        if number:
            screen.say()
        text = str(block)
        screen.out.print(Text.from_ansi((coloured or {}).get(text, text)), soft_wrap=True)


def draw(screen: Screen, kind: str, subject: Any, path: Path, theme: str = "light") -> None:
    """Write a picture of one of the kinds in `faltung.viz`, and say so."""
    from faltung.viz import style

    style.check_suffix(path)
    module = import_module(f"faltung.viz.{kind}")
    style.save(module.draw(subject, theme=theme), path)
    screen.note(f"picture: {path}")


def picture_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a topic ``--out PICTURE`` and ``--theme``."""
    theme = click.option(
        "--theme",
        type=click.Choice(["light", "dark"]),
        default="light",
        help="Of the picture.  [light]",
    )
    out = click.option("--out", metavar="PICTURE", help="Draw it: .png, .svg or .pdf.")
    return out(theme(command))


def moving_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a topic ``--out PICTURE`` and ``--theme`` where there is something to animate."""
    theme = click.option(
        "--theme",
        type=click.Choice(["light", "dark"]),
        default="light",
        help="Of the picture.  [light]",
    )
    out = click.option(
        "--out", metavar="PICTURE", help="Draw it: .png, .svg or .pdf; a .gif is animated."
    )
    return out(theme(command))


def check_moving(out: str | None) -> None:
    """Refuse a suffix that is neither a picture's nor an animation's before anything is done."""
    if out is not None and not is_animation(out):
        from faltung.viz import style

        style.check_suffix(out)


def is_animation(out: str) -> bool:
    """Whether a path asks for frames in a row."""
    return Path(out).suffix.lower() == ".gif"


def draw_moving(screen: Screen, frames: Iterable[Any], path: Path) -> None:
    """Write an animation, or the last of its frames, and say so."""
    from faltung.viz import animation, style

    if is_animation(str(path)):
        animation.save(frames, path)
    else:
        *_, last = frames
        style.save(last, path)
    screen.note(f"picture: {path}")
