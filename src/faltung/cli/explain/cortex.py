"""``faltung explain cortex``: simple and complex cells, and the stages of the ventral stream."""

from __future__ import annotations

import click


@click.command(short_help="Simple and complex cells; V1, V2, V4, IT beside a network.")
@click.option("--wavelength", type=float, help="Of the grating, in pixels; 8 by default.")
@click.option("--theta", type=float, help="Across its stripes, in degrees; 30 by default.")
@click.option("--cell-wavelength", type=float, help="Of the cells; the grating's by default.")
@click.option("--cell-theta", type=float, help="Of the cells; the grating's by default.")
@click.option("--steps", type=click.IntRange(1, 10_000), help="Phases of one wave; 8 by default.")
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
def cortex(
    *,
    wavelength: float | None,
    theta: float | None,
    cell_wavelength: float | None,
    cell_theta: float | None,
    steps: int | None,
    is_json: bool,
) -> None:
    """Move a grating over a simple and a complex cell, the Gabor filters of the visual cortex."""
    from faltung.cli.explain.output import show
    from faltung.cli.screen import Screen, command
    from faltung.imaging.cortex import cortex as report

    screen = Screen.open(is_json=is_json)
    is_example = wavelength is None and theta is None
    chosen = (8.0 if wavelength is None else wavelength, 30.0 if theta is None else theta)
    shown = 8 if steps is None else steps
    made = report(*chosen, cell_wavelength=cell_wavelength, cell_theta=cell_theta, steps=shown)
    if is_example:
        options = ("--wavelength", "8", "--theta", "30", "--steps", str(shown))
        screen.say(f"$ {command('explain', 'cortex', *options)}\n", "bold")
    show(screen, made)
