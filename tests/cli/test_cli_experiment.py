"""``faltung experiment``: what is listed, printed, drawn, refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from faltung.experiments import EXPERIMENTS, experiment
from faltung.experiments import penalty as penalty_module


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer digits than in earnest."""
    monkeypatch.setattr(penalty_module, "DIGITS", 50)


def test_without_a_name_all_are_listed_and_the_quickest_is_run(faltung: Any) -> None:
    said = faltung("experiment", "--steps", "1", "--seeds", "1")
    assert said.code == 0, said.err
    listed, rest = said.out.split("\n$ ", 1)
    assert [line.split()[0] for line in listed.splitlines() if line] == list(EXPERIMENTS)
    command, report = rest.split("\n\n", 1)
    assert command.endswith(" experiment penalty --seeds 1 --steps 1")
    assert faltung(*command.split()[command.split().index("experiment") :]).out == report


def test_it_prints_the_report_and_json_has_every_value(faltung: Any) -> None:
    arguments = ["experiment", "penalty", "--steps", "1", "--seeds", "2"]
    assert faltung(*arguments).out == f"{experiment('penalty', seeds=2, steps=1)}\n"
    found = faltung(*arguments, "--json").json
    assert found == experiment("penalty", seeds=2, steps=1).to_dict()
    assert len(found["panels"][0]["curves"][0]["points"][0]["values"]) == 2


def test_it_draws_what_it_found(faltung: Any, tmp_path: Path) -> None:
    said = faltung("experiment", "penalty", "--steps", "1", "--seeds", "1", "--out", "p.svg")
    assert said.code == 0, said.err
    assert "note: picture: p.svg" in said.err
    assert b"<svg" in (tmp_path / "p.svg").read_bytes()


def test_wrong_options_are_told_at_once(faltung: Any) -> None:
    assert "there is no such experiment" in faltung("experiment", "nothing").error
    assert "there must be seeds" in faltung("experiment", "corners", "--seeds", "0").error
    assert "at least one step" in faltung("experiment", "corners", "--steps", "0").error
    assert "suffix must be one of" in faltung("experiment", "corners", "--out", "a.gif").error
