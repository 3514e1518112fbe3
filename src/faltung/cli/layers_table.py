"""The table of a network's layers, as wide as the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from rich import box
from rich.table import Table
from rich.text import Text

from faltung.analysis import LayerSummary, Summary
from faltung.analysis.inspect.words import count, rounded, sees
from faltung.cli.screen import by_size

Number: TypeAlias = Callable[[int], str]

WIDE, FULL = 96, 76
LEGEND = (
    "sees: the pixels that one output depends on, its receptive field",
    "as dense: parameters of a dense layer between the same input and output",
)


def layers_table(summary: Summary, width: int) -> Table:
    """Each layer's output, parameters, connections, receptive field, and the dense layer's size.

    A narrow terminal gets rounded numbers, a wide one the operators too.
    """
    table = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False, padding=(0, 1, 0, 0))
    number = count if width >= FULL else rounded
    table.add_column("layer", "total", overflow="ellipsis")
    if width >= WIDE:
        table.add_column("operator", no_wrap=True)
    table.add_column("output", no_wrap=True)
    for title, footer in (
        ("parameters" if width >= FULL else "params", number(summary.params)),
        ("connections" if width >= FULL else "conn.", number(summary.connections)),
        ("sees", ""),
        ("as dense", ""),
    ):
        table.add_column(title, footer, justify="right", no_wrap=True)
    for layer in summary.layers:
        cells: list[Text | str] = [
            Text(layer.name, overflow="ellipsis"),
            Text(layer.operator),
            *_cells(layer, number),
        ]
        table.add_row(*(cells if width >= WIDE else [cells[0], *cells[2:]]))
    return table


def _cells(layer: LayerSummary, number: Number) -> list[str]:
    dense = "" if layer.dense_params is None else number(layer.dense_params)
    return [
        by_size(layer.out_shape[1:]),
        number(layer.params) if layer.params else "",
        number(layer.cost.connections) if layer.cost.connections else "",
        sees(layer.field),
        dense,
    ]
