"""Every message of an error that we raise stands, in part, in a test.

Tests match messages with ``pytest.raises(..., match="...")``; this looks at texts alone. For each
rule that is handed to `faltung.errors.message` it wants a stretch of it among the texts of tests.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
LEAST_MATCH = 10
"""So many characters of a rule in a test's text are not there by chance."""


def literal_parts(node: ast.AST) -> list[str]:
    """The parts of a text that do not change; none where it is no literal."""
    values = node.values if isinstance(node, ast.JoinedStr) else [node]
    return [v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)]


def assignments(function: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Name and value of each assignment, those of several names one by one."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            (target,) = node.targets[:1]
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=True))
            yield from ((t.id, v) for t, v in pairs if isinstance(t, ast.Name))


def rules(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Where an error's message is built, and its rule, as the parts that do not change."""
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(function, ast.FunctionDef):
            continue
        known = list(assignments(function))
        for node in ast.walk(function):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if is_call and node.func.id in ("message", "refuse") and len(node.args) > 1:
                rule = node.args[1]
                name = rule.id if isinstance(rule, ast.Name) else None
                for value in [v for n, v in known if n == name] if name else [rule]:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", literal_parts(value)


def is_matched(parts: list[str], tested: str) -> bool:
    """Whether a test has a stretch of a rule; whole parts where they are short."""
    for part in parts:
        width = min(LEAST_MATCH, len(part))
        ends = range(width, len(part) + 1)
        if width > 6 and any(part[end - width : end] in tested for end in ends):
            return True
    return not any(len(part) > 6 for part in parts)


def texts_of_tests() -> str:
    """Every text in the tests, without what regular expressions escape; this file's left out."""
    files = (path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__))
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in files)
    found = (part for tree in trees for node in ast.walk(tree) for part in literal_parts(node))
    return re.sub(r"\\([^\w\s])", r"\1", "\0".join(found))


def test_every_message_has_a_test_that_matches_it() -> None:
    tested = texts_of_tests()
    all_rules = [each for path in SOURCES for each in rules(path)]
    assert len(all_rules) > 150
    unmatched = [f"{p}: {'...'.join(r)}" for p, r in all_rules if not is_matched(r, tested)]
    assert not unmatched, "\n".join(unmatched)


def test_messages_without_a_test_are_seen() -> None:
    assert is_matched(["must be whole numbers"], "x: must be whole, got")
    assert not is_matched(["must be whole numbers"], "must be positive")
    assert not is_matched(["takes ", " inputs and no more"], "takes 3 things")
    assert is_matched([", "], "")
