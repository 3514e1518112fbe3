"""``faltung explain signal``: a window slides over a signal; a weighted average of the past."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faltung.cli.explain.numbers import Numbers, signal_of, typed
from faltung.cli.explain.output import picture_options

if TYPE_CHECKING:
    from faltung.cli.screen import Screen
    from faltung.definitions import PastReport, SignalReport


@click.command(short_help="Smooth a signal, beside the median; average past measurements.")
@click.option(
    "--signal",
    "given",
    metavar="NUMBERS|FILE",
    help="10,9,10,... or a file: .npy, .wav, .csv.  [ten measurements with a glitch]",
)
@click.option("--column", metavar="NAME|N", help="Of a table: its name, or its number from 1.")
@click.option("--channel", type=int, metavar="N", help="Of a sound, from 0.")
@click.option("--width", type=int, default=3, metavar="N", help="Of the box that smooths.  [3]")
@click.option("--kernel", type=Numbers(), metavar="NUMBERS", help="Weights in place of the box.")
@click.option(
    "--past",
    metavar="WEIGHTS",
    help="Average the past instead, by weights for ages from 0 on: halving, or 0.5,0.3,0.2.",
)
@picture_options
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
def signal(
    *,
    given: str | None,
    column: str | None,
    channel: int | None,
    width: int,
    kernel: Any,
    past: str | None,
    out: str | None,
    theme: str,
    is_json: bool,
) -> None:
    """Convolve a signal: by a box, beside the median; or by weights for the age of its values."""
    from faltung.cli.explain.output import show
    from faltung.cli.screen import Screen, command
    from faltung.definitions import past_report, signal_report
    from faltung.definitions.past import HALVING, SIGHTINGS
    from faltung.definitions.sliding import GLITCHED

    screen = Screen.open(is_json=is_json)
    values = None if given is None else signal_of(given, column, channel)
    made: SignalReport | PastReport
    if past is None:
        made = signal_report(values, width if kernel is None else kernel)
        how = ["--width", str(width)] if kernel is None else ["--kernel", typed(kernel)]
        example = ["--signal", typed(GLITCHED), *how]
    else:
        weights = past if past.isalpha() else Numbers().convert(past, None, None)
        made = past_report(values, weights)
        example = ["--signal", typed(SIGHTINGS), "--past", past]
    if given is None:
        screen.say(f"$ {command('explain', 'signal', *example)}\n", "bold")
    show(screen, made)
    if out is not None:
        _draw(screen, made, Path(out), theme)
    if given is None and past is None and not is_json:
        screen.say()
        screen.say(f"Of past measurements: {command('explain', 'signal', '--past', HALVING)}")


def _draw(screen: Screen, made: SignalReport | PastReport, path: Path, theme: str) -> None:
    from faltung.definitions import SignalReport
    from faltung.viz import signals, style

    style.check_suffix(path)
    if isinstance(made, SignalReport):
        start = (len(made.weights) - 1) // 2
        outputs = {
            "convolution": signals.Output(made.valid, start),
            "median": signals.Output(made.median, start),
        }
        drawn = signals.draw(made.signal, made.weights[::-1] / made.divisor, outputs, theme=theme)
    else:
        outputs = {"average of the past": signals.Output(made.averages)}
        few = made.weights[: max(len(made.measurements) // 2, 1)]
        drawn = signals.draw(made.measurements, few[::-1], outputs, theme=theme)
    style.save(drawn, path)
    screen.note(f"picture: {path}")
