"""How an inspection is shown: on a terminal as wide as it is, as JSON, Markdown or a page."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.table import Table
from rich.text import Text

from faltung import atomic
from faltung.analysis.inspect import Inspection, inspect, words
from faltung.analysis.inspect.difference import Difference
from faltung.analysis.inspect.page import markdown_of, page_of
from faltung.analysis.inspect.table import fitting
from faltung.cli.explain.output import draw
from faltung.cli.screen import Screen
from faltung.cli.tables import table_of
from faltung.errors import ModelFileError, message
from faltung.report import AbstractReport
from faltung.report import Table as Plain
from faltung.zoo.catalogue import NETWORKS

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Wanted:
    """What a command asks for beside the table, and on which face."""

    layer: str | None = None
    verify: bool = False
    equivariance: bool = False
    field: str | None = None
    out: str | None = None
    html: str | None = None
    markdown: bool = False


def run(screen: Screen, model: str, other: str | None, inputs: Shapes, wanted: Wanted) -> None:
    """Inspect, and show what is asked for; exit with 1 where a figure does not hold."""
    report = opened(model, inputs)
    if other is not None:
        show(screen, f"{model} and {other}", report.difference(opened(other, inputs)), wanted)
        return
    if wanted.layer is not None:
        found = report.detail(wanted.layer)
        show(screen, f"{found.layer.name} of {report.name}", found, wanted)
        return
    further = dict(extras(report, wanted))
    if screen.is_json:
        screen.result("", report.to_dict() | {n: each.to_dict() for n, each in further.items()})
    elif wanted.html or wanted.markdown:
        write(screen, report, further, wanted)
    else:
        show_inspection(screen, report)
        for each in further.values():
            screen.say()
            show_blocks(screen, each.blocks())
    if wanted.out is not None:
        draw(screen, "effective_field", further["effective_field"], Path(wanted.out))
    judge(further.get("verification"))


def judge(verification: Any) -> None:
    """Leave with 1 and one line where a figure was counted otherwise."""
    if verification is None or verification.passed:
        return
    wrong = [f"{row.layer} {row.figure}" for row in verification.differences]
    many = "1 figure is" if len(wrong) == 1 else f"{len(wrong)} figures are"
    text = f"{many} not what brute force counts: {words.named(wrong)}"
    sys.stdout.flush()
    sys.stderr.write(f"error: verify: {text}\n")
    raise click.exceptions.Exit(1)


def opened(model: str, inputs: Shapes) -> Inspection:
    """Inspect a network of the zoo, a file, or the model in the folder of a run."""
    first = inputs.get("")
    named = {name: shape for name, shape in inputs.items() if name}
    if model in NETWORKS:
        return inspect(model, first, shapes=named)
    return inspect(file_of(model), first, shapes=named)


def file_of(model: str) -> Path:
    """The file that a word stands for."""
    from faltung.cli.judge import model_file

    if not Path(model).exists():
        cure = f"Name an ONNX file, the folder of a run, or one of {', '.join(NETWORKS)}"
        raise ModelFileError(message(model, "there is no such model", None, cure))
    return model_file(Path(model))


def extras(report: Inspection, wanted: Wanted) -> Iterator[tuple[str, AbstractReport]]:
    """What is measured beside what is read off the graph."""
    if wanted.verify:
        yield "verification", report.verify()
    if wanted.equivariance:
        from faltung.analysis.equivariance import equivariance

        yield "equivariance", equivariance(report.known.part or report.graph)
    if wanted.field is not None:
        from faltung.analysis.effective_field import effective_field

        value = report.layer(wanted.field).outputs[0]
        yield "effective_field", effective_field(report.known.part or report.graph, value)


def show(screen: Screen, title: str, report: AbstractReport, wanted: Wanted) -> None:
    """Write a report that is no table of layers, on the face that is asked for."""
    if wanted.html:
        save(screen, wanted.html, page_of(title, report.blocks()))
    elif wanted.markdown:
        click.echo(markdown_of(title, report.blocks()), nl=False)
    elif screen.is_json:
        screen.result("", report.to_dict())
    elif isinstance(report, Difference):
        show_blocks(screen, report.blocks(screen.out.width - 2))
    else:
        show_blocks(screen, report.blocks())


def show_blocks(screen: Screen, blocks: Sequence[Plain | str]) -> None:
    """Write paragraphs, and tables whose words are wrapped where the terminal is narrow."""
    for block in blocks:
        if isinstance(block, Plain):
            screen.show(table_of(block, screen.out.width))
        else:
            screen.tell(f"{block}\n" if block is not blocks[-1] else block)


def write(
    screen: Screen, report: Inspection, further: dict[str, AbstractReport], wanted: Wanted
) -> None:
    """Write an inspection as Markdown, or as a page."""
    titled = {name.replace("_", " ").capitalize(): each for name, each in further.items()}
    if wanted.html:
        save(screen, wanted.html, report.html(titled))
        return
    parts = [report.markdown(), *(markdown_of(n, r.blocks()) for n, r in titled.items())]
    click.echo("\n".join(parts), nl=False)


def save(screen: Screen, path: str, page: str) -> None:
    """Write a page, whole or not at all."""
    atomic.write_bytes(path, page.encode())
    screen.result(f"page: {path}", {})


def show_inspection(screen: Screen, report: Inspection) -> None:
    """Write the header, as many columns as the terminal holds, totals and notes."""
    screen.tell(words.header(report), "bold")
    screen.show(layers_table(report, screen.out.width))
    screen.tell(words.totals_line(report))
    for text in words.notes(report):
        screen.say()
        screen.tell(text, "yellow" if report.at_least and text.startswith("Totals") else "")


def layers_table(report: Inspection, width: int) -> Table:
    """The layers, the most important columns first; what is not known stands out."""
    table = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False, padding=(0, 1, 0, 0))
    chosen = fitting(report, width - 2)
    for column in chosen:
        table.add_column(
            Text(column.title),
            Text(column.total),
            justify="left" if column.is_left else "right",
            no_wrap=True,
        )
    rows = zip(*(column.cells for column in chosen), strict=True)
    for cells, layer in zip(rows, report.layers, strict=True):
        table.add_row(*map(Text, cells), style="yellow" if layer.unknown else None)
    return table
