"""``faltung exercise``: what is listed, shown, written and checked, and the exit codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from faltung.exercises import EXERCISES, exercise
from faltung.exercises.running import coding

LOOP = "def output_size(size, kernel, stride, padding, dilation):\n    while True: pass\n"


def test_without_a_verb_all_are_listed_and_one_is_shown(faltung: Any) -> None:
    said = faltung("exercise")
    assert said.code == 0, said.err
    listed, shown = said.out.split("\n$ ", 1)
    for name in EXERCISES:
        assert f" {name} " in listed
    starred = [line.split()[1] for line in listed.splitlines() if line.startswith("  * ")]
    assert starred == coding()
    assert " exercise show conv2d --hint\n" in shown
    assert "Hint 1: " in shown


def test_list_is_json(faltung: Any) -> None:
    found = faltung("exercise", "list", "--json").json["exercises"]
    assert [each["name"] for each in found] == list(EXERCISES)
    assert [each["name"] for each in found if each["code"]] == coding()


@pytest.mark.parametrize("name", ["shift", "when-not"])
def test_hints_and_the_answer_come_when_asked_for(faltung: Any, name: str) -> None:
    worked = exercise(name).worked()

    def words(text: str) -> str:
        return " ".join(text.split())

    bare = words(faltung("exercise", "show", name).out)
    assert worked.question in bare
    assert worked.hints[0] not in bare
    assert worked.hints[1] not in words(faltung("exercise", "show", name, "--hint").out)
    everything = words(faltung("exercise", "show", name, "--hint", "--hint", "--answer").out)
    blocks = [*worked.hints[:2], *map(str, worked.answer)]
    assert all(words(block) in everything for block in blocks)
    assert (words(worked.task.solution) in everything) if worked.task else True
    assert faltung("exercise", "show", name, "--json").json == worked.to_dict()


def test_start_writes_a_file_and_never_over_one(faltung: Any, tmp_path: Path) -> None:
    said = faltung("exercise", "start", "output-size")
    assert said.code == 0, said.err
    path = tmp_path / "output_size.py"
    assert path.read_text("utf-8") == exercise("output-size").task.starter("output-size")
    path.write_text("mine")
    assert "output_size.py: File exists" in faltung("exercise", "start", "output-size").error
    assert path.read_text("utf-8") == "mine"
    found = faltung("exercise", "start", "edges", "own.py", "--json").json
    assert found == {"file": "own.py", "name": "edges"}
    assert "has no code to write" in faltung("exercise", "start", "age").error


def test_exit_codes_are_right_wrong_and_cannot_be_run(faltung: Any, tmp_path: Path) -> None:
    path = tmp_path / "output_size.py"
    task = exercise("output-size").task
    path.write_text(task.solution.replace("(size + 2", "print('hi') or (size + 2"))
    said = faltung("exercise", "check", path)
    assert (said.code, said.err) == (0, "")
    assert "Your code printed:\nhi\n" in said.out
    assert said.out.splitlines()[-1].startswith("output-size: Right: ")
    path.write_text(task.solution.replace("2 * padding", "padding"))
    said = faltung("exercise", "check", path, "--json")
    assert (said.code, said.json["state"]) == (1, "wrong")
    assert "The padding counts at both ends" in said.json["text"]
    path.write_text(LOOP)
    said = faltung("exercise", "check", path, "output-size", "--seconds", "1")
    assert said.code == 2
    (line,) = said.out.splitlines()
    assert "does a loop never end" in line


def test_the_example_is_a_solution(faltung: Any) -> None:
    said = faltung("exercise", "check")
    assert said.code == 0, said.err
    assert "conv2d: Right" in said.out


def test_what_cannot_be_checked_is_one_line(faltung: Any, tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("x = 1")
    assert "nothing.py: No such file" in faltung("exercise", "check", "nothing.py").error
    assert "does not say for which exercise" in faltung("exercise", "check", "x.py").error
    assert "there is no such exercise" in faltung("exercise", "check", "x.py", "nothing").error
    assert "has no code to write" in faltung("exercise", "check", "x.py", "age").error
    assert "there is no such exercise" in faltung("exercise", "show", "nothing").error
    assert faltung("exercise", "check", str(tmp_path)).code == 2


def test_ctrl_c_ends_what_was_started(monkeypatch: pytest.MonkeyPatch, faltung: Any) -> None:
    """The learner's process does not outlive the command."""
    from faltung.exercises import running

    started: list[Any] = []
    begin = running._started

    def remembered(folder: Path) -> Any:
        started.append(begin(folder))
        return started[-1]

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "_started", remembered)
    monkeypatch.setattr(running, "_conversation", interrupted)
    said = faltung("exercise", "check")
    assert said.code == 130
    assert started[0].returncode is not None
    for pipe in (started[0].stdin, started[0].stdout):
        pipe.close()
