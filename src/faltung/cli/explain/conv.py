"""``faltung explain conv``: one output of a convolution or correlation, term by term."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faltung.cli.explain.arguments import Padding, Sizes
from faltung.cli.explain.numbers import Numbers, Position, typed
from faltung.cli.explain.output import moving_options


@click.command(short_help="One output term by term: which entry meets which, and the flip.")
@click.option("--image", type=Numbers(), metavar="ROWS", help="Rows of numbers, or FILE.npy.")
@click.option("--kernel", type=Numbers(), metavar="ROWS", help="Rows of numbers, or FILE.npy.")
@click.option("--at", type=Position(), metavar="I,J", help="Which output.  [0,0]")
@click.option("--convolve", is_flag=True, help="Flip the kernel; else it is cross-correlation.")
@click.option(
    "--padding",
    type=Padding(),
    metavar="P",
    help="valid, same, same_lower, full, formula, an amount, or lo:hi,lo:hi.  [valid]",
)
@click.option("--anchor", type=Position(), metavar="I,J", help="Kernel entry on the output.")
@click.option("--stride", type=Sizes(), metavar="N", help="One, or one for each axis.  [1]")
@click.option("--dilation", type=Sizes(), metavar="N", help="One, or one for each axis.  [1]")
@click.option(
    "--padding-mode",
    default="zeros",
    metavar="MODE",
    help="zeros, reflect, replicate or circular.  [zeros]",
)
@moving_options
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
def conv(
    *,
    image: Any,
    kernel: Any,
    at: tuple[int, ...] | None,
    convolve: bool,
    padding: Any,
    anchor: tuple[int, ...] | None,
    stride: tuple[int, ...] | None,
    dilation: tuple[int, ...] | None,
    padding_mode: str,
    out: str | None,
    theme: str,
    is_json: bool,
) -> None:
    """Spell out one output: every product, what lies on padding, how the kernel lies.

    A picture shows this output; a .gif slides the kernel over all of them.
    """
    from faltung.cli.explain.output import check_moving, draw_moving, is_animation, show
    from faltung.cli.screen import Screen, command
    from faltung.definitions import expand
    from faltung.definitions.expansion import PATCH, SOBEL_X

    screen = Screen.open(is_json=is_json)
    check_moving(out)
    how: dict[str, Any] = {
        "mode": "convolve" if convolve else "correlate",
        "padding": padding,
        "anchor": anchor,
        "stride": _one_or_each(stride),
        "dilation": _one_or_each(dilation),
        "padding_mode": padding_mode,
    }
    made = expand(image, kernel, at, **how)
    if image is None and kernel is None:
        options = ["--image", typed(PATCH), "--kernel", typed(SOBEL_X)]
        options += ["--at", ",".join(map(str, made.position))]
        options += _given(convolve, padding, anchor)
        screen.say(f"$ {command('explain', 'conv', *options)}\n", "bold")
    show(screen, made)
    if out is not None:
        from faltung.viz import slide

        moving = is_animation(out)
        one = (slide.draw(step, image, theme=theme) for step in [made])
        frames = slide.frames(image, kernel, theme=theme, **how) if moving else one
        draw_moving(screen, frames, Path(out))


def _one_or_each(sizes: tuple[int, ...] | None) -> int | tuple[int, ...]:
    if sizes is None:
        return 1
    return sizes[0] if len(sizes) == 1 else sizes


def _given(convolve: bool, padding: Any, anchor: tuple[int, ...] | None) -> list[str]:
    """The options that the example was asked for with."""
    from faltung.cli.explain.arguments import written

    options = ["--convolve"] if convolve else []
    options += ["--padding", written(padding)] if padding is not None else []
    return options + (["--anchor", ",".join(map(str, anchor))] if anchor else [])
