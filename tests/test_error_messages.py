"""Every message of an error that we raise stands, in part, in a test.

Tests match messages with ``pytest.raises(..., match="...")``; this looks at texts alone. For each
rule that is handed to `faltung.errors.message` it wants a stretch of it among the texts of tests.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
Makers = Mapping[str, tuple[int, ...]]
"""Functions by name, and which of their arguments are a rule or a part of one."""
MESSAGE: Makers = {"message": (1,)}
LEAST_MATCH = 10
"""So many characters of a rule in a test's text are not there by chance."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def literals(node: ast.AST) -> list[list[str]]:
    """The texts that an expression may be, each as its parts that do not change."""
    if isinstance(node, ast.IfExp):
        return literals(node.body) + literals(node.orelse)
    values = node.values if isinstance(node, ast.JoinedStr) else [node]
    parts = [v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)]
    return [parts] if parts else []


def assignments(scope: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Name and value of each assignment, those of several names one by one."""
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign):
            (target,) = node.targets[:1]
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=True))
            yield from ((t.id, v) for t, v in pairs if isinstance(t, ast.Name))


def handed(scope: ast.AST, makers: Makers) -> Iterator[tuple[int, ast.AST]]:
    """What a function or module hands on as a rule, and in which line."""
    known = list(assignments(scope))
    for node in ast.walk(scope):
        if isinstance(node, ast.Call):
            for place in makers.get(getattr(node.func, "id", getattr(node.func, "attr", "")), ()):
                for rule in node.args[place : place + 1]:
                    name = rule.id if isinstance(rule, ast.Name) else None
                    values = [v for n, v in known if n == name] if name else []
                    yield from ((node.lineno, value) for value in values or [rule])


def makers_of(tree: ast.AST, makers: Makers) -> Makers:
    """The functions that make a rule, or a part of one, of what they are given."""
    found: dict[str, tuple[int, ...]] = {}
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and function.name not in makers:
            given = [a.arg for a in function.args.args if a.arg not in ("self", "cls")]
            within = {
                n.id
                for _, rule in handed(function, makers)
                for part in (rule.values if isinstance(rule, ast.JoinedStr) else [rule])
                for n in [part.value if isinstance(part, ast.FormattedValue) else part]
                if isinstance(n, ast.Name)
            }
            if within & set(given):
                found[function.name] = tuple(i for i, n in enumerate(given) if n in within)
    return found


def rules(path: Path, makers: Makers) -> Iterator[tuple[str, list[str]]]:
    """Where an error's message is built, and its rule, as the parts that do not change."""
    tree = tree_of(path)
    within = {**makers, **makers_of(tree, makers)}
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    others = [node for node in tree.body if not isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    for scope in [*functions, *others]:  # a name stands for other texts in each
        for line, rule in handed(scope, within):
            place = f"{name_of(path)}:{line}"
            # One word is a name that goes into a rule, not a rule.
            yield from ((place, ps) for ps in literals(rule) if any(" " in part for part in ps))


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
    nodes = (node for path in files for node in ast.walk(tree_of(path)))
    found = (part for node in nodes for parts in literals(node) for part in parts)
    return re.sub(r"\\([^\w\s])", r"\1", "\0".join(found))


def test_every_message_has_a_test_that_matches_it() -> None:
    tested = texts_of_tests()
    makers = {n: at for path in SOURCES for n, at in makers_of(tree_of(path), MESSAGE).items()}
    shared = {**MESSAGE, **{n: at for n, at in makers.items() if not n.startswith("_")}}
    all_rules = [each for path in SOURCES for each in rules(path, shared)]
    assert {"refuse", "wrong"} < set(shared)
    assert len(all_rules) > 300
    unmatched = [f"{p}: {'...'.join(r)}" for p, r in all_rules if not is_matched(r, tested)]
    assert not unmatched, "\n".join(unmatched)


def test_rules_that_go_through_another_function_are_seen(tmp_path: Path) -> None:
    code = """
def _error(path, why): return message(path, f"cannot be read, {why}")
def read(path, is_cut):
    if is_cut: raise _error(path, "it ends early" if path else "it has no end")
    rule, cure = "it is empty", "Fill it"
    raise _error(path, rule)
"""
    makers = makers_of(ast.parse(code), MESSAGE)
    assert makers == {"_error": (1,)}
    path = tmp_path / "module.py"
    path.write_text(code)
    found = sorted("".join(parts) for _, parts in rules(path, MESSAGE))
    assert found == ["cannot be read, ", "it ends early", "it has no end", "it is empty"]


def test_messages_without_a_test_are_seen() -> None:
    assert is_matched(["must be whole numbers"], "x: must be whole, got")
    assert not is_matched(["must be whole numbers"], "must be positive")
    assert not is_matched(["takes ", " inputs and no more"], "takes 3 things")
    assert is_matched([", "], "")
