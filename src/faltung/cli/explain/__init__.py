"""``faltung explain WHAT``: one claim at a time, on the user's own sizes, signals and pictures."""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

TOPICS: Final = {
    "compose": "faltung.cli.explain.compose:compose",
    "conv": "faltung.cli.explain.conv:conv",
    "cortex": "faltung.cli.explain.cortex:cortex",
    "cost": "faltung.cli.explain.cost:cost",
    "data": "faltung.cli.explain.data:data",
    "field": "faltung.cli.explain.field:field",
    "learned": "faltung.cli.explain.learned:learned",
    "matrix": "faltung.cli.explain.matrix:matrix",
    "signal": "faltung.cli.explain.signal:signal",
    "square": "faltung.cli.explain.square:square",
    "tour": "faltung.cli.explain.tour:tour",
}
"""What can be explained: its name, and where its command is."""


class _Topics(click.Group):
    """Loads a topic's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(TOPICS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in TOPICS:
            return None
        module, _, name = TOPICS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=_Topics, invoke_without_command=True, short_help="Show why, on your own numbers.")
@click.pass_context
def explain(context: click.Context) -> None:
    """Show one step or one claim on numbers of your own.

    Every topic without its options runs a worked example and prints the full command.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
