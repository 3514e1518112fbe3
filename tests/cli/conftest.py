"""A command line in this process, in a folder of its own, and one model trained for all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faltung.cli import main


@dataclass(frozen=True)
class Said:
    """What a command left: its exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line of an error, which is all that may be there beside notes and progress."""
        assert self.code == 2, self
        assert "Traceback" not in self.err
        assert self.err.endswith("\n")
        (line,) = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert self.err.splitlines()[-1] == line
        return line


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.startswith("FALTUNG_") and name != "FALTUNG_REQUIRE_PEERS":
            monkeypatch.delenv(name)
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    # Drawing takes longer than training does here; commands in processes of their own draw.
    monkeypatch.setattr("faltung.viz.report.write", _blank)


def _blank(path: Path, *_: object) -> Path:
    path.write_text("<!doctype html>")
    return path


@pytest.fixture
def faltung(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run a command in this process."""

    def run(*arguments: str | Path) -> Said:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        streams = capsys.readouterr()
        return Said(code, streams.out, streams.err)

    return run


def started(*arguments: str | Path, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "faltung", *map(str, arguments)]
    given = {"capture_output": True, "text": True, "timeout": 120, "check": False} | options
    return subprocess.run(command, cwd=cwd, **given)


@pytest.fixture
def spawn() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command in a process of its own."""
    return started


@dataclass(frozen=True)
class Example:
    """The zero-one network, trained by the real command."""

    folder: Path
    said: Said

    @property
    def model(self) -> Path:
        return self.folder / "runs/sample-zero-one/model.onnx"


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """One real training run that tests look at and leave as it is."""
    folder = tmp_path_factory.mktemp("example")
    done = started("train", "--net", "zero-one", cwd=folder)
    return Example(folder, Said(done.returncode, done.stdout, done.stderr))


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    """Three classes of 12x12 images, told apart by where the bright part is; 90 in all."""
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    images = rng.integers(0, 60, (90, 12, 12)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4 * label : 4 * label + 4] += 180
    path = tmp_path / "squares.npz"
    classes = np.array(["top", "middle [b]", "bottom"])
    np.savez(path, images=images, labels=labels, classes=classes)
    return path
