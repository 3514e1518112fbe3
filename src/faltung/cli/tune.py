"""``faltung tune``: which kernel is the fastest for each layer on this CPU."""

from __future__ import annotations

import click

EXAMPLE = "lenet5"


@click.command(short_help="Measure kernels on the layers of networks, and keep the fastest.")
@click.argument("sources", nargs=-1, metavar="[MODEL.onnx|NAME|LIST.txt]...")
@click.option("--gradients", is_flag=True, help="Measure gradients, too.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float64"]),
    default="float32",
    show_default=True,
    help="What to compute with.",
)
@click.option("--out", metavar="FILE", help="Where the table goes.  [this CPU's, in the cache]")
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
def tune(
    *, sources: tuple[str, ...], gradients: bool, dtype: str, out: str | None, is_json: bool
) -> None:
    """Time each kernel that could run a layer, on the layers of SOURCES, and keep the fastest.

    A source is an ONNX file, a network of the zoo by its name, or a text file with a layer on each
    line: input and output channels, space (56x56), kernel (3x3), stride, padding, dilation, groups.

    Programs that start afterwards take what was measured; where it differs from what they would
    have chosen, results differ by rounding. FALTUNG_TUNED=none goes by estimates alone.
    """
    from faltung.cli.screen import Screen, command
    from faltung.cli.tuning import run

    screen = Screen.open(is_json=is_json)
    if not sources:
        screen.say(f"$ {command('tune', EXAMPLE)}\n", "bold")
    run(screen, sources or (EXAMPLE,), dtype, out, is_all=gradients)
