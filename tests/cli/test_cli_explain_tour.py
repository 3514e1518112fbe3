"""``faltung explain tour``: cards on a terminal, with and without somebody at it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from faltung.cli.explain import tour as verb
from faltung.tour import CARDS, page

NAMES = [card.name for card in CARDS]


def test_without_a_terminal_everything_is_printed_answers_too(faltung: Callable[..., Any]) -> None:
    said = faltung("explain", "tour")
    assert said.code == 0
    assert said.err == ""
    flat = " ".join(said.out.split())
    for name in NAMES:
        made = page(name)
        assert made.heading in said.out
        assert " ".join(made.text.split()) in flat
        assert f"Answer: {made.check.solution}." in flat
    assert verb.PROMPT.strip() not in flat


@pytest.mark.parametrize("card", ["shift", "SHIFT", "8"])
def test_one_card_by_number_or_name(faltung: Callable[..., Any], card: str) -> None:
    said = faltung("explain", "tour", "--card", card)
    assert said.code == 0
    assert said.out.startswith("8. Shift\n")
    assert said.out.count("Quick check") == 1


@pytest.mark.parametrize("card", ["0", "13", "-1", "nobody", ""])
def test_a_card_that_is_not_there(faltung: Callable[..., Any], card: str) -> None:
    assert "there is no such card" in faltung("explain", "tour", "--card", card).error


def test_json_has_every_figure(faltung: Callable[..., Any]) -> None:
    cards = faltung("explain", "tour", "--json").json["cards"]
    assert [card["name"] for card in cards] == NAMES
    assert cards[0]["figures"]["dense"] == 150_529_000
    (one,) = faltung("explain", "tour", "--card", "4", "--json").json["cards"]
    assert one["check"]["answer"] == [81, 25, 25, 4]


@pytest.mark.parametrize("name", [card.name for card in CARDS if card.command])
def test_the_commands_that_show_more_run(faltung: Callable[..., Any], name: str) -> None:
    command = page(name).command
    briefly = ("--seeds", "1", "--steps", "2") if command[0] == "experiment" else ()
    assert faltung(*command, *briefly).code == 0


class Terminal(io.StringIO):
    """What somebody types."""

    def isatty(self) -> bool:
        return True


def at_a_terminal(
    monkeypatch: pytest.MonkeyPatch, faltung: Callable[..., Any], typed: str, *more: str
) -> str:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    said = faltung("explain", "tour", *more)
    assert said.code == 0
    return said.out


def test_answers_are_judged(monkeypatch: pytest.MonkeyPatch, faltung: Callable[..., Any]) -> None:
    out = at_a_terminal(monkeypatch, faltung, "2\n 4 \n", "--card", "sobel")
    assert out.count(verb.PROMPT) == 2
    assert "Not 2. Try again." in out
    assert "Right: 4." in out
    assert "Answer:" not in out


def test_enter_shows_the_answer_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, faltung: Callable[..., Any]
) -> None:
    out = at_a_terminal(monkeypatch, faltung, "\n" * len(CARDS))
    assert out.count(verb.PROMPT) == len(CARDS)
    assert page("waldo").check.reason in " ".join(out.split())


@pytest.mark.parametrize("end", ["q\n", "", "QUIT\n"])
def test_leaving(monkeypatch: pytest.MonkeyPatch, faltung: Callable[..., Any], end: str) -> None:
    out = at_a_terminal(monkeypatch, faltung, f"\n{end}")
    assert out.count("Quick check") == 2


def started(arguments: list[str], **how: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "faltung", "explain", "tour", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, **how)


def test_it_never_waits_for_a_pipe() -> None:
    """Nobody writes into the pipe, and nobody closes it."""
    reading, writing = os.pipe()
    try:
        done = started(["--card", "sobel"], stdin=reading)
    finally:
        os.close(reading)
        os.close(writing)
    assert "Answer: 4." in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of Unix")
def test_it_asks_at_a_real_terminal(tmp_path: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "faltung", "explain", "tour", "--card", "sobel"]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path)
    os.close(theirs)
    seen = read_until(ours, "q leaves): ")
    os.write(ours, b"4\n")
    seen += read_until(ours, "its sum.")
    assert process.wait(timeout=60) == 0
    os.close(ours)
    assert "Right: 4." in seen
    assert "Answer:" not in seen


def read_until(descriptor: int, wanted: str) -> str:
    """What comes out of a terminal, up to a text."""
    seen = b""
    while wanted not in " ".join(seen.decode(errors="ignore").split()) + " ":
        part = os.read(descriptor, 4096)
        assert part, seen
        seen += part
    return seen.decode()
