"""``faltung doctor``: what faltung runs on, and what is missing."""

from __future__ import annotations

import click


@click.command(short_help="Show versions, processor, extras and folders.")
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
def doctor(*, is_json: bool) -> None:
    """Print versions, processor, threads, extras, folders and FALTUNG_* variables."""
    from faltung.cli.machine import facts
    from faltung.cli.screen import Screen
    from faltung.cli.sheet import show

    show(Screen.open(is_json=is_json), facts())
