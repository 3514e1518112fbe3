"""``faltung explain tour``: the argument in twelve cards, with questions to answer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from faltung.cli.screen import Screen
    from faltung.tour import Page

PROMPT = "Your answer (Enter shows it, q leaves): "


@click.command(short_help="From a dense layer to a convolution, and on: twelve cards.")
@click.option("--card", metavar="CARD", help="One of them alone, by its number or name.")
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
def tour(*, card: str | None, is_json: bool) -> None:
    """Follow the argument card by card; each ends with a question.

    On a terminal you are asked, and told whether you are right. Elsewhere the answers are printed.
    """
    from faltung.cli.screen import Screen, command
    from faltung.tour import CARDS, page

    screen = Screen.open(is_json=is_json)
    chosen = [each.name for each in CARDS] if card is None else [_number_or_name(card)]
    if is_json:
        screen.result("", {"cards": [page(each).to_dict() for each in chosen]})
        return
    if card is None:
        screen.say(f"$ {command('explain', 'tour')}\n", "bold")
    asks = sys.stdin.isatty() and sys.stdout.isatty()
    for place, each in enumerate(chosen):
        if place:
            screen.say()
        made = page(each)
        _show(screen, made)
        if not asks:
            screen.tell(f"Answer: {made.check.solution}. {made.check.reason}")
        elif not _ask(screen, made):
            return


def _number_or_name(text: str) -> int | str:
    return int(text) if text.isdecimal() else text.lower()


def _show(screen: Screen, page: Page) -> None:
    """Write a card up to its question: tables and pictures as they are, texts wrapped."""
    from faltung.cli.screen import command

    heading, question, text, *rest = page.shown()
    screen.say(str(heading), "bold")
    screen.tell(str(question), "italic")
    screen.say()
    screen.tell(str(text))
    for block in rest:
        screen.say()
        if isinstance(block, str) and "\n" not in block:
            screen.tell(block)
        else:
            screen.say(str(block))
    screen.say()
    if page.command:
        screen.say(f"More: {command(*page.command)}")
        screen.say()
    screen.tell(f"Quick check: {page.check.asked}", "bold")


def _ask(screen: Screen, page: Page) -> bool:
    """Ask until the answer is right or shown; false if the reader leaves."""
    while True:
        screen.out.print(PROMPT, end="")
        line = sys.stdin.readline()
        given = line.strip()
        if not line or given.lower() in ("q", "quit"):
            screen.say()
            return False
        if not given:
            screen.tell(f"{page.check.solution}. {page.check.reason}")
            return True
        verdict = page.check.judge(given)
        screen.tell(verdict.text, "green" if verdict else "yellow")
        if verdict:
            return True
