"""What a terminal shows, of any width and colour, and how a command is written down."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from faltung import zoo
from faltung.analysis import summarize
from faltung.cli.layers_table import layers_table
from faltung.cli.screen import Screen, command, program
from faltung.cli.watch import Watch
from faltung.training.listener import Epoch, Plan, Step

HEAVY = ("rich", "onnx", "PIL", "llvmlite", "safetensors", "pooch")


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    lines = (
        "import sys; from faltung.cli import main",
        "assert main(['--help']) == main(['train', '--help']) == main(['--version']) == 0",
        f"print([name for name in {HEAVY} if name in sys.modules])",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_names_what_there_is() -> None:
    from faltung.cli import train
    from faltung.training import recipe

    assert train.OPTIMISERS.replace(" or ", ", ").split(", ") == list(recipe.OPTIMISERS)
    assert train.SCHEDULES.replace(" or ", ", ").split(", ") == list(recipe.SCHEDULES)


def test_help_names_every_verb(faltung: Any) -> None:
    for arguments in ((), ("--help",), ("-h",)):
        said = faltung(*arguments)
        assert said.code == 0
        verbs = re.findall(r"^  (\w+)  ", said.out, re.MULTILINE)
        assert set(verbs) >= {"doctor", "evaluate", "train"}


def test_its_version(faltung: Any) -> None:
    import faltung as package

    assert faltung("--version").out == f"faltung {package.__version__}\n"


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("net", zoo.NAMES)
def test_the_table_of_layers_fits(net: str, width: int) -> None:
    summary = summarize(zoo.build(net, (1, 32, 32)))
    console = Console(file=StringIO(), width=width)
    console.print(layers_table(summary, width))
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    cells = {line.split()[0]: line.split() for line in lines if line.strip()}
    if width >= 80:
        assert cells["total"] == ["total", f"{summary.params:,}", f"{summary.connections:,}"]
    numbers = "".join(line[20:] for line in lines)
    assert "…" not in numbers


@pytest.mark.parametrize("columns", ["60", "80"])
def test_without_a_terminal_there_are_no_codes(
    faltung: Any, squares: Path, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("NO_COLOR", "1")
    words = ("--net", "zero-one", "--epochs", "1")
    for command_line in (("train", "--data", squares, *words), ("evaluate",), ("doctor",)):
        said = faltung(*command_line)
        assert said.code == 0, said.err
        assert "\x1b" not in said.out + said.err
    table = [line for line in faltung("evaluate").out.splitlines() if "─" in line]
    assert max(map(len, table)) <= int(columns)


def test_a_terminal_without_unicode_is_no_error(tmp_path: Path, spawn: Callable[..., Any]) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = spawn("evaluate", cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert "accuracy:" in done.stdout


def watched(width: int, *, terminal: bool, quiet: bool = False) -> str:
    file = StringIO()
    error = Console(file=file, width=width, force_terminal=terminal, legacy_windows=False)
    with Watch(Screen(Console(file=StringIO()), error, is_quiet=quiet)) as watch:
        watch.begin(Plan(2, 4, 1, 2, 2, 10, 5))
        watch.step(Step(3, 1, 0, 5, 0.25, 0.5, 0.1))
        watch.step(Step(4, 1, 1, 5, 0.25, 0.5, 0.1))
        watch.epoch(Epoch(1, 4, 0.25, 0.5, None, None, 1.0, 1234.5))
    return file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_bar_shows_loss_accuracy_rate_and_time(width: int) -> None:
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", watched(width, terminal=True))
    last = [line for line in re.split(r"[\r\n]", shown) if "━" in line][-1]
    assert len(last) <= width
    assert last.startswith("epoch 2/2 ")
    assert "loss 0.250" in last
    assert "50.0 %" in last
    assert re.search(r"/s +[\d:-]+ left", last)
    assert "epoch 2/2  loss 0.2500  accuracy 50.0 %  1,234 images/s" in shown


def test_lines_alone_where_nobody_watches() -> None:
    assert watched(80, terminal=False).splitlines() == [
        "resuming from step 2 of 4 (epoch 2 of 2)",
        "epoch 2/2  loss 0.2500  accuracy 50.0 %  1,234 images/s",
    ]


def test_quiet_is_quiet() -> None:
    assert watched(80, terminal=True, quiet=True) == ""


def test_a_command_can_be_copied() -> None:
    assert command("evaluate", "my runs/m.onnx") == "faltung evaluate 'my runs/m.onnx'"


def test_it_is_called_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "bin" / "faltung"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.setenv("PATH", str(script.parent))
    assert program() == "faltung"
    monkeypatch.setenv("PATH", "/nowhere")
    assert program() == "./bin/faltung"
    monkeypatch.chdir(script.parent)
    assert program() == "./faltung"
    other = tmp_path / "else where"
    other.mkdir()
    monkeypatch.chdir(other)
    assert program() == str(script)


def test_as_a_module_it_names_its_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/x/faltung/__main__.py"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert program() == f"{sys.executable} -m faltung"
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    found = "python" if Path(sys.executable).name == "python" else sys.executable
    assert program().endswith("-m faltung")
    assert found in program() or program().startswith("python")
