"""The repository as its reader meets it: sizes, names, layers, links, messages."""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from faltung import errors

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "faltung"
SOURCES = sorted(PACKAGE.rglob("*.py"))
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
MOST_LINES = 400


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def top_level() -> set[str]:
    """The modules and packages right below `faltung`."""
    packages = {path.name for path in PACKAGE.iterdir() if any(path.glob("*.py"))}
    return (packages | {path.stem for path in PACKAGE.glob("*.py")}) - {"__init__"}


def layers() -> list[str]:
    """The lines of import-linter's list, the highest layer first."""
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter", encoding="utf-8")
    listed = config["importlinter:contract:layers"]["layers"]
    return [line.strip() for line in listed.splitlines() if line.strip()]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_are_short(path: Path) -> None:
    assert len(text_of(path).splitlines()) <= MOST_LINES


def test_names_say_what_modules_are_about() -> None:
    vague = {"utils", "util", "helpers", "common", "misc", "base", "manager"}
    names = {part.stem for path in SOURCES for part in (path, *path.parents)}
    assert names & vague == set()
    classes = (
        node.name
        for path in SOURCES
        for node in ast.walk(ast.parse(text_of(path)))
        if isinstance(node, ast.ClassDef)
    )
    assert [c for c in classes if re.match(r"_?Base[A-Z]", c) or c.endswith("Manager")] == []


def test_every_module_has_its_layer() -> None:
    named = [name.strip() for line in layers() for name in line.split("|")]
    assert len(named) == len(set(named))
    assert set(named) == top_level()


def blocks(document: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text_of(document), re.MULTILINE | re.DOTALL)


def test_the_architecture_shows_the_parts_and_layers_that_are_there() -> None:
    parts, drawn = blocks(ROOT / "ARCHITECTURE.md", "text")
    shown = set(re.findall(r"^  (\w+)(?:/|\.py) ", parts, re.MULTILINE))
    assert shown - {"__init__"} == top_level()
    assert drawn.splitlines() == layers()


def test_make_targets_that_are_spoken_of_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    spoken = {t for d in DOCUMENTS for t in re.findall(r"`make ([a-z-]+)", text_of(d))}
    assert spoken
    assert spoken <= targets


def links(document: Path) -> list[str]:
    """Where a document points to within the repository."""
    prose = re.sub(r"^```.*?^```", "", text_of(document), flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"\]\(([^)\s]+)\)", prose)
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(document: Path) -> set[str]:
    """The ids that a page gives its headings: lower case, without signs, spaces as hyphens."""
    titles = re.findall(r"^#+ (.*)", text_of(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(document: Path) -> None:
    for target in links(document):
        path, _, anchor = target.partition("#")
        found = (document.parent / path) if path else document
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, open_ = set[Path](), [ROOT / "README.md"]
    while open_:
        page = open_.pop()
        seen.add(page)
        found = {(page.parent / link.partition("#")[0]).resolve() for link in links(page)}
        open_ += [each for each in found if each in DOCUMENTS and each not in seen]
    assert [name_of(page) for page in DOCUMENTS if page not in seen] == []


def test_documents_are_found_and_so_are_their_links() -> None:
    assert {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"} <= {d.name for d in DOCUMENTS}
    assert "ARCHITECTURE.md#taps-and-spans" in links(ROOT / "CONTRIBUTING.md")
    assert "taps-and-spans" in anchors(ROOT / "ARCHITECTURE.md")


def text_files() -> Iterator[Path]:
    """What is kept in the repository and is text."""
    kept = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in ("src", "tests", "docs", "examples", "scripts", "benchmarks", ".ci"):
        kept += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in kept:
        if "__pycache__" not in path.parts and b"\0" not in path.read_bytes()[:1024]:
            yield path


def test_no_file_knows_where_it_was_written() -> None:
    homes = r"/(?:home|Users|root)/(?!me\b)[\w.-]+|[A-Z]:\\Users\\\w"  # /home/me is nobody's
    places = [str(ROOT), str(ROOT.parent)]
    ours = [re.escape(place) + r"[/\"'\s]" for place in places if len(Path(place).parts) > 2]
    pattern = re.compile("|".join([homes, *ours]))
    found = {name_of(path): pattern.search(text_of(path)) for path in text_files()}
    assert {name: match[0] for name, match in found.items() if match} == {}
    assert "tests/test_structure.py" in found


def test_the_tree_of_errors_is_drawn() -> None:
    """Every exception stands in the docstring, beside the builtin that it also is."""
    classes = {n: c for n, c in vars(errors).items() if isinstance(c, type)}
    assert len(classes) > 8
    for name, cls in classes.items():
        if issubclass(cls, errors.FaltungError) and cls is not errors.FaltungError:
            builtin = cls.__bases__[1].__name__
            assert re.search(rf"── {name} +\({builtin}\)", errors.__doc__ or ""), name
            assert cls.__bases__[0] is errors.FaltungError
