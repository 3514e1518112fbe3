"""`faltung explore`: a page served until Ctrl-C, or saved, with a model and a picture."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faltung.cli import exploring
from faltung.files.image import write_image
from faltung.zoo import build

ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/[\w-]{32}/")


def config(page: str) -> Any:
    """What Python wrote into a page."""
    (found,) = re.findall(r'id="faltung-config">(.*?)</script>', page)
    return json.loads(found)


class Running:
    """The command in a process of its own."""

    def __init__(self, cwd: Path, *arguments: str) -> None:
        self.temporary = cwd / f"temporary-{time.monotonic_ns()}"
        self.temporary.mkdir()
        command = [sys.executable, "-m", "faltung", "explore", "--no-open", *arguments]
        env = {**os.environ, "TMPDIR": str(self.temporary)}
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, cwd=cwd, env=env, text=True, **pipes)
        self.url, self.port = "", 0
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := ADDRESS.search(line):
                self.url, self.port = found[0], int(found[1])
                break

    def get(self) -> str:
        with urllib.request.urlopen(self.url, timeout=20) as answer:
            return str(answer.read().decode())

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=30)
        return self.process.returncode, err


def test_a_page_until_ctrl_c(tmp_path: Path) -> None:
    """A second start finds the next port; both end with 0, without a word, and leave nothing."""
    write_image(tmp_path / "mine.png", np.zeros((400, 300), np.uint8))
    build("zero-one").save(tmp_path / "mine.onnx")
    before = set(tmp_path.iterdir())
    first = Running(tmp_path, "slide", "--port", "47310")
    second = Running(tmp_path, "model", "--port", "47310", "--model", "mine.onnx")
    try:
        assert 47310 <= first.port < second.port < 47330
        assert first.url.split("/")[3] != second.url.split("/")[3]
        shown = config(first.get())
        assert (shown["place"], shown["first"]) == ("page", "slide")
        shown = config(second.get())
        source = shown["data"]["model"]["source"]
        assert source["label"] == shown["data"]["model"]["report"]["name"] == "mine.onnx"
        question = urllib.request.Request(
            f"{second.url}ask/model.inspected",
            json.dumps(source).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(question, timeout=30) as answer:
            assert json.loads(answer.read())["name"] == "mine.onnx"
        assert any(second.temporary.rglob(source["file"]))
    finally:
        assert first.end() == (0, "")
        assert second.end() == (0, "")
    for run in (first, second):
        assert not [*run.temporary.iterdir()]
        with pytest.raises(urllib.error.URLError):
            run.get()
        run.temporary.rmdir()
    assert set(tmp_path.iterdir()) == before


def test_the_browser_gets_an_address_for_once(
    faltung: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the page's own, which is printed alone."""
    from faltung.explorer import run

    shown: list[str] = []

    def serve(*_: Any, ready: Any, **__: Any) -> None:
        ready("http://127.0.0.1:1/token/", "http://127.0.0.1:1/once")

    monkeypatch.setattr(run, "serve", serve)
    monkeypatch.setattr(exploring, "show", lambda screen, url: shown.append(url))
    said = faltung("explore", "cost")
    assert "The explorer is at http://127.0.0.1:1/token/\n" in said.out
    assert shown == ["http://127.0.0.1:1/once"]
    faltung("explore", "cost", "--no-open")
    assert len(shown) == 1


def test_a_page_is_saved(faltung: Any) -> None:
    said = faltung("explore", "cost", "--save", "page.html", "--model", "lenet5")
    assert (said.code, said.out, said.err) == (0, "page: page.html\n", "")
    text = Path("page.html").read_text()
    shown = config(text)
    assert (shown["place"], shown["first"]) == ("saved", "cost")
    assert shown["data"]["model"]["report"]["name"] == "lenet5"
    assert "default-src 'none'" in text
    assert [path.name for path in Path().iterdir()] == ["page.html"]


def test_without_a_view_the_command_is_shown(faltung: Any) -> None:
    assert "faltung explore slide\n" in faltung("explore", "--save", "page.html").out


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("explore nothing", "explore: there is no such view, got view='nothing'. Use one of slide"),
        ("explore --save page.txt", "--save writes a page: 'page.txt' must end in .html."),
        ("explore --save no/page.html", "no/page.html: cannot be written, its folder does not"),
        ("explore --save p.html --model none", "none: there is no such model. Name an ONNX file"),
        ("explore --save p.html --model text.png", "text.png: model: the file is damaged, or no"),
        ("explore --save p.html --image none.png", "none.png: there is no such file."),
        ("explore --save p.html --image text.png", "text.png: cannot be read"),
        ("explore --save p.html --image large.png", "large.png: claims more than 16,777,216"),
        ("explore --port 70000", "70000 is not in the range 0<=x<=65535"),
    ],
)
def test_one_line(faltung: Any, command: str, text: str) -> None:
    Path("text.png").write_text("no picture")
    write_image("large.png", np.zeros((5000, 4000), np.uint8))
    assert text in faltung(*command.split()).error
    assert not Path("p.html").exists()


def test_without_the_extra(faltung: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The saved page stands in, is opened, and it is said how to get the rest."""
    opened: list[str] = []

    class Browser:
        name = "example"

        def open(self, url: str) -> bool:
            opened.append(url)
            return True

    monkeypatch.setattr(exploring, "find_spec", lambda name: None)
    monkeypatch.setattr(webbrowser, "get", Browser)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    said = faltung("explore", "cost")
    assert said.code == 0
    assert "python -m pip install 'faltung[explorer]'" in said.err
    (page,) = tmp_path.rglob("explorer.html")
    assert opened == [page.as_uri()]
    assert config(page.read_text())["first"] == "cost"
    assert faltung("explore", "cost", "--no-open").code == 0
    assert len(opened) == 1


@pytest.mark.parametrize("name", ["/usr/bin/w3m", "fails", "missing"])
def test_without_a_browser(
    faltung: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    class Browser:
        def __init__(self) -> None:
            if name == "missing":
                raise webbrowser.Error
            self.name = name

        def open(self, url: str) -> bool:
            assert name == "fails"
            return False

    monkeypatch.setattr(exploring, "find_spec", lambda name: None)
    monkeypatch.setattr(webbrowser, "get", Browser)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    said = faltung("explore")
    assert said.code == 0
    assert "no browser was found: open the address above in one" in said.err
