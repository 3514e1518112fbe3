"""``faltung explain compose``: two convolutions are one, unless something stands between them."""

from __future__ import annotations

from typing import Any

import click

from faltung.cli.explain.numbers import Numbers, typed

METAVAR = "ROWS"


@click.command(short_help="Two layers are one, and what a ReLU between them changes.")
@click.option("--image", type=Numbers(), metavar=METAVAR, help="Rows of numbers, or FILE.npy.")
@click.option("--first", type=Numbers(), metavar=METAVAR, help="The first kernel.")
@click.option("--second", type=Numbers(), metavar=METAVAR, help="The second kernel.")
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
def compose(*, image: Any, first: Any, second: Any, is_json: bool) -> None:
    """Check (f*g)*h = f*(g*h) on your numbers; merge two layers; put a ReLU between them."""
    from faltung.cli.explain.output import show
    from faltung.cli.screen import Screen, command
    from faltung.definitions import composition

    screen = Screen.open(is_json=is_json)
    made = composition.compose(image, first, second)
    if image is None:
        chosen = (
            composition.IMAGE,
            composition.FIRST if first is None else first,
            composition.SECOND if second is None else second,
        )
        names = ("--image", "--first", "--second")
        options = [part for name, a in zip(names, chosen, strict=True) for part in (name, typed(a))]
        screen.say(f"$ {command('explain', 'compose', *options)}\n", "bold")
    show(screen, made)
