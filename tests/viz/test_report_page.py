"""The report beside a model: one file, everything in it, nothing from elsewhere."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from faltung.datasets import Dataset, load_pair, zero_one
from faltung.graph import layers as L
from faltung.report import Table
from faltung.training.loop import TrainingResult, train
from faltung.training.recipe import Recipe
from faltung.training.start import start_new
from faltung.viz.page import COLOURS, Section, inline_svg, page
from faltung.viz.report import write
from faltung.viz.style import figure, themed
from faltung.viz.theme import LIGHT

# Elements that may stand open in HTML.
VOID = {"meta", "br", "img", "link", "hr", "input"}


class Reader(HTMLParser):
    """Notes elements, attributes and headings, and that every element is closed in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def digits() -> tuple[Dataset, Dataset]:
    train_set, test_set = (zero_one(part) for part in load_pair("sample"))
    return train_set.subset(np.arange(200)), test_set


@pytest.fixture(scope="module")
def run(
    digits: tuple[Dataset, Dataset], tmp_path_factory: pytest.TempPathFactory
) -> TrainingResult:
    network = start_new("zero-one", digits[0])
    out = tmp_path_factory.mktemp("run")
    return train(network, *digits, recipe=Recipe(epochs=1, batch=50), out=out)


@pytest.fixture(scope="module")
def html(
    run: TrainingResult, digits: tuple[Dataset, Dataset], tmp_path_factory: pytest.TempPathFactory
) -> str:
    path = write(tmp_path_factory.mktemp("report") / "report.html", run, digits[1])
    return path.read_text(encoding="utf-8")


def test_everything_is_there(html: str) -> None:
    assert read(html).headings == [
        "zero-one on sample 0 and 1",
        "Curves",
        "Confusion",
        "Mistakes",
        "Filters",
        "The most different filters",
        "Feature maps",
        "Layers",
    ]
    assert "738" in html  # parameters
    assert "conv2" in html


def test_nothing_is_fetched(html: str) -> None:
    reader = read(html)
    assert not {tag for tag, _ in reader.seen} & {"script", "link", "iframe", "object", "img"}
    for _, attributes in reader.seen:
        for name, value in attributes.items():
            if name in ("src", "href", "xlink:href"):
                assert str(value).startswith(("#", "data:image/png;base64,"))
    assert "@import" not in html
    assert re.findall(r"url\((?!#)", html) == []


def test_ids_are_unique_and_references_lead_somewhere(html: str) -> None:
    reader = read(html)
    ids = [attributes["id"] for _, attributes in reader.seen if "id" in attributes]
    assert len(ids) == len(set(ids)) > 100
    links = [str(a["xlink:href"]) for _, a in reader.seen if "xlink:href" in a]
    used = {link[1:] for link in links if link.startswith("#")} | set(
        re.findall(r"url\(#(.*?)\)", html)
    )
    assert used <= set(ids)


def test_both_themes_are_in_it(html: str) -> None:
    """No colour of the light theme is left in a picture: all are variables, which both define."""
    assert "@media (prefers-color-scheme: dark)" in html
    assert all(html.count(f"--{name}:") == 2 for name in COLOURS)
    drawings = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(drawings) == 6
    for drawing in drawings:
        ElementTree.fromstring(drawing)  # well-formed
        assert not re.search("|".join(getattr(LIGHT, name) for name in COLOURS), drawing)
        assert set(re.findall(r"var\(--(\w+)\)", drawing)) <= set(COLOURS)


def test_it_is_small(html: str) -> None:
    assert len(html) < 500_000


def test_without_test_images_the_rest_is_told(run: TrainingResult, tmp_path: Path) -> None:
    bare = dataclasses.replace(run, test=None, validation=None, metrics=None)
    html = write(tmp_path / "report.html", bare).read_text(encoding="utf-8")
    assert read(html).headings[1:] == ["Filters", "The most different filters", "Layers"]
    assert "accuracy" not in html


def test_a_network_without_convolutions_has_no_filters(
    run: TrainingResult, digits: tuple[Dataset, Dataset], tmp_path: Path
) -> None:
    dense = L.build(L.Chain(L.Flatten(), L.Dense(2)), (1, 14, 14))
    html = write(tmp_path / "report.html", dataclasses.replace(run, graph=dense), digits[1])
    headings = read(html.read_text(encoding="utf-8")).headings
    assert headings == [
        "network on images",
        "Curves",
        "Confusion",
        "Mistakes",
        "Feature maps",
        "Layers",
    ]


def test_names_are_escaped() -> None:
    odd = '<script>alert("&")</script>'
    with themed() as theme:
        drawn = figure(theme, 4, 3)
        drawn.suptitle(odd)
    sections = [Section(odd, odd, drawn), Section("t", "", Table((odd,), [(odd,)]))]
    html = page(odd, [(odd, odd)], sections)
    assert odd not in html
    assert not [tag for tag, _ in read(html).seen if tag == "script"]
    assert html.count("&lt;script&gt;") >= 8


def test_a_drawing_says_what_it_is() -> None:
    with themed() as theme:
        drawn = figure(theme, 4, 3)
    text = inline_svg(drawn, "a-", "an empty figure")
    assert text.startswith('<svg role="img" aria-label="an empty figure"')
    assert 'id="a-figure_1"' in text
