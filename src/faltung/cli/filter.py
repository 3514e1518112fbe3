"""``faltung filter``: a kernel over an image, a sound or an array."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faltung.cli.explain.numbers import Position

if TYPE_CHECKING:
    from faltung.cli.media import Medium, Written
    from faltung.cli.screen import Screen
    from faltung.imaging.library import AbstractFilter

EXAMPLE = ("cat", "sobel", "cat-sobel.png")


@click.command(name="filter", short_help="Run a kernel over an image, a sound or an array.")
@click.argument("source", metavar="[IN]", required=False)
@click.argument("kernel", metavar="[KERNEL]", required=False)
@click.argument("out", metavar="[OUT]", required=False)
@click.option(
    "--mode",
    type=click.Choice(["correlate", "convolve"]),
    default="correlate",
    help="Whether the kernel is flipped: convolve does.  [correlate]",
)
@click.option(
    "--border",
    type=click.Choice(["zeros", "reflect", "replicate", "circular", "symmetric"]),
    default="zeros",
    help="What stands outside.  [zeros]",
)
@click.option(
    "--per-channel/--mixed",
    "is_each",
    default=True,
    help="Filter each channel, or their mean.  [--per-channel]",
)
@click.option("--anchor", type=Position(), metavar="I,J", help="Kernel entry on the position.")
@click.option(
    "--fit",
    type=click.Choice(["clip", "stretch", "signed"]),
    default="clip",
    help="How images get their depth: clip; stretch from least to most; 0 to grey.  [clip]",
)
@click.option("--list", "is_list", is_flag=True, help="List the filters that have names.")
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
def filter_verb(
    *,
    source: str | None,
    kernel: str | None,
    out: str | None,
    mode: str,
    border: str,
    is_each: bool,
    anchor: tuple[int, ...] | None,
    fit: str,
    is_list: bool,
    is_json: bool,
) -> None:
    """Run KERNEL over IN and write OUT: .png .jpg .bmp .tif, .wav or .npy, at the depth of IN.

    IN may also be cat, coffee or camera, photographs that ship along. KERNEL is a name with its
    parameters (gaussian:1.5, motion:15,30; --list has them all), numbers ("1 2 1; 2 4 2; 1 2 1"),
    or a file of numbers (.npy, .txt, .csv). Sums are kept exact or in float64; only what is
    written is rounded, and what had to be clipped is counted. .npy keeps every number. Without
    OUT nothing is written.
    """
    from faltung.cli.media import read_medium
    from faltung.cli.screen import Screen, command

    screen = Screen.open(is_json=is_json)
    if is_list:
        show_library(screen)
        return
    if source is None:
        source, kernel, out = EXAMPLE
        screen.say(f"$ {command('filter', *EXAMPLE)}", "bold")
    if kernel is None:
        raise click.UsageError("KERNEL is missing. Use a name such as gaussian:1.5, or numbers.")
    medium = read_medium(source)
    chosen = chosen_filter(kernel, medium)
    how = {"mode": mode, "border": border, "channels": "each" if is_each else "mixed"}
    run_filter(screen, medium, chosen, None if out is None else Path(out), how, anchor, fit)


def chosen_filter(text: str, medium: Medium) -> AbstractFilter:
    """The filter that a text stands for: a file of numbers, numbers, or a name."""
    from faltung.files.array import read_array
    from faltung.files.parsing import file_bytes
    from faltung.imaging.apply import filter_of
    from faltung.imaging.kernel_text import kernel_of

    suffix = Path(text).suffix.lower()
    if suffix == ".npy":
        return filter_of(read_array(text))
    if suffix in (".txt", ".csv"):
        return filter_of(kernel_of(file_bytes(Path(text)).decode("utf-8", "replace").strip()))
    return filter_of(text, axes=medium.axes)


def run_filter(
    screen: Screen,
    medium: Medium,
    chosen: AbstractFilter,
    out: Path | None,
    how: dict[str, Any],
    anchor: tuple[int, ...] | None,
    fit: str,
) -> None:
    """Filter, write, and say what was done in how many products."""
    from faltung.cli.media import write_medium

    values = medium.values
    if how["channels"] == "mixed" and values.ndim == medium.axes:
        values = values[..., None]  # a grey image is one channel to mix
    result = chosen.apply(values, **how, anchor=anchor)
    written = None if out is None else write_medium(out, result, medium, fit)
    facts = {
        "input": {"name": medium.name, "kind": medium.kind} | _figures(medium.values),
        "filter": chosen.name,
        "kernels": [_work(kernel) for kernel in chosen.kernels],
        **how,
        "result": _figures(result),
        "output": None if written is None else dict(vars(written)),
    }
    screen.say(_sentence(facts))
    for line in _passes(chosen):
        screen.say(line)
    screen.result(_end(written), facts)


def _figures(values: Any) -> dict[str, Any]:
    import numpy as np

    some = values[np.isfinite(values)]
    return {
        "shape": list(values.shape),
        "dtype": values.dtype.name,
        "least": float(some.min()) if some.size else None,
        "most": float(some.max()) if some.size else None,
    }


def _work(kernel: Any) -> dict[str, Any]:
    """A kernel's size, its rank, and the products a position that it takes."""
    from faltung.imaging.separable import are_worth_it, factors, rank

    found = factors(kernel) if are_worth_it(kernel) else None
    return {
        "shape": list(kernel.shape),
        "rank": rank(kernel) if kernel.size <= 10_000 else None,
        "products": kernel.size if found is None else sum(len(vector) for vector in found),
    }


def _sentence(facts: dict[str, Any]) -> str:
    given, made = facts["input"], facts["result"]
    return (
        f"{given['name']}: {_by(given['shape'])} {given['dtype']} through {facts['filter']} "
        f"({facts['mode']}, {facts['border']} outside) gives {made['dtype']}"
        + ("" if made["least"] is None else f", {made['least']:.6g} to {made['most']:.6g}")
    )


def _passes(chosen: AbstractFilter) -> list[str]:
    """One line for each kernel, the like ones once."""
    lines = []
    for kernel in chosen.kernels:
        work = _work(kernel)
        line = f"  kernel {_by(work['shape'])}"
        line += "" if work["rank"] is None else f", rank {work['rank']}"
        if work["products"] < kernel.size:
            line += f": a pass along each axis, {work['products']} products instead of"
            line += f" {kernel.size}"
        lines.append(line)
    return list(dict.fromkeys(lines))


def _end(written: Written | None) -> str:
    if written is None:
        return "nothing written: no OUT was given"
    text = f"written: {written.path} ({written.dtype})"
    if written.clipped:
        share = 100 * written.clipped / written.values
        text += f"; {share:.2g} % of the values were clipped (--fit or .npy keeps them)"
    return text


def _by(shape: list[int]) -> str:
    return "x".join(map(str, shape)) or "one number"


def show_library(screen: Screen) -> None:
    """The table of names."""
    from faltung.imaging.library import LIBRARY, parameters
    from faltung.report import Table

    rows = [
        (
            name,
            ", ".join(n if v is None else f"{n}={v:g}" for n, v in parameters(name).items()),
            entry.about,
        )
        for name, entry in LIBRARY.items()
    ]
    if not screen.is_json:
        print(Table(("name", "parameters", "what it is"), rows, left=(0, 1, 2)))
        return
    found = {name: {"parameters": parameters(name), "about": about} for name, _, about in rows}
    screen.result("", {"filters": found})
