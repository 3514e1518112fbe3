"""Tables on terminals that are too narrow for them: nothing in them is cut."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.console import Console

from faltung.cli.tables import table_of
from faltung.report import Table

HEADER = ("map", "operator", "stride", "worst error", "positions", "why")
ROWS = [
    ("conv1", "Conv", "1", "0", "1,234,567", "nothing to say"),
    ("globalaveragepool1", "GlobalAveragePool", "2", "60.4 %", "12", "it sees the whole image"),
]
TABLE = Table(HEADER, ROWS, title="Shifts along H", left=(0, 1, 5), spare=(1, 2))


def drawn(table: Table, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width)
    console.print(table_of(table, width))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def squeezed(lines: list[str]) -> str:
    return re.sub(r"\s+", "", "".join(lines))


@pytest.mark.parametrize("width", range(56, 141))
def test_it_fits_and_no_number_is_cut(width: int) -> None:
    lines = drawn(TABLE, width)
    assert max(map(len, lines)) <= width
    for word in ("60.4 %", "1,234,567", "globalaveragepool1"):
        assert any(word in line for line in lines)
    assert "…" not in squeezed(lines)


def test_what_a_table_loses_first() -> None:
    def titles(width: int) -> str:
        lines = drawn(TABLE, width)
        return squeezed(lines[: next(i for i, line in enumerate(lines) if "─" in line)])

    start = "ShiftsalongH"
    assert titles(120) == f"{start}mapoperatorstrideworsterrorpositionswhy"
    tall = [width for width in range(60, 120) if titles(width).startswith(f"{start}worstmap")]
    assert tall
    assert [("operator" in titles(w), "stride" in titles(w)) for w in (max(tall), 66, 54)] == [
        (True, True),
        (False, True),
        (False, False),
    ]


def test_words_that_are_too_long_go_on_below() -> None:
    name = "/features/features.0/block/conv/Conv_output_0"
    table = Table(("map", "count"), [(name, "12,345")], footer=("total", "12,345"))
    lines = drawn(table, 30)
    assert max(map(len, lines)) <= 30
    assert name in squeezed(lines).replace("12,345", "")
    assert lines[-2].split() == ["total", "12,345"]


def test_without_columns_to_spare_none_is_left_out() -> None:
    table = Table(HEADER, ROWS, left=(0, 1, 5))
    assert {"positions", "why", "stride"} <= set(" ".join(drawn(table, 70)).split())
