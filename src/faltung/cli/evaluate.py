"""``faltung evaluate``: what a model gets right, what it confuses, and its worst mistakes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from faltung.cli.screen import Screen


@click.command(short_help="Show what a model gets right and wrong.")
@click.argument("model", required=False)
@click.option("--data", metavar="NAME|PATH", help="As for train.  [what it was trained on]")
@click.option("--data-dir", metavar="DIR", help="Where a named data set's files lie.")
@click.option("--split", type=click.Choice(["train", "test"]), default="test", help="[test]")
@click.option("--worst", type=click.IntRange(min=0), metavar="N", default=5, help="[5]")
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but the result.")
def evaluate(
    *,
    model: str | None,
    data: str | None,
    data_dir: str | None,
    split: str,
    worst: int,
    is_json: bool,
    quiet: bool,
) -> None:
    """Run a MODEL (an ONNX file, or the folder of a run) on images with known labels.

    Prints accuracy, confusion matrix and the worst mistakes. Without MODEL: the newest one under
    runs/; where there is none, a tiny network is trained first, in seconds.
    """
    from faltung.cli.runs import newest_model
    from faltung.cli.screen import Screen

    screen = Screen.open(is_json=is_json, is_quiet=quiet)
    found = newest_model() if model is None else Path(model)
    if found is not None:
        evaluate_model(screen, found, data, data_dir, split, worst)
        return
    screen.note("no model under runs/, so a tiny network is trained first, in a temporary folder")
    with tempfile.TemporaryDirectory(prefix="faltung-") as folder:
        path = train_example(screen, Path(folder))
        evaluate_model(screen, path, data, data_dir, split, worst, is_kept=False)


def train_example(screen: Screen, folder: Path, name: str = "zero-one.onnx") -> Path:
    """A small model of zeros and ones."""
    from faltung.cli.screen import command
    from faltung.cli.settings import first_network, new_settings, read_data
    from faltung.cli.watch import Watch
    from faltung.training.loop import train

    settings = new_settings({"net": "zero-one"})
    parts = read_data(settings.data, None, settings.net)
    screen.say(f"$ {command('train', '--data', settings.data, '--net', settings.net)}", "bold")
    with Watch(screen) as watch:
        graph = first_network(settings, parts[0])
        result = train(graph, *parts, recipe=settings.recipe, listener=watch)
    return Path(result.graph.save(folder / name))


def evaluate_model(
    screen: Screen,
    path: Path,
    data: str | None,
    data_dir: str | None,
    split: str,
    worst: int,
    *,
    is_kept: bool = True,
) -> None:
    """Score one model on one part of a data set, and show it.

    One that is not kept is the newest under runs/ once its command has been run there.
    """
    from faltung.cli.judge import judge, model_file, open_model
    from faltung.cli.mistakes import show
    from faltung.cli.screen import command

    path = model_file(path)
    subject = open_model(path, data, data_dir, split)
    options = [*subject.options(), "--split", split]
    screen.say(f"$ {command('evaluate', *([str(path)] if is_kept else []), *options)}", "bold")
    for note in subject.notes:
        screen.note(note)
    show(screen, judge(screen, subject), worst)
