"""``faltung explain cost``: what dense layers, convolutions and whole networks cost."""

from __future__ import annotations

from pathlib import Path

import click

from faltung.cli.explain.arguments import Sizes
from faltung.cli.explain.output import picture_options

EXAMPLE = (224, 224, 3)


@click.command(short_help="Parameters and work: dense, local, convolution; whole networks.")
@click.option(
    "--input",
    "size",
    type=Sizes(),
    metavar="HxWxC",
    help="The image; HxW is one channel, N a signal.  [224x224x3]",
)
@click.option("--outputs", type=int, default=1000, metavar="N", help="Dense neurons.  [1000]")
@click.option("--kernel", type=int, default=3, metavar="K", help="Size of the kernels.  [3]")
@click.option("--channels", type=int, default=64, metavar="N", help="Output channels.  [64]")
@click.option("--no-bias", is_flag=True, help="Count layers without biases.")
@click.option("--networks", is_flag=True, help="Count published networks instead.")
@click.option("--loose", is_flag=True, help="List loose statements beside the exact ones instead.")
@picture_options
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
def cost(
    *,
    size: tuple[int, ...] | None,
    outputs: int,
    kernel: int,
    channels: int,
    no_bias: bool,
    networks: bool,
    loose: bool,
    out: str | None,
    theme: str,
    is_json: bool,
) -> None:
    """Count what an image of your size costs, from graphs; nothing is allocated."""
    from faltung.analysis.costs import cost as cost_of
    from faltung.analysis.loose import loose_statements
    from faltung.analysis.networks import network_costs
    from faltung.cli.explain.arguments import written
    from faltung.cli.explain.output import draw, show
    from faltung.cli.screen import Screen, command

    screen = Screen.open(is_json=is_json)
    if loose:
        if out is not None:
            raise click.UsageError("--out draws costs; loose statements have no picture.")
        show(screen, loose_statements())
        return
    is_example = size is None and not networks
    made = (
        network_costs()
        if networks
        else cost_of(
            image_shape(size or EXAMPLE),
            outputs=outputs,
            kernel=kernel,
            channels=channels,
            bias=not no_bias,
        )
    )
    if is_example:
        options = ["--input", written(EXAMPLE), "--outputs", str(outputs)]
        options += ["--kernel", str(kernel), "--channels", str(channels)]
        options += ["--no-bias"] if no_bias else []
        screen.say(f"$ {command('explain', 'cost', *options)}\n", "bold")
    show(screen, made)
    if out is not None:
        draw(screen, "costs", made, Path(out), theme)
    if is_example and not is_json:
        screen.say()
        screen.say(f"Whole networks: {command('explain', 'cost', '--networks')}")
        screen.say(f"What is often said: {command('explain', 'cost', '--loose')}")


def image_shape(size: tuple[int, ...]) -> tuple[int, ...]:
    """Return (C, *space) of a size as people write it: the channels last, if they are there.

    >>> image_shape((224, 224, 3)), image_shape((28, 28)), image_shape((500,))
    ((3, 224, 224), (1, 28, 28), (1, 500))
    """
    return (size[-1], *size[:-1]) if len(size) > 2 else (1, *size)
