"""The package as its user meets it: public names, docstrings, examples, what importing costs."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import os
import pkgutil
import re
import statistics
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import faltung
from faltung.errors import FaltungError, GraphError

HEAVY = {
    *("numba", "llvmlite", "onnx", "google", "PIL", "rich", "click", "safetensors", "pooch"),
    *("matplotlib", "scipy", "sklearn", "onnxruntime", "torch", "hypothesis"),
}
MOST_MILLISECONDS = 80.0
ESTIMATORS = "faltung.estimators"
"""What cannot be imported without scikit-learn."""
MODULES = [
    "faltung",
    *(
        module.name
        for module in pkgutil.walk_packages(faltung.__path__, "faltung.")
        if not module.name.endswith("__main__")
    ),
]


HAS_SKLEARN = find_spec("sklearn") is not None


@pytest.fixture
def module(name: str, request: pytest.FixtureRequest) -> ModuleType:
    """A module by its name; skipped where a peer that it needs is missing."""
    if name.startswith(ESTIMATORS):
        request.getfixturevalue("sklearn")
    return importlib.import_module(name)


def is_there(name: str) -> bool:
    """Whether a public name of the package can be had."""
    module, _, _ = faltung._LAZY.get(name, "").partition(":")
    return HAS_SKLEARN or module != ESTIMATORS


def tree_of(module: ModuleType) -> ast.Module:
    return ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))


def exported(tree: ast.AST) -> Iterator[str]:
    """Names imported as themselves, which is how a module says that they are its own."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names if alias.asname == alias.name)


def test_all_is_sorted_and_what_is_exported() -> None:
    assert faltung.__all__ == sorted(set(faltung.__all__))
    assert set(faltung.__all__) == set(exported(tree_of(faltung)))
    assert dir(faltung) == faltung.__all__
    there = [name for name in faltung.__all__ if is_there(name)]
    assert all(getattr(faltung, name) is not None for name in there)
    with pytest.raises(AttributeError, match="module 'faltung' has no attribute 'deconv'"):
        _ = faltung.deconv


@pytest.mark.parametrize("name", MODULES)
def test_all_of_every_module_is_sorted_and_there(module: ModuleType) -> None:
    names = getattr(module, "__all__", [])
    assert list(names) == sorted(set(names))
    assert all(hasattr(module, each) for each in names)


