"""``faltung tune``: layers of networks, files and lists, and what is kept of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from faltung.graph import layers
from faltung.kernels import tune, tuned_files
from faltung.kernels.isa import host_isa

pytestmark = pytest.mark.skipif(host_isa() is None, reason="nothing can be compiled for this CPU")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tune, "TURN", 0.0)
    monkeypatch.setattr(tune, "ROUNDS", 1)
    monkeypatch.setenv("FALTUNG_CACHE", str(tmp_path / "cache"))


def test_a_list_is_measured_and_kept_for_this_cpu(faltung: Any, tmp_path: Path) -> None:
    listed = tmp_path / "layers.txt"
    listed.write_text(
        "# layers\n\nname 4 8 9x9 3x3 1 1 1 1\n4 8 9x9 3x3 1 1 1 1\n2 2 16 5 1 2 1 2\n"
    )
    said = faltung("tune", str(listed))
    assert said.code == 0, said.err
    kept = json.loads(tuned_files.path().read_text())
    keys = sorted(kept["rows"])
    assert len(keys) == 4
    assert keys[0] == "conv float32 2x16 2x1x5 stride=1 pads=2:2 dilation=1 groups=2"
    assert keys[1] == f"{keys[0]} prepared"
    assert "4 measured, kept in" in said.out
    again = faltung("tune", str(listed), "--dtype", "float64", "--gradients", "--json").json
    assert len(again["rows"]) == 8
    assert len(json.loads(tuned_files.path().read_text())["rows"]) == 12
    assert "12 layers" in faltung("doctor").out or "tuned" in faltung("doctor").out


def test_a_model_is_measured_into_a_file(faltung: Any, tmp_path: Path) -> None:
    chain = layers.Chain(layers.Conv(4, 3, padding=1), layers.Relu(), layers.Conv(2, 3))
    layers.build(chain, (3, 8, 8)).save(str(tmp_path / "model.onnx"))
    found = faltung("tune", str(tmp_path / "model.onnx"), "--out", "table.json", "--json").json
    assert found["table"] == "table.json"
    assert sorted(key.split()[2] for key in found["rows"]) == ["3x8x8"] * 2 + ["4x8x8"] * 2
    assert not tuned_files.path().exists()
    assert tuned_files.read("table.json").cpu == tuned_files.cpu_key()


def test_what_cannot_be_read_is_refused(
    faltung: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("bad.txt").write_text("4 8 9x9 3x3 1 1 1\n")
    assert "bad.txt:1: is not written like a layer, got line=" in faltung("tune", "bad.txt").err
    assert "cannot be read, got reason=" in faltung("tune", "missing.txt").err
    assert "there is no such model" in faltung("tune", "lenett").err
    monkeypatch.setenv("FALTUNG_ISA", "none")
    assert "nothing is compiled here" in faltung("tune", "lenet").err
