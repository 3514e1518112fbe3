"""Columns of CSV files: headers, separators, missing values, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from faltung.errors import FileFormatError, StorageError
from faltung.files.column import read_column

TABLE = "day;place;high\n1;Ulm;3.5\n2;Bonn;\n3;Jena;-2e1\n"


def file(folder: Path, text: str | bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def same(found: object, want: list[float]) -> bool:
    return np.array_equal(np.asarray(found), want, equal_nan=True)


@pytest.mark.parametrize(
    ("column", "want"),
    [
        (None, [1, 2, 3]),
        ("day", [1, 2, 3]),
        ("high", [3.5, np.nan, -20]),
        (3, [3.5, np.nan, -20]),
        ("3", [3.5, np.nan, -20]),
    ],
)
def test_columns_have_names_and_numbers(
    tmp_path: Path, column: str | int | None, want: list[float]
) -> None:
    found = read_column(file(tmp_path, TABLE), column)
    assert same(found, want)
    assert found.dtype == np.float64


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("1\n2\n3\n", [1, 2, 3]),
        ("a,b\nx,1\ny,2", [1, 2]),
        ("\ufeffx\t1\r\ny\t2\r\n", [1, 2]),
        ('"a, b",c\n"1",2\n\n3,4\n', [1, 3]),
        ("a,b\n1\n2,5\n", [1, 2]),
        ("a\nNA\n1\n", [np.nan, 1]),
    ],
)
def test_tables_of_many_kinds(tmp_path: Path, text: str, want: list[float]) -> None:
    assert same(read_column(file(tmp_path, text)), want)


def test_rows_that_end_early_lack_values(tmp_path: Path) -> None:
    assert same(read_column(file(tmp_path, "a,b\n1\n2,5\n"), "b"), [np.nan, 5])


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        (TABLE, "low", "there is no such column, got column='low'. Use one of day, place, high."),
        (TABLE, 4, "there is no such column, got column=4."),
        ("1,2\n", "0", "there is no such column, got column='0'. Use 1 to 2."),
        (TABLE, "place", "column 2 holds something that is no number, got row=1, cell='Ulm'."),
        ("a,b\nx,y\n", None, "no column holds numbers alone"),
        ("a,b\n", None, "no column holds numbers alone"),
        ("", None, "the table has no rows"),
        (b"\xff\xfe1\x00", None, "cannot be read, got error=UnicodeDecodeError"),
        ("a\n1\0\n", "a", "column 1 holds something that is no number"),
    ],
)
def test_what_is_refused(
    tmp_path: Path, text: str | bytes, column: str | int | None, says: str
) -> None:
    with pytest.raises(FileFormatError, match=re.escape(says)):
        read_column(file(tmp_path, text), column)


def test_a_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no such file"):
        read_column(tmp_path / "none.csv")
