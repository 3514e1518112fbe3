"""Components into one module: what a widget and a saved page carry.

Components import each other by bare names only, ``import { Grid } from "faltung/grid";``. A module
and all that it needs become one: each is a function that returns what it exports, so that no two
private names can meet, in the order in which they need each other. It is no bundler: it knows the
four forms of import and export that the components use, and refuses any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final

from faltung.errors import ExplorerError, message

PREFIX: Final = "faltung/"
_IMPORT: Final = re.compile(r'^import \{ ([\w, ]+) \} from "([^"]+)";$', re.MULTILINE)
_ANY_IMPORT: Final = re.compile(r"^\s*import\b.*|\bimport\(", re.MULTILINE)
_EXPORT: Final = re.compile(
    r"^export (?=(?:async function\*?|function\*?|class|const) (\w+))", re.MULTILINE
)
_ANY_EXPORT: Final = re.compile(r"^\s*export\b.*", re.MULTILINE)
# Lines that are comments, and types: the components have no others, so that no text can be one.
_COMMENT: Final = re.compile(
    r"^[ \t]*(?://.*|/\*(?:(?!\*/)[\s\S])*\*/[ \t]*)\n|/\*\* @(?:(?!\*/).)*\*/ ?", re.MULTILINE
)


@cache
def source(name: str) -> str:
    """Return the text of a component, by its bare name.

    Parameters
    ----------
    name
        Such as ``"faltung/grid"``.

    Raises
    ------
    ExplorerError
        There is none.
    """
    stem = name.removeprefix(PREFIX)
    path = files("faltung.explorer") / "components" / f"{stem}.js"
    if not name.startswith(PREFIX) or not re.fullmatch(r"[a-z0-9-]+", stem) or not path.is_file():
        raise ExplorerError(message("explorer", "there is no such component", {"name": name}))
    return path.read_text("utf-8")


@cache
def bare(name: str) -> str:
    """Return the text of a component without its comments: what pages carry.

    >>> bare("faltung/numbers").splitlines()[0]
    'export function number(v) {'
    """
    return _COMMENT.sub("", source(name)).lstrip("\n")


@cache
def style() -> str:
    """Return the components' style sheet, without the colours."""
    return (files("faltung.explorer") / "components" / "style.css").read_text("utf-8")


def needs(name: str) -> tuple[str, ...]:
    """Return what a component imports, in the order of its imports."""
    return tuple(match[2] for match in _IMPORT.finditer(source(name)))


def in_order(*names: str) -> tuple[str, ...]:
    """Return components and all that they need, each after what it needs.

    Raises
    ------
    ExplorerError
        Two components need each other.

    Examples
    --------
    >>> in_order("faltung/controls")
    ('faltung/dom', 'faltung/controls')
    """
    ordered: list[str] = []
    for name in names:
        for found in _walk(name, ()):
            if found not in ordered:
                ordered.append(found)
    return tuple(ordered)


def _walk(name: str, above: tuple[str, ...]) -> Iterator[str]:
    if name in above:
        values = {"modules": " -> ".join((*above, name))}
        raise ExplorerError(message("explorer", "components must not need each other", values))
    for needed in needs(name):
        yield from _walk(needed, (*above, name))
    yield name


def inlined(*names: str) -> str:
    """Return one script that has components and all that they need, each as a constant.

    Parameters
    ----------
    names
        Bare names; after the script, ``name_of(name)`` holds what a component exports.

    Raises
    ------
    ExplorerError
        A component uses a form of import or export that cannot be inlined.
    """
    return "\n".join(_as_constant(name) for name in in_order(*names))


def name_of(name: str) -> str:
    """Return the constant that holds a component's exports.

    >>> name_of("faltung/slide-state")
    'faltung_slide_state'
    """
    return re.sub(r"\W", "_", name)


def _as_constant(name: str) -> str:
    text = bare(name)
    exported = [match[1] for match in _EXPORT.finditer(text)]
    text = _EXPORT.sub("", text)
    text = _IMPORT.sub(lambda m: f"const {{ {m[1]} }} = {name_of(m[2])};", text)
    for pattern in (_ANY_IMPORT, _ANY_EXPORT):
        left = pattern.search(text)
        if left:
            values = {"component": name, "line": left[0].strip()}
            raise ExplorerError(message("explorer", "this form cannot be inlined", values))
    return f"const {name_of(name)} = (() => {{\n{text}return {{ {', '.join(exported)} }};\n}})();"
