"""``faltung doctor``: what it says is what is there."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import faltung as package
from faltung.cli import machine, sheet


def test_versions_are_those_installed(faltung: Any) -> None:
    said = faltung("doctor")
    assert said.code == 0
    rows = dict(line.split(maxsplit=1) for line in said.out.splitlines() if len(line.split()) > 1)
    assert rows["faltung"] == package.__version__
    assert f"  Python           {platform.python_version()}\n" in said.out
    assert rows["numpy"] == np.__version__
    for name in ("llvmlite", "onnx", "rich", "click", "pillow", "safetensors", "pooch"):
        assert rows[name] == importlib.metadata.version(name)


def test_json_says_the_same(faltung: Any) -> None:
    found = faltung("doctor", "--json").json
    assert found["versions"]["numpy"] == np.__version__
    assert found["usable_cores"] >= 1
    assert found["cpu"]
    assert set(found["extras"]) >= {"test", "peers", "lint"}
    assert all("faltung" not in extra["packages"] for extra in found["extras"].values())
    assert found["extras"]["test"]["packages"]["pytest"] == pytest.__version__


def test_what_is_missing_comes_with_its_command(
    faltung: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = machine.version

    def version(name: str) -> str:
        if name in ("torch", "rich"):
            raise importlib.metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(machine, "version", version)
    said = faltung("doctor")
    assert "rich             missing: python -m pip install rich" in said.out
    # Where other peers are missing as well, they are named beside it.
    assert re.search(r"missing: .*\btorch; python -m pip install 'faltung\[peers\]'", said.out)


def test_variables(faltung: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FALTUNG_KERNEL", "reference")
    monkeypatch.setenv("FALTUNG_TYPO", "1")
    monkeypatch.setenv("FALTUNG_CACHE", "here")
    Path("here/mnist").mkdir(parents=True)
    said = faltung("doctor")
    assert "FALTUNG_KERNEL   'reference'\n" in said.out
    assert "FALTUNG_TYPO     '1' (no variable of faltung's)\n" in said.out
    assert "FALTUNG_DEBUG    not set" in said.out
    assert "data cache       here (mnist)" in said.out


def test_without_an_installed_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(machine, "distribution", missing)
    facts = machine.facts()
    assert facts["extras"] == {}
    assert ("unknown", "faltung is not installed as a package") in sheet.sections(facts)["Extras"]


def test_a_processor_that_does_not_say_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(*_: object, **__: object) -> str:
        raise OSError

    monkeypatch.setattr(Path, "read_text", unreadable)
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(machine.sys, "platform", "linux")
    assert machine.cpu_model() == platform.machine()
    assert machine.usable_cores() >= 1
