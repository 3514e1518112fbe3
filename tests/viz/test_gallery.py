"""The gallery: every picture of it legible in both themes, and its page as it would be made."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from matplotlib.figure import Figure

from faltung.viz.legible import complaints, texts
from faltung.viz.style import themed
from faltung.viz.theme import THEMES

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 2_000_000


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gallery", ROOT / "scripts" / "make_gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gallery"] = module
    spec.loader.exec_module(module)
    return module


GALLERY = script()


@pytest.fixture(scope="module")
def run() -> Any:
    """The network of the gallery after one short epoch: its pictures have the same parts."""
    return GALLERY.Run.of(images=300, epochs=1)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", GALLERY.EXHIBITS)
def test_every_text_can_be_read(name: str, theme: str, run: Any) -> None:
    """Inside the figure, none on another, at least 8 pt when it is shown at half its size."""
    drawn = GALLERY.EXHIBITS[name].draw(run, theme)
    assert complaints(drawn, points=2 * 8) == []
    assert texts(drawn)


def spoilt(drawn: Figure) -> Figure:
    """A copy of a text right beside itself, and one that is too small."""
    first = texts(drawn)[0]
    width, height = drawn.canvas.get_width_height()
    with themed():
        drawn.text(first.box.x0 / width, (first.box.y0 + 3) / height, "planted")
        drawn.text(0.5, 0.5, "small", fontsize=15)
    return drawn


@pytest.mark.parametrize("name", ["signal", "confusion", "square"])
def test_planted_faults_are_caught(name: str, run: Any) -> None:
    found = complaints(spoilt(GALLERY.EXHIBITS[name].draw(run, "light")))
    assert any("'planted'" in line and " is on " in line for line in found)
    assert any("'small' is too small: 15 pt" in line for line in found)


def test_the_page_is_as_it_would_be_made_now() -> None:
    assert GALLERY.PAGE.read_text(encoding="utf-8") == GALLERY.page()


def test_every_picture_is_there_and_shown_and_they_are_small() -> None:
    shown = set(re.findall(r"gallery/([\w.-]+)", GALLERY.page()))
    kept = {path.name for path in GALLERY.FOLDER.iterdir()}
    assert shown == kept
    assert sum(path.stat().st_size for path in GALLERY.FOLDER.iterdir()) < MOST_BYTES
    suffixes = {name.rpartition(".")[2] for name in kept}
    assert suffixes == {"png", "svg", "gif"}
