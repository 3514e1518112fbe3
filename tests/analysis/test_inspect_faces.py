"""The faces of an inspection: text of any width, JSON, Markdown, a page, a difference."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from faltung import layers as L
from faltung.analysis.inspect import Inspection, inspect
from faltung.analysis.inspect.page import markdown_of, page_of
from faltung.analysis.inspect.table import columns, table
from faltung.errors import FaltungError
from faltung.report import Table

NETWORKS = ("lenet5", "resnet20", "unet")
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Tree(HTMLParser):
    """Checks that tags close in order, and keeps the table's cells."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        assert not {"src", "href", "onload"} & set(names), names
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def tree_of(page: str) -> Tree:
    tree = Tree()
    tree.feed(page)
    tree.close()
    assert tree.open == []
    return tree


@pytest.fixture(scope="module", params=NETWORKS)
def report(request: pytest.FixtureRequest) -> Inspection:
    return inspect(request.param)


def test_json_holds_every_figure(report: Inspection) -> None:
    found = report.to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert len(found["layers"]) == len(report.layers)
    assert found["totals"]["params"] == sum(each["params"] for each in found["layers"])
    assert found["peak_memory"]["bytes"] == report.peak_memory.bytes
    layer = found["layers"][-1]
    assert {"macs", "connections", "connections_inside", "macs_per_byte", "fields"} <= set(layer)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160, 400])
def test_the_table_fits_its_width(report: Inspection, width: int) -> None:
    shown = table(report, width)
    assert max(map(len, str(shown).splitlines())) <= width
    titles = list(shown.header)
    assert titles[:2] == ["layer", "output"]
    if width >= 80:
        assert titles[:5] == ["layer", "output", "params", "MACs", "sees"]
        assert f"{report.totals.cost.macs:,}" in shown.footer
    if width == 400:
        assert titles == [column.title for column in columns(report)]


def test_long_names_are_cut_in_front() -> None:
    layer = L.Conv(1, 3, name="/features/features.0/features.0.0/a/very/long/name/Conv")
    shown = str(table(inspect(L.build(layer, (1, 8, 8))), 80))
    assert "long/name/Conv" in shown
    assert "…" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_markdown_has_a_row_for_each_layer(report: Inspection) -> None:
    lines = report.markdown().splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == len(report.layers) + 3
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert f"**{report.totals.params:,}**" in rows[-1]


def test_the_page_stands_alone(report: Inspection) -> None:
    page = report.html()
    tree = tree_of(page)
    assert page.startswith("<!doctype html>")
    assert "http" not in page
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page
    names = [row[0] for row in tree.rows]
    assert names == ["layer", *(layer.name for layer in report.layers), "total"]
    assert len({len(row) for row in tree.rows}) == 1


def test_notebooks_get_a_part_of_a_page(report: Inspection) -> None:
    part = report._repr_html_()
    assert len(tree_of(part).rows) == len(report.layers) + 2
    assert "<html" not in part
    assert set(report._repr_mimebundle_()) == {"text/plain", "text/html"}


def test_names_are_escaped() -> None:
    graph = L.build(L.Conv(1, 3, name="<b>&|`_x"), (1, 8, 8))
    report = inspect(graph)
    tree = tree_of(report.html())
    assert tree.rows[1][0] == "<b>&|`_x"
    tree_of(report._repr_html_())
    assert "\\<b>&\\|\\`\\_x" in report.markdown()
    assert tree_of(page_of("<i>", report.detail("<b>&|`_x").blocks())).rows


def test_other_reports_as_markdown_and_page() -> None:
    blocks: list[Table | str] = [
        "One | line.",
        Table(("a", "b"), [("1", "2")], ("3", "4"), title="T", left=(0,)),
    ]
    assert markdown_of("x_y", blocks).splitlines() == [
        *("# x\\_y", "", "One \\| line.", "", "T", ""),
        *("| a | b |", "| --- | ---: |", "| 1 | 2 |", "| 3 | 4 |"),
    ]
    assert tree_of(page_of("x", blocks)).rows == [["a", "b"], ["1", "2"], ["3", "4"]]


def test_detail_of_a_layer() -> None:
    report = inspect("vgg16")
    detail = report.detail("maxpool5")
    found = json.loads(json.dumps(detail.to_dict(), allow_nan=False))
    assert [each["sees"][0] for each in found["seen"]] == [[-90, 122], [6, 218], [102, 314]]
    assert [each["position"] for each in found["seen"]] == [[0, 0], [3, 3], [6, 6]]
    assert [each["name"] for each in found["way"]][-1] == "maxpool5"
    text = str(detail)
    assert "-90 to 121 × -90 to 121" in text
    assert re.search(r"^conv1 +Conv +64×224×224 +3×3 +1 +-1 to 1$", text, re.MULTILINE)
    assert report.detail("dense1").layer.params == 102_764_544
    assert "all" not in str(report.detail("conv1"))


def test_difference_of_two_networks() -> None:
    before, after = inspect("resnet20"), inspect("resnet50")
    found = before.difference(after)
    assert found.totals()["params"] == (before.totals.params, 25_557_032)
    table = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert table["totals"]["params"]["ratio"] == 25_557_032 / before.totals.params
    assert table["same_layers"] + len(table["changed_layers"]) == len(found.pairs)
    assert sum(pair.before is not None for pair in found.pairs) == len(before.layers)
    assert sum(pair.after is not None for pair in found.pairs) == len(after.layers)


def test_a_network_does_not_differ_from_itself() -> None:
    found = inspect("resnet20").difference(inspect("resnet20"))
    assert found.changed == ()
    assert f"All {len(found.pairs)} layers are the same." in str(found)
    assert {a == b for a, b in found.totals().values()} == {True}


def test_layers_are_matched_by_name_then_by_place() -> None:
    def net(*layers: L.AbstractLayer) -> Inspection:
        return inspect(L.build(L.Chain(*layers), (1, 16, 16)))

    before = net(L.Conv(2, 3, name="a"), L.Relu("r"), L.Conv(2, 3, name="b"), L.MaxPool(2))
    after = net(L.Conv(2, 3, name="a"), L.Tanh("t"), L.Conv(4, 3, name="b"))
    found = before.difference(after)
    names = [(p.before and p.before.name, p.after and p.after.name) for p in found.pairs]
    assert names == [("a", "a"), ("r", "t"), ("b", "b"), ("maxpool1", None)]
    assert [pair.changed for pair in found.pairs[:2]] == [(), ("operator",)]
    assert {"params", "output", "MACs"} <= set(found.pairs[2].changed)
    assert found.pairs[3].changed == ("removed",)
    back = after.difference(before)
    assert back.pairs[-1].changed == ("added",)
    text = str(found)
    assert "r → t" in text
    assert "3 layers differ, 1 are the same." in text
    assert "- maxpool1" in text
    assert "+ maxpool1" in str(back)
    assert "2×12×12 → 4×12×12" in text


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(FaltungError, match=r"none\.onnx: cannot be read"):
        inspect("none.onnx")


def test_a_difference_names_the_inputs_where_there_are_several() -> None:
    def net(size: int) -> Inspection:
        left, right = (L.Input((1, 12), name) for name in ("left", "right"))
        both = (L.Conv(1, 3, padding=1)(left), L.Conv(1, size, padding=size // 2)(right))
        return inspect(L.build(L.Add()(*both)))

    assert "left: 3; right: 3 → left: 3; right: 5" in str(net(3).difference(net(5)))
