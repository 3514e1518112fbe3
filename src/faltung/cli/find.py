"""``faltung find``: a template, or what a patch classifier knows, in a scene."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from faltung.cli.screen import Screen
    from faltung.imaging import ScanReport

TEMPLATE, SCENE, FOUND = "waldo.png", "waldo-scene.png", "waldo-found.png"
PLOTS = (".svg", ".pdf")


@click.command(short_help="Find a template, or what a classifier knows, in a scene.")
@click.argument("what", metavar="[TEMPLATE|MODEL.onnx]", required=False)
@click.argument("scene", metavar="[SCENE]", required=False)
@click.option(
    "--threshold",
    type=float,
    metavar="R",
    help="Least correlation [0.75], or probability [0.9].",
)
@click.option(
    "--min-visible",
    type=float,
    metavar="SHARE",
    help="Least share of the template inside the scene, 0.5 to 1.  [0.5]",
)
@click.option("--class", "name", metavar="NAME", help="Of a classifier: look for this one alone.")
@click.option("--out", metavar="PICTURE", help="The scene with frames around what was found.")
@click.option("--heat", metavar="PICTURE", help="The heat map: blue is negative, white is 0.")
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
def find(
    *,
    what: str | None,
    scene: str | None,
    threshold: float | None,
    min_visible: float | None,
    name: str | None,
    out: str | None,
    heat: str | None,
    is_json: bool,
) -> None:
    """Find a TEMPLATE in a SCENE by normalised cross-correlation, or what a MODEL knows.

    Brightness and contrast of a copy do not matter, its colours do; it may hang over the border.
    A MODEL (ONNX, or the folder of a run) classifies every window of the scene in one pass, and
    says of each of its classes whether there is one at all. SCENE may also be cat, coffee or
    camera, photographs that ship along. Pictures are .png, .jpg, .bmp or .tif; --out also takes
    .svg and .pdf, with the heat map beside the scene.
    """
    from faltung.cli.screen import Screen, command

    screen = Screen.open(is_json=is_json)
    if what is None:
        make_example()
        what, scene, out = TEMPLATE, SCENE, out or FOUND
        screen.say(f"$ {command('find', what, scene, '--out', out)}", "bold")
    if scene is None:
        raise click.UsageError("SCENE is missing. Name the image to look in.")
    if Path(what).suffix.lower() == ".onnx" or Path(what).is_dir():
        if min_visible is not None:
            raise click.UsageError("--min-visible goes with a template; windows lie inside.")
        scan_scene(screen, Path(what), scene, threshold, name, out, heat)
        return
    if name is not None:
        raise click.UsageError("--class goes with a classifier, a MODEL.onnx.")
    find_template(screen, what, scene, threshold, min_visible, out, heat)


def make_example() -> None:
    """Write an eye of the cat, and a picture of coffee with the eye hidden in it."""
    from faltung.datasets import photo
    from faltung.files.image import write_image
    from faltung.imaging.hiding import hide

    eye = photo("cat")[88:136, 118:178]
    write_image(TEMPLATE, eye)
    write_image(SCENE, hide(eye, photo("coffee")).scene)


def find_template(
    screen: Screen,
    template: str,
    scene: str,
    threshold: float | None,
    min_visible: float | None,
    out: str | None,
    heat: str | None,
) -> None:
    """Look for a template, show the places, draw them."""
    from faltung.cli.explain.output import show
    from faltung.cli.media import read_medium
    from faltung.imaging import find as find_matches

    pixels = read_medium(scene).values
    asked = {"threshold": threshold, "min_visible": min_visible}
    given: dict[str, Any] = {k: value for k, value in asked.items() if value is not None}
    report = find_matches(read_medium(template).values, pixels, **given)
    corners = [(m.top, m.left, m.score) for m in report.matches]
    height, width, _ = report.template_shape
    draw(screen, pixels, corners, (height, width), report.heat, 1, out, heat)
    show(screen, report)


def scan_scene(
    screen: Screen,
    model: Path,
    scene: str,
    threshold: float | None,
    name: str | None,
    out: str | None,
    heat: str | None,
) -> None:
    """Run a classifier over a scene, say what is there, draw it."""
    from faltung.cli.explain.output import show
    from faltung.cli.judge import model_file
    from faltung.cli.media import read_medium
    from faltung.graph import load
    from faltung.imaging import detector, scan

    pixels = read_medium(scene).values
    chosen = detector(load(model_file(model)))
    known = ", ".join(chosen.classes[:12])
    if name is not None and name not in chosen.classes:
        raise click.UsageError(f"the model has no class {name!r}. It knows {known}.")
    given: dict[str, Any] = {} if threshold is None else {"threshold": threshold}
    report = only(scan(chosen, pixels, **given), name)
    corners = [(float(d.top), float(d.left), d.probability) for d in report.detections]
    size = (chosen.patch[1], chosen.patch[2])
    shares = report.probabilities.max(axis=0)
    draw(screen, pixels, corners, size, shares, chosen.stride[0], out, heat)
    show(screen, report)


def only(report: ScanReport, name: str | None) -> ScanReport:
    """The same for one class."""
    from dataclasses import replace

    if name is None:
        return report
    index = report.detector.classes.index(name)
    return replace(
        report,
        classes=(report.classes[index],),
        detections=tuple(d for d in report.detections if d.name == name),
        probabilities=report.probabilities[index : index + 1],
    )


def draw(
    screen: Screen,
    pixels: Any,
    corners: list[tuple[float, float, float]],
    size: tuple[int, int],
    heat: Any,
    step: int,
    out: str | None,
    heat_out: str | None,
) -> None:
    """Write the pictures that were asked for."""
    from faltung.files.image import write_image
    from faltung.imaging.annotate import framed, signed_colours

    if out is not None and Path(out).suffix.lower() in PLOTS:
        _plot(pixels, corners, size, heat, step, Path(out))
    elif out is not None:
        write_image(out, framed(pixels, [(y, x) for y, x, _ in corners], size))
    if heat_out is not None:
        write_image(heat_out, signed_colours(heat))
    for path in (out, heat_out):
        if path is not None:
            screen.note(f"picture: {path}")


def _plot(
    pixels: Any,
    corners: list[tuple[float, float, float]],
    size: tuple[int, int],
    heat: Any,
    step: int,
    path: Path,
) -> None:
    """Scene and heat map side by side, in a format that only Matplotlib draws."""
    from faltung.imaging.annotate import eight_bit_colour
    from faltung.viz import heat as plot
    from faltung.viz import style

    found = [plot.Found(y, x, *size, score) for y, x, score in corners]
    image = eight_bit_colour(pixels).transpose(2, 0, 1)
    signed = bool((heat < 0).any())
    style.save(plot.draw(image, heat, found, step=step, signed=signed), path)
