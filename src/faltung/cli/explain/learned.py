"""``faltung explain learned``: a model's filters, and an image on its way through its layers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from faltung.cli.explain.output import picture_options

if TYPE_CHECKING:
    from faltung.analysis.learned import LearnedReport


@click.command(short_help="Filters, the most different ones, feature maps of an image.")
@click.argument("model", required=False)
@click.option("--layer", metavar="NAME", help="Which convolution.  [the first]")
@click.option("--most", type=click.IntRange(min=1), default=6, help="Filters to choose.  [6]")
@click.option("--image", metavar="FILE", help="Follow it through the layers; the size must fit.")
@picture_options
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
def learned(
    *,
    model: str | None,
    layer: str | None,
    most: int,
    image: str | None,
    out: str | None,
    theme: str,
    is_json: bool,
) -> None:
    """Show what a MODEL (an ONNX file) learned.

    The picture has the filters, or with an image its feature maps, layer by layer. Without MODEL:
    the newest one under runs/; where there is none, a tiny network is trained first, in seconds.
    """
    from faltung.analysis.learned import learned as report_of
    from faltung.cli.evaluate import train_example
    from faltung.cli.explain.output import show
    from faltung.cli.runs import newest_model
    from faltung.cli.screen import Screen, command
    from faltung.files.image import read_image
    from faltung.graph import load

    screen = Screen.open(is_json=is_json)
    path = newest_model() if model is None else Path(model)
    if path is None:
        with tempfile.TemporaryDirectory(prefix="faltung-") as folder:
            graph = load(train_example(screen, Path(folder)))
    else:
        graph = load(path)
        if model is None:
            screen.say(f"$ {command('explain', 'learned', str(path))}\n", "bold")
    picture = None
    if image is not None:
        pixels = read_image(image)
        picture = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    report = report_of(graph, picture, layer=layer, most=most)
    show(screen, report)
    if out is not None:
        _draw(report, Path(out), theme)
        screen.note(f"picture: {out}")


def _draw(report: LearnedReport, out: Path, theme: str) -> None:
    from faltung.viz import feature_maps, filters, style

    style.check_suffix(out)
    if report.image is None:
        drawn = filters.draw_chosen(report.filters, report.chosen, theme=theme)
    else:
        drawn = feature_maps.draw(report.image, report.maps, theme=theme)
    style.save(drawn, out)
