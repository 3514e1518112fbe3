"""``faltung explain field``: how far each layer of a network sees."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from faltung.cli.explain.arguments import Sizes
from faltung.cli.explain.output import moving_options

if TYPE_CHECKING:
    from faltung.graph import Graph


@click.command(short_help="How far each layer sees, exactly; animated.")
@click.option(
    "--net",
    metavar="NAME|MODEL",
    help="A network of the zoo, or an ONNX file.  [three convolutions of 3x3]",
)
@click.option("--size", type=Sizes(), metavar="HxW", help="Of the input.  [what it is made for]")
@moving_options
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
def field(
    *, net: str | None, size: tuple[int, ...] | None, out: str | None, theme: str, is_json: bool
) -> None:
    """Tell what one output of each layer depends on: how many positions, what share of the input.

    A picture shows it for the last layer's output in the middle; a .gif layer by layer.
    """
    from faltung.analysis.fields import EXAMPLE, field_report
    from faltung.cli.explain.arguments import written
    from faltung.cli.explain.output import check_moving, draw_moving, show
    from faltung.cli.screen import Screen, command
    from faltung.ops.operator import integers

    screen = Screen.open(is_json=is_json)
    check_moving(out)
    graph = network(net)
    (channels,) = integers(graph.inputs[0].shape[1:2], "field")
    report = field_report(graph, None if size is None else (1, channels, *size))
    if net is None and size is None:
        screen.say(f"$ {command('explain', 'field', '--size', written(EXAMPLE))}\n", "bold")
    show(screen, report)
    if out is not None:
        from faltung.viz import field as pictures

        frames = pictures.frames(graph, (1, channels, *report.input_space), theme=theme)
        draw_moving(screen, frames, Path(out))


def network(net: str | None) -> Graph:
    """The network asked for; its weights do not matter."""
    from faltung.analysis.fields import example
    from faltung.graph import load
    from faltung.zoo.catalogue import NETWORKS, sketch

    if net is None:
        return example()
    return sketch(net) if net in NETWORKS else load(net)
