"""What the documents show on a Python prompt is so."""

from __future__ import annotations

import doctest
import re
from pathlib import Path
from typing import Any

import pytest

import faltung
from faltung.cli.app import cli
from faltung.cli.explain import TOPICS

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^```py(?:con|thon)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def shown(text: str) -> list[str]:
    """The blocks that show a prompt."""
    return [block for block in FENCED.findall(text) if ">>> " in block]


def examples(document: Path) -> doctest.DocTest:
    """The blocks of a document as one session, so that a later one goes on from an earlier."""
    blocks = shown(document.read_text(encoding="utf-8"))
    name = document.relative_to(ROOT).as_posix()
    return doctest.DocTestParser().get_doctest("\n".join(blocks), {}, name, str(document), 0)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_examples_in_documents_are_so(document: Path, request: pytest.FixtureRequest) -> None:
    if document.name == "estimators.md":
        request.getfixturevalue("sklearn")
    assert doctest.DocTestRunner().run(examples(document)).failed == 0


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_example_is_outside_a_block_that_is_run(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert text.count(">>> ") == sum(block.count(">>> ") for block in shown(text))


def test_what_the_readme_does_with_arrays_can_be_done() -> None:
    """Its other block trains: `make docs` runs that."""
    (code,) = (c for c in FENCED.findall((ROOT / "README.md").read_text()) if "train(" not in c)
    calls = [line for line in code.splitlines() if line.startswith("faltung.")]
    names: dict[str, Any] = {}
    exec("\n".join(line for line in code.splitlines() if line not in calls), names)
    values = [eval(line, names) for line in calls]
    assert values[0] == (8, 16, 16, 16)
    assert [round(values[-1].top), round(values[-1].left)] == [150, 200]


def test_the_readme_has_a_line_for_each_verb() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `faltung (\w+)", text, re.MULTILINE)) == sorted(cli.commands)


def test_the_changelog_knows_what_is_public() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    known = set(re.findall(r"\w+", text))
    assert {name for name in faltung.__all__ if name.islower() and name[0] != "_"} <= known
    assert [verb for verb in cli.commands if f"`faltung {verb}`" not in text] == []
    assert [topic for topic in TOPICS if f"`faltung explain {topic}`" not in text] == []


def test_examples_are_found_and_a_wrong_one_is_seen(tmp_path: Path) -> None:
    assert len(examples(ROOT / "ARCHITECTURE.md").examples) >= 4
    assert len(examples(ROOT / "CONTRIBUTING.md").examples) >= 1
    wrong = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, 0)
    assert doctest.DocTestRunner(verbose=False).run(wrong, out=lambda _: None).failed == 1
