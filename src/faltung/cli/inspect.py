"""``faltung inspect``: what a network costs and what it sees, layer by layer, from its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faltung.cli.explain.arguments import whole

EXAMPLE = "lenet5"


class InputShape(click.ParamType):  # type: ignore[type-arg]
    """The shape of an input, with its name where there are several: 1x3x224x224.

    >>> InputShape().parse("1x3x8x8"), InputShape().parse("left=1x8")
    (('', (1, 3, 8, 8)), ('left', (1, 8)))
    """

    name = "shape"

    def parse(self, text: str) -> tuple[str, tuple[int, ...]]:
        """Return the name, empty for the first input, and the sizes."""
        name, _, sizes = text.rpartition("=")
        shape = tuple(whole(part) for part in sizes.lower().replace("×", "x").split("x"))
        if min(shape) < 1:
            raise ValueError(text)
        return name, shape

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return what the user wrote, or say how it is written."""
        try:
            return value if isinstance(value, tuple) else self.parse(value)
        except ValueError:
            self.fail(f"{value!r} is not written like 1x3x224x224 or left=1x8", param, ctx)


@click.command(short_help="Tell what a network costs and sees, layer by layer.")
@click.argument("model", required=False, metavar="[MODEL|NAME]")
@click.argument("other", required=False, metavar="[MODEL2]")
@click.option(
    "--input",
    "inputs",
    type=InputShape(),
    multiple=True,
    metavar="SHAPE",
    help="Such as 1x3x640x480; of several inputs NAME=SHAPE, once for each.  [as declared]",
)
@click.option("--layer", metavar="NAME", help="Show everything about one layer.")
@click.option("--verify", is_flag=True, help="Count every figure again, by brute force.")
@click.option("--equivariance", is_flag=True, help="Shift inputs and measure what follows.")
@click.option(
    "--effective-field", "field", metavar="NAME", help="What a layer really sees, from gradients."
)
@click.option("--out", metavar="PICTURE", help="Draw the effective field: .png, .svg or .pdf.")
@click.option("--html", metavar="FILE", help="Write one HTML page instead.")
@click.option("--markdown", is_flag=True, help="Write Markdown to standard output instead.")
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
def inspect(
    *,
    model: str | None,
    other: str | None,
    inputs: tuple[tuple[str, tuple[int, ...]], ...],
    layer: str | None,
    verify: bool,
    equivariance: bool,
    field: str | None,
    out: str | None,
    html: str | None,
    markdown: bool,
    is_json: bool,
) -> None:
    """Inspect a MODEL: an ONNX file, the folder of a run, or a network of the zoo by its name.

    Nothing is run for the table: sizes, parameters, connections, multiply-accumulates, memory and
    receptive fields are exact, for inputs of any size. Operators that faltung lacks are rows marked
    unknown, and totals are lower bounds then. With MODEL2, what that has otherwise.

    Exits with 1 where --verify finds a figure that is wrong.
    """
    from faltung.cli.inspection import Wanted, run
    from faltung.cli.screen import Screen, command

    if out is not None:
        from faltung.viz import style

        style.check_suffix(out)
    extras = {"--verify": verify, "--equivariance": equivariance, "--effective-field": field}
    given = {"--layer": layer, **extras}
    check(given, other, {"--json": is_json, "--markdown": markdown, "--html": html}, out)
    screen = Screen.open(is_json=is_json)
    if model is None and not markdown:
        screen.say(f"$ {command('inspect', EXAMPLE)}\n", "bold")
    wanted = Wanted(layer, verify, equivariance, field, out, html, markdown)
    run(screen, model or EXAMPLE, other, dict(inputs), wanted)


def check(given: dict[str, Any], other: str | None, faces: dict[str, Any], out: str | None) -> None:
    """Refuse options that do not go together before anything is done."""
    chosen = [name for name, value in faces.items() if value]
    if len(chosen) > 1:
        raise click.UsageError(f"{' and '.join(chosen)} exclude each other.")
    asked = [name for name, value in given.items() if value]
    if other is not None and asked:
        raise click.UsageError(f"{asked[0]} is about one model, but two are given.")
    if len(asked) > 1 and given["--layer"]:
        raise click.UsageError(f"{asked[0]} and {asked[1]} exclude each other.")
    if out is not None and not given["--effective-field"]:
        raise click.UsageError("--out draws an effective field: say which by --effective-field.")
    page = faces["--html"]
    if page and Path(page).suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"--html writes a page: {page!r} must end in .html.")
