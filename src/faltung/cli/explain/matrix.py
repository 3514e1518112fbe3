"""``faltung explain matrix``: a convolution as a sparse, tied, doubly block-Toeplitz matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faltung.cli.explain.arguments import Padding, Sizes, written
from faltung.cli.explain.output import draw, picture_options, show


@click.command(short_help="A convolution as a matrix; its transpose is the transposed one.")
@click.option("--size", type=Sizes(), metavar="HxW", help="Of the input.  [6x6]")
@click.option("--kernel", type=Sizes(), metavar="HxW", help="Of the kernel.  [3 on each axis]")
@click.option("--stride", type=Sizes(), metavar="N", help="One, or one for each axis.  [1]")
@click.option("--dilation", type=Sizes(), metavar="N", help="One, or one for each axis.  [1]")
@click.option(
    "--padding",
    type=Padding(),
    default="valid",
    metavar="P",
    help="valid, same, same_lower, full, an amount, or lo:hi,lo:hi.  [valid]",
)
@click.option("--channels", type=int, default=1, metavar="N", help="Of the input.  [1]")
@click.option("--out-channels", type=int, default=1, metavar="N", help="Of the output.  [1]")
@click.option("--groups", type=int, default=1, metavar="N", help="Groups of channels.  [1]")
@click.option(
    "--matrix",
    "matrix_path",
    metavar="FILE.npy",
    help="Write which weight stands where; -1 is zero.",
)
@picture_options
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
def matrix(
    *,
    size: tuple[int, ...] | None,
    kernel: tuple[int, ...] | None,
    stride: tuple[int, ...] | None,
    dilation: tuple[int, ...] | None,
    padding: Any,
    channels: int,
    out_channels: int,
    groups: int,
    matrix_path: str | None,
    out: str | None,
    theme: str,
    is_json: bool,
) -> None:
    """Write a convolution as the matrix of a dense layer, and count what is in it."""
    from faltung.cli.screen import Screen, command
    from faltung.constraints import ConvMatrix

    sizes = size or (6, 6)
    kernels = kernel or (3,) * len(sizes)
    group_in = _group_in(channels, groups)
    made = ConvMatrix.of(
        sizes,
        (out_channels, group_in, *kernels),
        stride=_each(stride),
        dilation=_each(dilation),
        padding=padding,
        groups=groups,
    )
    screen = Screen.open(is_json=is_json)
    if size is None:
        given = [("size", sizes), ("kernel", kernels), ("padding", padding)]
        options = [text for name, value in given for text in (f"--{name}", written(value))]
        screen.say(f"$ {command('explain', 'matrix', *options)}\n", "bold")
    show(screen, made, {made.drawing(): made.drawing(colour=True)} if made.is_small else {})
    if matrix_path is not None:
        from faltung.files.array import write_array

        write_array(matrix_path, made.tied())
        screen.note(f"matrix: {Path(matrix_path)}")
    if out is not None:
        draw(screen, "matrices", made, Path(out), theme)


def _each(values: tuple[int, ...] | None) -> int | tuple[int, ...]:
    """One number is for every axis."""
    if values is None:
        return 1
    return values[0] if len(values) == 1 else values


def _group_in(channels: int, groups: int) -> int:
    """Input channels of one group; what does not divide is the convolution's to refuse."""
    from faltung.geometry.checks import check_divides, check_minimum

    check_minimum("conv", "groups", (groups,), 1, "conv C10")
    check_divides("conv", "in_channels", channels, groups, "conv C11")
    return channels // groups
