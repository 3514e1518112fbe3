"""``faltung experiment NAME``: claims about layers that training decides, over several seeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from faltung.cli.explain.output import draw, picture_options, show

if TYPE_CHECKING:
    from faltung.cli.screen import Screen
    from faltung.experiments import Findings

EXAMPLE = "penalty"
"""The quickest."""


@click.command(short_help="Train and compare: corners, permutation, shifted, data, ...")
@click.argument("name", required=False)
@click.option("--seeds", type=int, default=3, metavar="N", help="How many times.  [3]")
@click.option("--steps", type=int, metavar="N", help="Of training, for each network.  [it depends]")
@picture_options
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
def experiment(
    *,
    name: str | None,
    seeds: int,
    steps: int | None,
    out: str | None,
    theme: str,
    is_json: bool,
) -> None:
    """Train the networks of one experiment, several times, and compare them.

    Each takes a minute or two on two cores. Without NAME: what there is, and the quickest of them.
    """
    from faltung.cli.screen import Screen, command

    screen = Screen.open(is_json=is_json)
    if out is not None:
        from faltung.viz import style

        style.check_suffix(out)  # before the minutes that come first
    if name is None:
        name = EXAMPLE
        list_all(screen)
        options = ["--seeds", str(seeds), *([] if steps is None else ["--steps", str(steps)])]
        screen.say(f"$ {command('experiment', name, *options)}\n", "bold")
    found = run(screen, name, seeds, steps)
    show(screen, found)
    if out is not None:
        draw(screen, "findings", found, Path(out), theme)


def list_all(screen: Screen) -> None:
    """Write a line for each experiment."""
    from faltung.experiments import EXPERIMENTS

    width = max(map(len, EXPERIMENTS))
    for each in EXPERIMENTS.values():
        screen.say(f"{each.name:<{width}}  {each.about}")
    screen.say()


def run(screen: Screen, name: str, seeds: int, steps: int | None) -> Findings:
    """Run an experiment, with a bar where somebody watches."""
    from rich.progress import Progress

    from faltung.experiments import experiment as run_experiment

    is_live = screen.err.is_terminal and not screen.err.is_dumb_terminal
    with Progress(console=screen.err, transient=True, disable=not is_live) as bar:
        task = bar.add_task("", total=None)

        def tell(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what)

        return run_experiment(name, seeds=seeds, steps=steps, tell=tell)
