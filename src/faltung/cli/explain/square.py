"""``faltung explain square``: what sharing and locality each take away from a dense layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faltung.cli.explain.arguments import Sizes, Window, written
from faltung.cli.explain.output import draw, picture_options, show

if TYPE_CHECKING:
    from faltung.cli.screen import Screen
    from faltung.constraints import Square


@click.command(short_help="Dense, shared, local, convolution: four layers, two constraints.")
@click.option("--size", type=Sizes(), metavar="HxW", help="Positions along each axis.  [3x3]")
@click.option(
    "--window",
    type=Window(),
    default="-1:1",
    metavar="LO:HI",
    help="Offsets that locality keeps: 1, -1:1, or -1:1,0:1 axis by axis.  [-1:1]",
)
@click.option("--channels", type=int, default=1, metavar="N", help="Of the input.  [1]")
@click.option("--out-channels", type=int, default=1, metavar="N", help="Of the output.  [1]")
@click.option(
    "--weights",
    metavar="FILE.npy",
    help="A weight matrix (outputs × inputs): how much of it does each layer explain?",
)
@click.option(
    "--matrix",
    "matrix_path",
    metavar="FILE.npy",
    help="Write which weight stands where, as (4, outputs, inputs); -1 is zero.",
)
@picture_options
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
def square(
    *,
    size: tuple[int, ...] | None,
    window: Any,
    channels: int,
    out_channels: int,
    weights: str | None,
    matrix_path: str | None,
    out: str | None,
    theme: str,
    is_json: bool,
) -> None:
    """Count the weights of a layer under none, either or both of two constraints.

    Translation invariance: the same weights at every position. Locality: no weights outside a
    window of offsets. Letters in the matrices are weights, equal ones are tied, dots are zero.
    """
    from faltung import constraints
    from faltung.cli.screen import Screen, command

    screen = Screen.open(is_json=is_json)
    made = constraints.square(
        size or (3, 3), window, in_channels=channels, out_channels=out_channels
    )
    if size is None:
        pairs = made.window if len(set(made.window)) > 1 else made.window[:1]
        options = ["--size", written(made.size), "--window", written(pairs)]
        screen.say(f"$ {command('explain', 'square', *options)}\n", "bold")
    _show(screen, made, weights)
    if matrix_path is not None:
        _write(screen, made, Path(matrix_path))
    if out is not None:
        draw(screen, "square", made, Path(out), theme)


def _show(screen: Screen, made: Square, weights: str | None) -> None:
    shares = None
    if weights is not None:
        from faltung.constraints import explained
        from faltung.files.array import read_array

        shares = explained(made, read_array(weights))
    if screen.is_json:
        more = {} if shares is None else {"explained": shares.to_dict()["corners"]}
        screen.result("", {**made.to_dict(), **more})
        return
    coloured = {made.drawing(): made.drawing(colour=True)} if made.is_small else {}
    show(screen, made, coloured)
    if shares is not None:
        screen.say()
        show(screen, shares)


def _write(screen: Screen, made: Square, path: Path) -> None:
    import numpy as np

    from faltung.constraints import CORNERS
    from faltung.files.array import write_array

    write_array(path, np.stack([made.tied(corner) for corner in CORNERS]))
    screen.note(f"matrices: {path}, in the order {', '.join(CORNERS)}")
