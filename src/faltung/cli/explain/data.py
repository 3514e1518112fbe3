"""``faltung explain data``: does a convolution fit these data? Measured, beside them shuffled."""

from __future__ import annotations

from pathlib import Path

import click

from faltung.cli.explain.output import picture_options


@click.command(short_help="Does a convolution fit these data?")
@click.argument("path", required=False)
@click.option(
    "--layout",
    metavar="LETTERS",
    help="Of an array: N samples, C channels, others space, such as NCHW.  [by its shape]",
)
@click.option("--data-dir", metavar="FOLDER", help="Where the files of a named data set are.")
@click.option("--shuffled", is_flag=True, help="Shuffle the values first: see the verdict change.")
@click.option(
    "--shuffles", type=int, default=200, metavar="N", help="Random orders to compare with.  [200]"
)
@click.option("--seed", type=int, default=0, metavar="N", help="What chance depends on.  [0]")
@picture_options
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
def data(
    *,
    path: str | None,
    layout: str | None,
    data_dir: str | None,
    shuffled: bool,
    shuffles: int,
    seed: int,
    out: str | None,
    theme: str,
    is_json: bool,
) -> None:
    """Correlate values against their distance, and blocks with one another.

    PATH is an image, a folder of images, a WAV, NPY, NPZ or CSV file; or a name: sample, mnist,
    fashion-mnist or cifar10, or a photograph: cat, coffee or camera.
    """
    from faltung.analysis.data import data_report
    from faltung.analysis.data.report import EXAMPLE
    from faltung.cli.explain.output import show
    from faltung.cli.screen import Screen, command

    screen = Screen.open(is_json=is_json)
    if out is not None:
        from faltung.viz import distance, style

        style.check_suffix(out)
    made = data_report(
        path or EXAMPLE,
        layout=layout,
        data_dir=data_dir,
        shuffled=shuffled,
        shuffles=shuffles,
        seed=seed,
    )
    if path is None:
        screen.say(f"$ {command('explain', 'data', EXAMPLE)}\n", "bold")
    show(screen, made)
    if out is not None:
        style.save(distance.draw_report(made, theme=theme), out)
        screen.note(f"picture: {Path(out)}")
