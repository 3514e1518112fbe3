"""Widgets in real notebooks: a server of theirs, a kernel of theirs, in Chromium."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from .conftest import missing

pytest.importorskip("anywidget", reason="the extra explorer is not installed")

NOTEBOOK = """
import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
    from faltung.explorer import KernelSlide, ModelView

    return KernelSlide, ModelView, mo


@app.cell
def _(KernelSlide, mo):
    slide = mo.ui.anywidget(KernelSlide([[1, 2, 0, 1], [0, 1, 2, 0], [2, 0, 1, 2]], [[1, -1]]))
    slide
    return (slide,)


@app.cell
def _(mo, slide):
    mo.md(f"Python has stride {slide.value['state'].get('stride')}")
    return


@app.cell
def _(mo):
    button = mo.ui.button(label="From Python", value=0, on_click=lambda n: n + 1)
    button
    return (button,)


@app.cell
def _(button, slide):
    if button.value:
        slide.widget.set(flip=True)
    return


@app.cell
def _(ModelView):
    ModelView("lenet5")
    return
"""


@pytest.fixture
def marimo(tmp_path: Path) -> Iterator[str]:
    """The address of a notebook that marimo runs."""
    if find_spec("marimo") is None:
        missing("the peer marimo is not installed")
    (tmp_path / "app.py").write_text(NOTEBOOK)
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "marimo", "run", "app.py", "--headless", "--no-token"]
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    with (tmp_path / "log").open("w") as log:
        run = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            cwd=tmp_path,
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            yield answering(f"http://127.0.0.1:{port}", run)
        finally:
            run.terminate()
            run.wait(20)


def answering(url: str, run: subprocess.Popen[bytes], seconds: float = 60) -> str:
    """Wait until somebody answers there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and run.poll() is None:
        try:
            with urlopen(url, timeout=5):
                return url
        except (URLError, OSError):
            time.sleep(0.2)
    pytest.fail("marimo did not start")


@pytest.fixture
def tab(chromium: Any) -> Iterator[Callable[[str], Any]]:
    """Return a function that opens a page; an error in it fails the test."""
    wrong: list[str] = []
    contexts: list[Any] = []

    def opened(url: str) -> Any:
        contexts.append(chromium.new_context(viewport={"width": 1200, "height": 900}))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(url)
        return page

    yield opened
    for each in contexts:
        each.close()
    assert not wrong


@pytest.mark.long
def test_marimo(marimo: str, tab: Callable[[str], Any]) -> None:
    """The view is there, its state is Python's and Python's its own, and questions are answered."""
    from playwright.sync_api import expect

    page = tab(marimo)
    slide, model = page.locator(".ft-view").first, page.locator(".ft-view").last
    slide.wait_for(timeout=90_000)
    assert slide.locator(".ft-formula").inner_text() == "y[0, 0] = 1·1 + 2·(−1) = −1"
    page.get_by_text("Python has stride [1, 1]").wait_for()
    stride = slide.get_by_label("stride over columns")
    stride.fill("2")
    stride.press("Enter")
    page.get_by_text("Python has stride [1, 2]").wait_for()
    assert not slide.get_by_label("Flip the kernel").is_checked()
    page.get_by_role("button", name="From Python").click()
    expect(slide.get_by_label("Flip the kernel")).to_be_checked()
    assert "61,706" in model.inner_text()
    model.get_by_label("Network of the zoo").select_option("zero-one")
    expect(model).not_to_contain_text("61,706", timeout=30_000)
