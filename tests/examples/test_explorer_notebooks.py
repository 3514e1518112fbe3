"""The explorer's notebooks: run by a Jupyter kernel, as they are kept."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("anywidget", reason="the extra explorer is not installed")

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "make_explorer_notebooks.py"
NAMES = ("explorer", "explorer_model")
AGAIN = "Run make docs and look at what has changed"
MOST_BYTES = 600_000
SVG = "image/svg+xml"


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the notebooks made and run anew, in a process of its own."""
    folder = tmp_path_factory.mktemp("notebooks")
    command = [sys.executable, str(SCRIPT), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def said(made: dict[str, Any]) -> list[Any]:
    """Sources, and outputs but for the figures: Matplotlib draws them a little differently."""
    found = []
    for cell in made["cells"]:
        found.append(cell["source"])
        for output in cell.get("outputs", ()):
            data = {k: v for k, v in output.get("data", {}).items() if k != SVG}
            found.append([output["output_type"], output.get("text"), data])
    return found


def pictures(made: dict[str, Any]) -> list[str]:
    outputs = (output for cell in made["cells"] for output in cell.get("outputs", ()))
    return ["".join(o["data"][SVG]) for o in outputs if SVG in o.get("data", {})]


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_and_says_what_is_kept(run: Path, name: str) -> None:
    kept, made = (read(folder / f"{name}.ipynb") for folder in (ROOT / "examples", run))
    assert said(made) == said(kept), AGAIN
    assert len(pictures(made)) == len(pictures(kept)) >= 4
    assert all("<svg" in picture for picture in pictures(kept))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_needs_no_kernel(name: str) -> None:
    """No widget is named that ended with its kernel, no error, no file's secret name."""
    path = ROOT / "examples" / f"{name}.ipynb"
    text = path.read_text(encoding="utf-8")
    assert "widget-view" not in text
    assert '"output_type": "error"' not in text
    assert "faltung-" not in text
    assert path.stat().st_size < MOST_BYTES


def test_state_from_python_reaches_the_trait(run: Path) -> None:
    """The cell that observes the trait was told of both changes."""
    outputs = [item for item in said(read(run / "explorer.ipynb")) if isinstance(item, list)]
    assert ["execute_result", None, {"text/plain": "[[2, 2], [1, 1]]"}] in outputs