def public_names(module: ModuleType) -> list[str]:
    """`__all__`, or what a module without one defines and what it imports as itself."""
    if hasattr(module, "__all__"):
        return [name for name in module.__all__ if module is not faltung or is_there(name)]
    tree = tree_of(module)
    own = [n.name for n in tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
    return [*exported(tree), *(name for name in own if not name.startswith("_"))]


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """The public methods and properties that a class defines itself."""
    for name, value in vars(cls).items():
        inner = getattr(value, "__func__", value)
        if not name.startswith("_") and (
            inspect.isfunction(inner) or isinstance(inner, (property, cached_property))
        ):
            yield name, inner


def reachable(module: ModuleType, path: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    for name in public_names(module):
        value = getattr(module, name)
        if isinstance(value, ModuleType):
            yield from reachable(value, f"{path}.{name}", seen)
        elif (inspect.isfunction(value) or inspect.isclass(value)) and id(value) not in seen:
            seen.add(id(value))
            yield f"{path}.{name}", value
            if inspect.isclass(value):
                yield from ((f"{path}.{name}.{own}", each) for own, each in members(value))


PUBLIC = dict(reachable(faltung, "faltung", set()))


def sections(docstring: str) -> dict[str, list[str]]:
    """The lines of each numpydoc section."""
    lines, found = inspect.cleandoc(docstring).splitlines(), {"": list[str]()}
    title = ""
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if line and below == "-" * len(line):
            title = line
            found[title] = []
        elif set(line) != {"-"}:
            found[title].append(line)
    return found


def listed(section: list[str]) -> set[str]:
    """The names that a Parameters or Raises section describes."""
    heads = (line.split(" :")[0] for line in section if line and not line[0].isspace())
    return {name.strip().lstrip("*") for head in heads for name in head.split(",")}


def parameters(value: Any) -> set[str]:
    """What a caller can pass; nobody makes our exceptions but we, nor a protocol at all."""
    is_error = inspect.isclass(value) and issubclass(value, BaseException)
    is_protocol = getattr(value, "_is_protocol", False)
    if is_error or is_protocol or isinstance(value, (property, cached_property)):
        return set()
    names = {
        n for n in inspect.signature(value).parameters if n not in ("self", "cls") and n[0] != "_"
    }
    # The module's docstring says it once for all layers.
    in_layers = value.__module__ in ("faltung.graph.layers", "faltung.graph.operations")
    return names - {"name"} if in_layers else names


def raised(value: Any) -> set[str]:
    """The errors of ours that a function, or the making of a record, raises itself, by name."""
    body = vars(value).get("__post_init__") if inspect.isclass(value) else value
    if not inspect.isfunction(body):
        return set()
    tree = ast.parse(textwrap.dedent(inspect.getsource(body)))
    calls = (n.exc for n in ast.walk(tree) if isinstance(n, ast.Raise) and n.exc is not None)
    names = {ast.unparse(c.func) for c in calls if isinstance(c, ast.Call)}
    return {n for n in names if issubclass(getattr(faltung.errors, n, object), FaltungError)}


def docstring_of(value: Any) -> str:
    """A docstring; the one that it points to, where a method says no more than whose rule it is."""
    text = inspect.cleandoc(value.__doc__ or "")
    if points := re.fullmatch(r"See `(\w+)\.(\w+)`\.", text):
        owner = getattr(inspect.getmodule(value), points[1])
        return getattr(owner, points[2]).__doc__ or ""
    return text


def told(value: Any, found: dict[str, list[str]]) -> set[str]:
    """The parameters that a docstring tells about.

    A method may do so in its text, in double backticks, where a section would only repeat the
    annotation; what a function or a record takes is looked up, and wants its section.
    """
    in_text = set(re.findall(r"``(\w+)``", "\n".join(found[""])))
    is_method = inspect.isfunction(value) and "." in value.__qualname__.rpartition("<locals>.")[2]
    return listed(found.get("Parameters", [])) | (in_text if is_method else set())


def shortcomings(value: Any) -> list[str]:
    """What a docstring lacks."""
    found = sections(docstring_of(value))
    summary = found[""][0] if found[""] else ""
    lacking = [] if summary.endswith(".") else ["a summary line that ends in a full stop"]
    missing = parameters(value) - told(value, found)
    lacking += [f"the parameter {name}" for name in sorted(missing)]
    if inspect.isfunction(value):
        says = {"Returns", "Yields"} & set(found) or summary.startswith("Return ")
        returns = inspect.signature(value).return_annotation not in (None, "None", "NoReturn")
        lacking += [] if says or not returns else ["what is returned"]
    errors = raised(value) - listed(found.get("Raises", []))
    return lacking + [f"that it raises {name}" for name in sorted(errors)]


@pytest.mark.parametrize("name", PUBLIC)
def test_public_docstrings_are_whole(name: str) -> None:
    assert shortcomings(PUBLIC[name]) == []


class Pointing:
    """For the test below: a method that is told about in its text, and one that points to it."""

    def say(self, text: str) -> None:
        """Say ``text``."""

    def tell(self, text: str, x: int) -> None:
        """See `Pointing.say`."""


def test_docstrings_that_fall_short_are_seen() -> None:
    def poor(x: int, *rest: int) -> int:
        """Do something"""
        raise GraphError("no")

    def rich(x: int) -> int:
        """Do something.

        Parameters
        ----------
        x, y : int
            A number.

        Returns
        -------
        int
        """
        return x

    assert shortcomings(poor) == [
        "a summary line that ends in a full stop",
        "the parameter rest",
        "the parameter x",
        "what is returned",
        "that it raises GraphError",
    ]
    assert shortcomings(rich) == []
    assert shortcomings(Pointing.tell) == ["the parameter x"]
    assert shortcomings(Pointing.say) == []
    assert len(PUBLIC) > 60
    assert {"faltung.conv", "faltung.Graph.save", "faltung.layers.Conv"} <= set(PUBLIC)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_are_so(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def run_python(code: str, **environment: str) -> str:
    """What a fresh interpreter prints."""
    env = {**os.environ, **environment}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_import_loads_nothing_heavy() -> None:
    loaded = set(run_python("import sys, faltung; print(*sys.modules)").split())
    assert "faltung.ops.conv" in loaded
    assert {name.split(".")[0] for name in loaded} & HEAVY == set()


def test_import_is_quick(tmp_path: Path) -> None:
    """Compiled, as pip leaves it. The thread's own CPU time: others add nothing to it.

    NumPy's threads do, to that of the process: they spin for a while after they have started.
    """
    code = (
        "import time, numpy; start = time.thread_time(); import faltung;"
        "print(1000 * (time.thread_time() - start))"
    )
    compiled = {"PYTHONPYCACHEPREFIX": str(tmp_path)}
    run_python(code, **compiled)
    taken = [float(run_python(code, **compiled)) for _ in range(10)]
    assert statistics.median(taken) <= MOST_MILLISECONDS
