"""Tables of CSV files: which columns hold numbers, what they are called, what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faltung.errors import FileFormatError, StorageError
from faltung.files.table import read_table


def file(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "names", "values", "others"),
    [
        ("a,b\n1,2\n3,\n", ("a", "b"), [[1, 2], [3, np.nan]], {}),
        ("1;2\n3;4\n", ("column 1", "column 2"), [[1, 2], [3, 4]], {}),
        (",a\n0,5\n1,6\n", ("column 1", "a"), [[0, 5], [1, 6]], {}),
        ("a,b,c\n1,x,2\n3,,y\n", ("a",), [[1], [3]], {"b": "x", "c": "y"}),
        ("a,b\n1\n2,3,4\n", ("a", "b", "column 3"), [[1, np.nan, np.nan], [2, 3, 4]], {}),
        ("a\tb\nNA\tinf\n", ("a", "b"), [[np.nan, np.inf]], {}),
        ("a,b\nx,y\nz,w\n", (), np.zeros((2, 0)), {"a": "x", "b": "y"}),
    ],
)
def test_columns_of_numbers_and_the_others(
    tmp_path: Path, text: str, names: tuple[str, ...], values: object, others: dict[str, str]
) -> None:
    found = read_table(file(tmp_path, text))
    assert found.names == names
    assert np.array_equal(found.values, np.asarray(values, np.float64), equal_nan=True)
    assert found.others == others


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="the table has no rows"):
        read_table(file(tmp_path, ""))
    with pytest.raises(FileFormatError, match="the table has a header alone"):
        read_table(file(tmp_path, "a,b\n"))
    with pytest.raises(StorageError, match="there is no such file"):
        read_table(tmp_path / "none.csv")
