"""The notebook of the tour: made of the cards, run by a Jupyter kernel, as it is kept."""

from __future__ import annotations

import base64
import copy
import importlib.util
import io
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

from faltung.tour import CARDS

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "make_tour.py"
KEPT = ROOT / "examples" / "tour.ipynb"
MOST_BYTES = 1_000_000
AGAIN = "Run python scripts/make_tour.py and look at what has changed"

Notebook = dict[str, Any]


def script() -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("make_tour", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def kept() -> Notebook:
    """The notebook in the repository."""
    return json.loads(KEPT.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Notebook:
    """The notebook made and run anew, in a process of its own."""
    path = tmp_path_factory.mktemp("tour") / "tour.ipynb"
    command = [sys.executable, str(SCRIPT), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_text(encoding="utf-8"))


def without_outputs(made: Notebook) -> Notebook:
    bare = copy.deepcopy(made)
    for cell in bare["cells"]:
        if cell["cell_type"] == "code":
            cell.update(execution_count=None, outputs=[])
    return bare


def is_measured(cell: dict[str, Any]) -> bool:
    return "measured" in cell["metadata"].get("tags", ())


def said(made: Notebook) -> dict[str, list[Any]]:
    """The outputs of each cell that is the same everywhere; of pictures, that there is one."""
    found = {}
    for cell in made["cells"]:
        if cell["cell_type"] == "code" and not is_measured(cell):
            found[cell["id"]] = [
                {**output, "data": {k: v if k != "image/png" else "" for k, v in data.items()}}
                if (data := output.get("data"))
                else output
                for output in cell["outputs"]
            ]
    return found


def test_texts_and_code_are_those_of_the_cards(kept: Notebook) -> None:
    assert without_outputs(kept) == script().notebook(), AGAIN


def test_it_runs_and_says_what_is_kept(kept: Notebook, run: Notebook) -> None:
    assert without_outputs(run) == without_outputs(kept)
    assert said(run) == said(kept), AGAIN


def test_what_has_changed_is_seen(kept: Notebook) -> None:
    changed = copy.deepcopy(kept)
    output = next(c for c in changed["cells"] if c["id"] == "shift-code-1")["outputs"][0]
    output["data"]["text/plain"] = "([0, 5, 31], [])"
    assert said(changed) != said(kept)
    changed = copy.deepcopy(kept)
    next(c for c in changed["cells"] if c["id"] == "shift-code-2")["outputs"].clear()
    assert said(changed) != said(kept)


def test_all_cells_ran_in_their_order(run: Notebook, kept: Notebook) -> None:
    for made in (run, kept):
        counts = [c["execution_count"] for c in made["cells"] if c["cell_type"] == "code"]
        assert counts == list(range(1, len(counts) + 1))
        kinds = {o["output_type"] for c in made["cells"] for o in c.get("outputs", ())}
        assert kinds == {"execute_result"}  # no errors, no warnings


def test_each_card_has_words_code_and_a_check(kept: Notebook) -> None:
    ids = [cell["id"] for cell in kept["cells"]]
    for card in CARDS:
        for part in ("words", "code-1", "check", "answer", "solution"):
            assert f"{card.name}-{part}" in ids
    assert len(ids) == len(set(ids))


def pictures(made: Notebook) -> dict[str, bytes]:
    return {
        cell["id"]: base64.b64decode(output["data"]["image/png"])
        for cell in made["cells"]
        for output in cell.get("outputs", ())
        if "image/png" in output["data"]
    }


def test_most_cards_have_a_picture_and_the_file_is_small(kept: Notebook) -> None:
    shown = pictures(kept)
    assert {name.split("-")[0] for name in shown} == {card.name for card in CARDS}
    for name, data in shown.items():
        colours = Image.open(io.BytesIO(data)).convert("RGB").getcolors(1 << 24)
        assert len(colours or ()) > 2, name
    assert KEPT.stat().st_size < MOST_BYTES


def test_without_matplotlib_the_pictures_are_left_out() -> None:
    cell = next(c for c in script().notebook()["cells"] if c["id"] == "setup")
    code = f"""
import sys
sys.modules["matplotlib"] = None
{cell["source"]}
print(show("square", faltung.square((2, 2))))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    first, second = done.stdout.splitlines()
    assert "pip install 'faltung[viz]'" in first
    assert second == "None"
