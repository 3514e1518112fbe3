"""``faltung train``: from a data set to a trained network in an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faltung import zoo

if TYPE_CHECKING:
    from faltung.cli.report import Trained
    from faltung.cli.screen import Screen
    from faltung.cli.settings import Settings
    from faltung.datasets import Dataset
    from faltung.graph import Graph

# Written out, as the help is there before anything of training is loaded; a test compares.
OPTIMISERS = "sgd, nesterov, adam or adamw"
SCHEDULES = "constant, cosine or one-cycle"


@click.command(short_help="Train a network on images.")
@click.option(
    "--data",
    metavar="NAME|PATH",
    help="sample (real digits, part of the package), mnist, fashion-mnist, cifar10; or a folder "
    "with one sub-folder a class, an .npz file, a folder of IDX or CIFAR files.  [sample]",
)
@click.option("--data-dir", metavar="DIR", help="Where a named data set's files lie.")
@click.option(
    "--net",
    metavar="NAME",
    help=f"The network: {', '.join(zoo.NAMES)}; or a published one. zero-one learns the first two "
    "classes of a named data set at half size.  [small]",
)
@click.option("--init", metavar="MODEL", help="Start from this ONNX model instead.")
@click.option("--epochs", type=int, metavar="N", help="Times that every image is seen.")
@click.option("--batch", type=int, metavar="N", help="Images in a step.")
@click.option("--lr", type=float, metavar="X", help="Greatest learning rate.")
@click.option("--seed", type=int, metavar="S", help="Decides all chance.  [0]")
@click.option("--optimiser", "--optimizer", metavar="NAME", help=f"{OPTIMISERS}.  [adamw]")
@click.option("--schedule", metavar="NAME", help=f"{SCHEDULES}.  [one-cycle]")
@click.option("--weight-decay", type=float, metavar="X", help="Pull on kernels and matrices.")
@click.option("--augment/--no-augment", default=None, help="Shift images by chance; or not.")
@click.option(
    "--validation", type=float, metavar="SHARE", help="Share held out to watch the run.  [0.1]"
)
@click.option(
    "--patience", type=int, metavar="N", help="Stop after N epochs without progress.  [never]"
)
@click.option("--checkpoint-every", type=int, metavar="N", help="Steps between checkpoints.")
@click.option("--out", metavar="DIR", help="Folder of the run.  [a new one under runs/]")
@click.option("--force", is_flag=True, help="Replace the run in --out.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted run, in --out or the last.")
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but the result.")
def train(
    *, out: str | None, force: bool, resume: bool, is_json: bool, quiet: bool, **options: Any
) -> None:
    """Train a network on images and save it as an ONNX file.

    Without options: the default network on the digits of the package, in less than a minute.
    """
    from faltung.cli.report import show
    from faltung.cli.screen import Screen

    screen = Screen.open(is_json=is_json, is_quiet=quiet)
    given = {name: value for name, value in options.items() if value is not None}
    run = resumed_run if resume else new_run
    show(screen, run(screen, given, out, force))


def new_run(screen: Screen, given: dict[str, Any], out: str | None, is_forced: bool) -> Trained:
    """Train from the start."""
    from faltung.cli import runs
    from faltung.cli.settings import first_network, new_settings, read_data, short_name

    settings = new_settings(given)
    parts = read_data(settings.data, settings.data_dir, settings.net)
    graph = first_network(settings, parts[0])
    name = short_name(settings.data, settings.net)
    folder = runs.new_folder(out, name, is_forced=is_forced)
    announce(screen, ["train", *settings.options(), "--out", str(folder)], graph, parts)
    try:
        runs.write_record(folder, settings)
        return finish(screen, settings, graph, parts, folder, is_resumed=False)
    except Exception:
        if out is None:
            runs.remove_vain(folder)
        raise


def resumed_run(screen: Screen, given: dict[str, Any], out: str | None, _: bool) -> Trained:
    """Go on with a run, under its own settings."""
    from faltung.cli import runs
    from faltung.cli.settings import first_network, new_settings, read_data, resumed_settings

    folder = runs.folder_to_resume(out)
    then = runs.read_record(folder)
    settings = new_settings(given) if then is None else resumed_settings(then, given)
    parts = read_data(settings.data, settings.data_dir, settings.net)
    graph = first_network(settings, parts[0])
    announce(screen, ["train", "--resume", "--out", str(folder)], graph, parts)
    return finish(screen, settings, graph, parts, folder, is_resumed=True)


def announce(
    screen: Screen, arguments: list[str], graph: Graph, parts: tuple[Dataset, Dataset]
) -> None:
    """Say what is about to be done, as a command that does it again."""
    from faltung.analysis import summarize
    from faltung.cli.screen import by_size, command

    train_set, test_set = parts
    summary = summarize(graph)
    screen.say(f"$ {command(*arguments)}", "bold")
    classes = f"{len(train_set.classes)} classes"
    images = f"{len(train_set):,} training and {len(test_set):,} test images"
    screen.say(f"data: {train_set.name}, {images} of {by_size(train_set.image_shape)}, {classes}")
    cost = f"{summary.params:,} parameters, {summary.macs:,} multiplications an image"
    screen.say(f"network: {graph.metadata.get('network', 'of the model')}, {cost}")
    if train_set.note:
        screen.note(train_set.note)


def finish(
    screen: Screen,
    settings: Settings,
    graph: Graph,
    parts: tuple[Dataset, Dataset],
    folder: Path,
    *,
    is_resumed: bool,
) -> Trained:
    """Train to the end and save the model; after Ctrl-C, say how to go on."""
    from faltung.cli.failures import Interrupted
    from faltung.cli.page import write_page
    from faltung.cli.report import Trained
    from faltung.cli.runs import MODEL
    from faltung.cli.screen import command
    from faltung.cli.watch import Watch
    from faltung.training.loop import train as train_network

    with Watch(screen) as watch:
        try:
            result = train_network(
                graph, *parts, recipe=settings.recipe, out=folder, resume=is_resumed, listener=watch
            )
        except KeyboardInterrupt as error:
            again = command("train", "--resume", "--out", str(folder))
            text = f"interrupted after step {watch.taken:,}; go on with: {again}"
            raise Interrupted(text) from error
    model = result.graph.save(folder / MODEL)
    page = write_page(screen, result, parts[1], folder)
    return Trained(settings, result, Path(model), page, watch.first_step if is_resumed else None)
