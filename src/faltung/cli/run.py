"""``faltung run``: a model on one image, sound or array."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from faltung.cli.answer import Answer
    from faltung.cli.feed import Feed
    from faltung.cli.media import Written
    from faltung.cli.screen import Screen

MODEL, IMAGE = "run-model.onnx", "run-digit.png"


class PerChannel(click.ParamType):  # type: ignore[type-arg]
    """One number, or one for each channel: 0.485,0.456,0.406.

    >>> PerChannel().convert("0.5,1", None, None)
    (0.5, 1.0)
    """

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return finite numbers."""
        from math import isfinite

        if not isinstance(value, str):
            return value
        try:
            numbers = tuple(float(part) for part in value.replace(",", " ").split())
        except ValueError:
            numbers = ()
        if not numbers or not all(map(isfinite, numbers)):
            self.fail(f"{value!r} is not written like 0.5 or 0.485,0.456,0.406", param, ctx)
        if param is not None and param.name == "std" and not all(n > 0 for n in numbers):
            self.fail(f"{value!r} must be greater than 0", param, ctx)
        return numbers


class Size(click.ParamType):  # type: ignore[type-arg]
    """Height and width: 224x224.

    >>> Size().convert("48x320", None, None)
    (48, 320)
    """

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return two whole numbers above 0."""
        if not isinstance(value, str):
            return value
        height, sign, width = value.partition("x")
        if not (sign and height.isdecimal() and width.isdecimal() and int(height) * int(width)):
            self.fail(f"{value!r} is not written like 224x224", param, ctx)
        return int(height), int(width)


@click.command(short_help="Run a model on an image, a sound or an array.")
@click.argument("model", metavar="[MODEL]", required=False)
@click.argument("source", metavar="[IN]", required=False)
@click.argument("out", metavar="[OUT]", required=False)
@click.option("--mean", type=PerChannel(), metavar="M,M,M", help="Taken from pixels.  [nothing]")
@click.option("--std", type=PerChannel(), metavar="S,S,S", help="Pixels by this.  [1]")
@click.option("--size", type=Size(), metavar="HxW", help="Resize to.  [as the model declares]")
@click.option("--labels", metavar="FILE", help="Names of the classes, one a line.")
@click.option("--top", type=click.IntRange(min=1), default=5, metavar="N", help="Classes.  [5]")
@click.option("--json", "is_json", is_flag=True, help="Write one JSON object to standard output.")
def run(
    *,
    model: str | None,
    source: str | None,
    out: str | None,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    size: tuple[int, int] | None,
    labels: str | None,
    top: int,
    is_json: bool,
) -> None:
    """Run a MODEL (an ONNX file, or the folder of a run) on IN; show the answer or write it.

    IN is an image, .wav, .npy or, for several inputs, .npz; or cat, coffee, camera. Images become
    as large as the model declares, or stay as they are where it leaves that open; grey and colour
    become what it takes. Pixels go in as 0 to 255, as networks of `faltung train` take them; with
    --mean or --std they are 0 to 1 if none of these numbers is greater than 1. Arrays go in as
    they are, sound from -1 to 1. OUT is .npy or .npz (exact), .png .jpg .bmp .tif for images, .wav
    for sound. Without OUT: classes and scores, where the model has one score for each class.
    """
    from faltung.cli.feed import Normal
    from faltung.cli.screen import Screen, command

    screen = Screen.open(is_json=is_json)
    if model is None:
        make_example(screen)
        model, source = MODEL, IMAGE
        screen.say(f"$ {command('run', model, source)}", "bold")
    if source is None:
        raise click.UsageError("IN is missing. Name an image, a sound or an array.")
    run_model(screen, model, source, out, Normal(mean or (), std or ()), size, labels, top)


def make_example(screen: Screen) -> None:
    """Train a tiny network and write it, and a digit that it never saw."""
    from faltung.cli.evaluate import train_example
    from faltung.cli.settings import read_data
    from faltung.files.depth import to_depth
    from faltung.files.image import write_image

    screen.note(f"nothing was named, so a tiny network is trained first and written to {MODEL}")
    train_example(screen, Path(), MODEL)
    digit = read_data("sample", None, "zero-one")[1].images[0, 0]
    write_image(IMAGE, to_depth(digit, "uint8").values)


def run_model(
    screen: Screen,
    model: str,
    source: str,
    out: str | None,
    normal: Any,
    size: tuple[int, int] | None,
    labels: str | None,
    top: int,
) -> None:
    """Read both, run, and show or write what comes out. What cannot go well is said before."""
    from faltung.cli.answer import answer, check_kind, check_out, class_output, write
    from faltung.cli.feed import fed
    from faltung.cli.judge import model_file

    check_out(out)
    path = model_file(Path(model))
    feed = fed(path, source, normal, size)
    check_kind(out, feed.graph, feed.medium)
    classes = class_output(feed.graph)
    names = class_labels(feed, None if classes is None else classes[1], labels)
    for note in feed.notes:
        screen.note(note)
    values, seconds = computed(feed)
    odd = {name: count for name, array in values.items() if (count := not_finite(array))}
    for name, count in odd.items():
        screen.note(f"{count:,} of {values[name].size:,} values of {name} are NaN or infinite")
    found = None
    if classes is not None and not odd:
        found = answer(feed.graph, values[classes[0]], names, top)
    written = None if out is None else write(out, values, feed.medium)
    show(screen, str(path), feed, values, found, written, seconds)


def class_labels(feed: Feed, classes: int | None, labels: str | None) -> list[str]:
    """The names of the classes: from a file, from the model, else numbers."""
    from faltung.cli.answer import read_labels
    from faltung.cli.judge import class_names
    from faltung.errors import GraphError, message

    if labels is not None:
        if classes is None:
            shapes = feed.graph.shapes()
            rule = "labels are for models of one output (1, classes)"
            outputs = {name: shapes[name] for name in feed.graph.outputs}
            raise GraphError(message(labels, rule, {"outputs": outputs}))
        return read_labels(labels, classes)
    known = class_names(feed.graph)
    return list(known) if len(known) == classes else [str(i) for i in range(classes or 0)]


def computed(feed: Feed) -> tuple[dict[str, NDArray[Any]], float]:
    """The outputs by name, and how long they took."""
    import time

    from faltung.plan.compiling import compile as planned

    plan = planned(feed.graph, {name: array.shape for name, array in feed.arrays.items()})
    start = time.perf_counter()
    found = plan(feed.arrays)
    seconds = time.perf_counter() - start
    outputs = found if isinstance(found, tuple) else (found,)
    return dict(zip(feed.graph.outputs, outputs, strict=True)), seconds


def not_finite(array: NDArray[Any]) -> int:
    """How many values are NaN or infinite."""
    import numpy as np

    return int((~np.isfinite(array)).sum()) if array.dtype.kind in "fc" else 0


def show(
    screen: Screen,
    model: str,
    feed: Feed,
    values: Mapping[str, NDArray[Any]],
    found: Answer | None,
    written: tuple[Written, str] | None,
    seconds: float,
) -> None:
    """Write the report, or the JSON object in its place."""
    from faltung.report import Table

    fed_shapes = {name: list(array.shape) for name, array in feed.arrays.items()}
    facts: dict[str, Any] = {
        "model": model,
        "input": {"name": feed.medium.name, "kind": feed.medium.kind},
        "inputs": fed_shapes,
        "prepared": list(feed.done),
        "outputs": {name: figures(array) for name, array in values.items()},
        "probabilities": None if found is None else found.source,
        "classes": None if found is None else [dict(vars(each)) for each in found.guesses],
        "written": None if written is None else {**vars(written[0]), "scaling": written[1]},
        "seconds": seconds,
    }
    screen.say(_fed_line(feed))
    if not screen.is_json:
        table = _classes(found) if found is not None else _outputs(facts["outputs"])
        screen.out.print(str(Table(*table, left=(0, 1) if found is not None else (0,))))
        if found is not None:
            screen.say(f"probabilities: {found.source}")
    screen.result(_end(found, written, seconds), facts)


def figures(array: NDArray[Any]) -> dict[str, Any]:
    """An output in a few figures."""
    import numpy as np

    finite = array[np.isfinite(array)] if array.dtype.kind in "biuf" else array[:0]
    return {
        "shape": list(array.shape),
        "dtype": array.dtype.name,
        "least": float(finite.min()) if finite.size else None,
        "mean": float(finite.mean(dtype=np.float64)) if finite.size else None,
        "most": float(finite.max()) if finite.size else None,
        "not_finite": not_finite(array),
    }


def _fed_line(feed: Feed) -> str:
    from faltung.cli.screen import by_size

    shapes = ", ".join(f"{n} {by_size(a.shape)} {a.dtype}" for n, a in feed.arrays.items())
    given = feed.medium.values
    own = f" {by_size(given.shape)} {given.dtype}" if given.size else ""
    return f"{feed.medium.name}{own} -> {shapes}" + "".join(f"; {each}" for each in feed.done)


def _classes(found: Answer) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    rows: list[tuple[str, ...]] = [
        (str(g.index), g.name, f"{g.score:.6g}", f"{g.probability:.4f}") for g in found.guesses
    ]
    return ("class", "name", "score", "probability"), rows


def _outputs(outputs: Mapping[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    from faltung.cli.screen import by_size

    def cell(value: float | None) -> str:
        return "" if value is None else f"{value:.6g}"

    rows = [
        (name, by_size(f["shape"]), f["dtype"], *(cell(f[n]) for n in ("least", "mean", "most")))
        for name, f in outputs.items()
    ]
    return ("output", "shape", "dtype", "least", "mean", "most"), rows


def _end(found: Answer | None, written: tuple[Written, str] | None, seconds: float) -> str:
    """The last line: what was written, else the likeliest class, and the time it took."""
    from faltung.cli.screen import percent

    took = f"{1000 * seconds:.3g} ms"
    if written is not None:
        file, how = written
        clipped = f", {file.clipped:,} clipped" if file.clipped else ""
        return f"written: {file.path} ({file.dtype}{clipped})" + (f": {how}" if how else "")
    if found is None:
        return f"nothing written: no OUT was given ({took})"
    best = found.guesses[0]
    return f"{best.name}: {percent(best.probability)}  ({took})"
