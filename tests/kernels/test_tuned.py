"""Tables of measured rows: read and written whole, used by the choice, never by the batch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faltung
from faltung.errors import KernelError
from faltung.geometry import ConvWindow, PoolWindow
from faltung.kernels import settings, tuned, tuned_files
from faltung.kernels.choose import candidates, choose
from faltung.kernels.isa import host_isa
from faltung.kernels.tune import measure
from faltung.kernels.tuned import Table, key_of

FLOAT32 = np.dtype(np.float32)
WINDOW = ConvWindow.of((4, 6, 12, 12), (8, 6, 3, 3), padding=1)
COMPILES = pytest.mark.skipif(host_isa() is None, reason="nothing can be compiled for this CPU")


@pytest.fixture(autouse=True)
def _own_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("FALTUNG_CACHE", str(tmp_path / "cache"))
    tuned._kept.cache_clear()
    tuned_files.kept.cache_clear()
    yield
    tuned._kept.cache_clear()
    tuned_files.kept.cache_clear()
    tuned.impose(None)


def table_for(name: str, window: Any = WINDOW) -> Table:
    return Table({key_of("conv", window, FLOAT32): name}, {}, tuned_files.cpu_key())


def test_a_key_has_no_batch_and_tells_layers_apart() -> None:
    windows = [
        WINDOW,
        ConvWindow.of((1, 6, 12, 12), (8, 6, 3, 3), padding=1, stride=2),
        ConvWindow.of((1, 6, 12, 12), (8, 6, 3, 3), padding=2, dilation=2),
        ConvWindow.of((1, 6, 12, 12), (8, 6, 3, 3), padding=((1, 1), (1, 0))),
        ConvWindow.of((1, 6, 12, 12), (8, 3, 3, 3), padding=1, groups=2),
        PoolWindow.of((1, 6, 12, 12), 3, stride=1, padding=1),
    ]
    keys = {key_of(name, w, d) for w in windows for name in ("a", "b") for d in (FLOAT32, "f8")}
    assert len(keys) == 4 * len(windows)
    one = ConvWindow.of((1, 6, 12, 12), (8, 6, 3, 3), padding=1)
    assert key_of("conv", one, FLOAT32) == key_of("conv", WINDOW, FLOAT32)
    assert key_of("conv", one, FLOAT32, True) != key_of("conv", one, FLOAT32)


def test_the_choice_goes_by_the_table_where_its_row_fits() -> None:
    others = [row.name for row in candidates("conv", WINDOW, FLOAT32)]
    assert len(others) > 1
    for name in others:
        for batch in (1, 3, 64):
            window = ConvWindow.of((batch, 6, 12, 12), (8, 6, 3, 3), padding=1)
            assert choose("conv", window, FLOAT32, table=table_for(name)).name == name
    plain = choose("conv", WINDOW, FLOAT32)
    for name in ("no such row", "max_pool_taps_any_nchw", "conv_dx_col2im_any_nchw"):
        assert choose("conv", WINDOW, FLOAT32, table=table_for(name)) == plain
    inexact = [row.name for row in candidates("conv", WINDOW, FLOAT32) if not row.is_exact]
    for name in inexact:
        taken = choose("conv", WINDOW, FLOAT32, exact=True, table=table_for(name))
        assert taken.is_exact


def test_a_table_is_saved_and_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.json"
    table = Table({"a": "b"}, {"a": {"b": 0.5}}, "cpu")
    tuned_files.save(table, path)
    found = tuned_files.read(path)
    assert (dict(found.rows), dict(found.milliseconds), found.cpu) == (
        {"a": "b"},
        {"a": {"b": 0.5}},
        "cpu",
    )
    merged = table.merged(Table({"a": "c", "d": "e"}, {}, "cpu"))
    assert merged.rows == {"a": "c", "d": "e"}
    assert [entry.name for entry in path.parent.iterdir()] == ["table.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"format": 2, "cpu": "", "rows": {}, "milliseconds": {}}',
        '{"format": 1, "rows": {}, "milliseconds": {}}',
        '{"format": 1, "cpu": "", "rows": {"a": 1}, "milliseconds": {}}',
        '{"format": 1, "cpu": "", "rows": [], "milliseconds": {}}',
        '{"format": 1, "cpu": "", "rows": {}, "milliseconds": {"a": {"b": "fast"}}}',
    ],
)
def test_a_damaged_table_is_left_out_with_a_warning(text: str, tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text(text)
    with pytest.warns(RuntimeWarning, match=r"the tuned table .*table.json is left out: "):
        assert tuned_files.read(path) is tuned.EMPTY


@COMPILES
def test_the_table_of_this_cpu_is_used_and_another_can_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.ones((2, 6, 12, 12), np.float32)
    w = np.ones((8, 6, 3, 3), np.float32)
    kept, named = "conv_im2col_any_nchw", "conv_direct_any_nchw"

    def taken() -> str:
        conv = faltung.prepare(w, padding=1)
        conv(x)
        return conv.choices[6, 12, 12]

    key = key_of("conv", WINDOW, FLOAT32, True)
    tuned_files.save(Table({key: kept}), tuned_files.path())
    assert taken() == kept
    tuned_files.save(Table({key: named}), tmp_path / "named.json")
    monkeypatch.setenv("FALTUNG_TUNED", str(tmp_path / "named.json"))
    assert taken() == named
    monkeypatch.setenv("FALTUNG_TUNED", "none")
    assert taken() == choose("conv", WINDOW, FLOAT32, prepared=True).name
    tuned.impose(Table({key: kept}))
    assert taken() == kept
    tuned.impose(None)
    monkeypatch.setenv("FALTUNG_TUNED", str(tmp_path / "missing.json"))
    with pytest.raises(KernelError, match=r"must name a table, or be none, got .*K6"):
        taken()


def test_a_table_that_is_imposed_reaches_calls_that_are_remembered() -> None:
    x, w = np.ones((1, 2, 5, 5), np.float32), np.ones((3, 2, 3, 3), np.float32)
    before = settings.token()
    faltung.conv(x, w)
    tuned.impose(tuned.EMPTY)
    assert settings.token() != before
    faltung.conv(x, w)


@COMPILES
@pytest.mark.parametrize("operation", ["conv", "conv_dx", "conv_dw"])
def test_measuring_gives_the_row_that_was_fastest(operation: str) -> None:
    """By a clock that goes on one second at each look all rows are alike; the first is taken."""
    ticks = count()
    window = ConvWindow.of((1, 4, 6, 6), (4, 4, 3, 3), padding=1)
    table = measure(operation, window, FLOAT32, clock=lambda: float(next(ticks)))
    ((key, row),) = table.rows.items()
    assert key == key_of(operation, window, FLOAT32)
    names = [each.name for each in candidates(operation, window, FLOAT32)]
    assert row == names[0]
    assert table.milliseconds[key] == dict.fromkeys(names, 1000.0)
    json.dumps(dict(table.milliseconds))
    prepared = measure("conv", window, FLOAT32, is_prepared=True)
    assert list(prepared.rows) == [key_of("conv", window, FLOAT32, True)]
