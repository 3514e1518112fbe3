"""``faltung bench``: how long a model takes here, and in other runtimes."""

from __future__ import annotations

from typing import Any

import click

EXAMPLE = "lenet5"


class Sizes(click.ParamType):  # type: ignore[type-arg]
    """The shape of an input: 1x3x224x224.

    >>> Sizes().convert("1x3x8x8", None, None)
    (1, 3, 8, 8)
    """

    name = "shape"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return whole numbers above 0."""
        if not isinstance(value, str):
            return value
        parts = value.split("x")
        if not all(part.isdecimal() and int(part) for part in parts):
            self.fail(f"{value!r} is not written like 1x3x224x224", param, ctx)
        return tuple(map(int, parts))


@click.command(short_help="Time a model, and the runtimes that are installed beside it.")
@click.argument("model", metavar="[MODEL.onnx|NAME]", required=False)
@click.option("--peers", is_flag=True, help="Time ONNX Runtime and OpenVINO, where installed.")
@click.option("--shape", type=Sizes(), metavar="NxCxHxW", help="Of the input.  [as declared]")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="[all]")
@click.option("--rounds", type=click.IntRange(min=1), default=5, metavar="N", help="[5]")
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
def bench(
    *,
    model: str | None,
    peers: bool,
    shape: tuple[int, ...] | None,
    threads: int | None,
    rounds: int,
    is_json: bool,
) -> None:
    """Time one call of MODEL: an ONNX file, or a network of the zoo by its name.

    Each runtime has a process of its own, they take turns, and all have the same threads and the
    same input. A runtime whose result differs from ours is named, and not timed.
    """
    from faltung.cli.benching import run
    from faltung.cli.screen import Screen, command

    screen = Screen.open(is_json=is_json)
    if model is None:
        screen.say(f"$ {command('bench', EXAMPLE)}\n", "bold")
    run(screen, model or EXAMPLE, shape, threads, rounds, with_peers=peers)
