"""``faltung inspect``: every option, every face, and what does not go together."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from faltung import layers as L
from faltung import zoo
from faltung.analysis.inspect import Inspection, inspect


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Two inputs, one of them of open size, two outputs."""
    left, right = L.Input((1, 12), "left"), L.Input((1, 12), "right")
    both = L.Concat()(L.Conv(2, 3, name="a")(left), L.Conv(2, 3, name="b")(right))
    return L.build([L.MaxPool(2)(both), both]).save(tmp_path / "two.onnx")


def strange(path: Path) -> Path:
    """A convolution, an operator that nobody knows, and one behind it."""
    w = numpy_helper.from_array(np.ones((4, 1, 3, 3), np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["h"], "first"),
        helper.make_node("Fold", ["h"], ["f"], "odd_one", domain="odd"),
        helper.make_node("Relu", ["f"], ["r"], "behind"),
    ]
    info = helper.make_tensor_value_info
    shape: list[str | int | None] = ["n", 1, "height", "width"]
    graph = helper.make_graph(
        nodes,
        "strange",
        [info("x", TensorProto.FLOAT, shape)],
        [info("r", TensorProto.FLOAT, None)],
        [w],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("odd", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    return path


def test_without_arguments_it_runs_an_example(faltung: Any) -> None:
    said = faltung("inspect")
    assert said.code == 0
    assert said.out.startswith("$ faltung inspect lenet5\n")
    assert "61,706" in said.out
    assert said.err == ""


@pytest.mark.parametrize("width", [60, 80, 100, 140])
@pytest.mark.parametrize("name", ["lenet5", "mobilenet-v2", "densenet121"])
def test_the_table_fits_the_terminal(
    faltung: Any, monkeypatch: pytest.MonkeyPatch, name: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    said = faltung("inspect", name)
    lines = said.out.splitlines()
    assert max(map(len, lines)) <= width
    rule = next(i for i, line in enumerate(lines) if "──" in line)
    titles = lines[rule - 1].split()
    assert titles[:4] == ["layer", "output", "params", "MACs"]
    params = inspect(name).totals.params
    (total, *_) = (line.split() for line in lines if line.split()[:1] == ["total"])
    if width >= 80:
        assert f"{params:,}" in total
        assert "sees" in titles
    assert "…" not in "".join(line[20:] for line in lines)


def test_json(faltung: Any) -> None:
    said = faltung("inspect", "vgg16", "--json")
    assert said.err == ""
    assert said.json == inspect("vgg16").to_dict()
    assert said.json["totals"]["params"] == 138_357_544


def test_a_bare_json_is_one_object(faltung: Any) -> None:
    said = faltung("inspect", "--json")
    assert said.json["name"] == "lenet5"
    assert said.err.startswith("$ faltung inspect lenet5")


def test_markdown(faltung: Any) -> None:
    said = faltung("inspect", "lenet5", "--markdown")
    assert said.out == inspect("lenet5").markdown()


def test_a_page(faltung: Any) -> None:
    said = faltung("inspect", "lenet5", "--html", "x.html")
    assert said.out == "page: x.html\n"
    assert Path("x.html").read_text() == inspect("lenet5").html()
    assert [path.name for path in Path().iterdir()] == ["x.html"]


def test_a_page_that_cannot_be_written_leaves_what_was_there(faltung: Any) -> None:
    said = faltung("inspect", "lenet5", "--html", "nowhere/x.html")
    assert "nowhere" in said.error
    Path("x.html").mkdir()
    assert "x.html" in faltung("inspect", "lenet5", "--html", "x.html").error


def test_sizes(faltung: Any, model: Path) -> None:
    said = faltung("inspect", "lenet", "--input", "2x3x40x36", "--json")
    assert said.json["inputs"] == [{"name": "x", "shape": [2, 3, 40, 36]}]
    assert said.json["open_sizes"] == {}
    said = faltung("inspect", model, "--input", "left=1x1x9", "--input", "right=1x1x9", "--json")
    assert [each["shape"] for each in said.json["inputs"]] == [[1, 1, 9], [1, 1, 9]]
    assert faltung("inspect", model).code == 0


def test_open_sizes_are_told(faltung: Any, tmp_path: Path) -> None:
    said = faltung("inspect", strange(tmp_path / "s.onnx"))
    told = " ".join(said.out.split())
    sizes = "(open sizes n, height, width taken as 1, 224, 224)"
    assert f"s: 3 operators; input x: 1x1x224x224 {sizes}" in told


def test_unknown_operators_are_rows(faltung: Any, tmp_path: Path) -> None:
    said = faltung("inspect", strange(tmp_path / "s.onnx"))
    assert said.code == 0
    assert "≥ 36" in said.out
    assert "Totals are lower bounds, as 2 operators are not known." in " ".join(said.out.split())
    found = faltung("inspect", tmp_path / "s.onnx", "--json").json
    assert [each["unknown"] is None for each in found["layers"]] == [True, False, False]
    said = faltung("inspect", tmp_path / "s.onnx", "--layer", "odd_one")
    assert "Not all of it is known" in said.out


def test_one_layer(faltung: Any) -> None:
    said = faltung("inspect", "vgg16", "--layer", "maxpool5")
    assert "-90 to 121 × -90 to 121" in said.out
    assert "102 to 313 × 102 to 313" in said.out
    assert "conv13" in said.out
    found = faltung("inspect", "vgg16", "--layer", "maxpool5", "--json").json
    assert found["layer"]["name"] == "maxpool5"
    said = faltung("inspect", "vgg16", "--layer", "maxpool5", "--html", "l.html")
    assert "maxpool5" in Path("l.html").read_text()
    assert faltung("inspect", "vgg16", "--layer", "maxpool5", "--markdown").out.startswith("# max")


def test_two_models(faltung: Any, model: Path) -> None:
    said = faltung("inspect", "resnet20", "resnet50")
    assert "25,557,032" in said.out
    assert "ratio" in said.out
    found = faltung("inspect", "resnet20", "resnet50", "--json").json
    assert found["totals"]["params"]["after"] == 25_557_032
    assert faltung("inspect", "lenet", model, "--markdown").out.startswith("# lenet and")
    assert faltung("inspect", "lenet", model, "--html", "d.html").code == 0
    assert "ratio" in Path("d.html").read_text()
    said = faltung("inspect", "lenet", "lenet")
    assert "layers are the same." in said.out


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize(
    "command", ["vgg16 --layer conv13", "mobilenet-v1 mobilenet-v2", "lenet5 lenet"]
)
def test_other_tables_fit_the_terminal(
    faltung: Any, monkeypatch: pytest.MonkeyPatch, command: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    said = faltung("inspect", *command.split())
    assert max(map(len, said.out.splitlines())) <= width


def test_the_folder_of_a_run(faltung: Any, example: Any) -> None:
    said = faltung("inspect", example.model.parent, "--json")
    assert said.json["name"] == "model"
    assert said.json["totals"]["params"] > 0


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (
            "none.onnx",
            "none.onnx: there is no such model. Name an ONNX file, the folder of a run, ",
        ),
        ("file", "file: model: the file is damaged, or no ONNX model."),
        (".", ".: is a folder without model.onnx."),
        ("vgg16 --input 1x3", "input 'x' must have 4 sizes, got shape=1x3, declared=Nx3x224x224."),
        ("vgg16 --input 1xC", "'1xC' is not written like 1x3x224x224 or left=1x8"),
        ("vgg16 --input 1x3x0x4", "'1x3x0x4' is not written like"),
        ("vgg16 --input y=1x3x8x8", "shapes must name inputs, got names=['y'], inputs=['x']."),
        ("vgg16 --input 1x3x8x8", "zoo vgg16: the images are too small"),
        ("lenet5 --layer C2", "there is no such layer, got layer='C2'. Use one such as"),
        ("lenet5 --json --markdown", "--json and --markdown exclude each other."),
        ("lenet5 --json --html x.html", "--json and --html exclude each other."),
        ("lenet5 --html m.onnx", "--html writes a page: 'm.onnx' must end in .html."),
        ("lenet5 --out x.png", "--out draws an effective field: say which by --effective-field."),
        ("lenet5 lenet --layer C1", "--layer is about one model, but two are given."),
        ("lenet5 lenet --verify", "--verify is about one model, but two are given."),
        ("lenet5 --layer C1 --verify", "--layer and --verify exclude each other."),
        ("lenet5 --effective-field C1 --out x.txt", "x.txt"),
        ("lenet5 lenet vgg16", "unexpected extra argument (vgg16)"),
    ],
)
def test_one_line(faltung: Any, command: str, text: str) -> None:
    Path("file").write_bytes(b"no model")
    said = faltung("inspect", *command.split())
    assert text in said.error
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["file"]


class Counted:
    """What a verification looks like, passed or not."""

    def __init__(self, passed: bool) -> None:
        self.passed = passed
        row = SimpleNamespace(layer="C1", figure="macs")
        self.differences = [] if passed else [row, row]

    def blocks(self) -> list[str]:
        return ["12 figures were counted again."]

    def to_dict(self) -> dict[str, Any]:
        return {"passed": self.passed}


@pytest.mark.parametrize("face", [(), ("--json",), ("--markdown",)])
@pytest.mark.parametrize("passed", [True, False])
def test_a_figure_that_does_not_hold_is_an_exit_code(
    faltung: Any, monkeypatch: pytest.MonkeyPatch, passed: bool, face: tuple[str, ...]
) -> None:
    monkeypatch.setattr(Inspection, "verify", lambda _: Counted(passed))
    said = faltung("inspect", "lenet5", "--verify", *face)
    assert said.code == (0 if passed else 1)
    line = "error: verify: 2 figures are not what brute force counts: C1 macs, C1 macs\n"
    assert said.err == ("" if passed else line)
    if face == ("--json",):
        assert json.loads(said.out)["verification"] == {"passed": passed}
    else:
        assert "12 figures were counted again." in said.out


def test_figures_counted_again(faltung: Any) -> None:
    said = faltung("inspect", "zero-one", "--verify")
    assert (said.code, said.err) == (0, "")
    assert "all agree" in said.out
    found = faltung("inspect", "zero-one", "--verify", "--json").json
    assert found["totals"]["params"] == inspect("zero-one").totals.params
    assert "verification" in found


def test_shifts(faltung: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = faltung("inspect", "zero-one", "--equivariance")
    assert said.code == 0, said.err
    assert "Shifts along" in said.out
    assert "…" not in said.out.partition("Shifts along")[2]
    assert max(map(len, said.out.splitlines())) <= 80
    said = faltung("inspect", "zero-one", "--equivariance", "--html", "x.html")
    assert "<h2>Equivariance</h2>" in Path("x.html").read_text()


def test_the_effective_field(faltung: Any) -> None:
    said = faltung("inspect", "zero-one", "--effective-field", "conv2", "--out", "x.png")
    assert said.code == 0, said.err
    assert "energy" in said.out
    assert Path("x.png").read_bytes().startswith(b"\x89PNG")
    found = faltung("inspect", "zero-one", "--effective-field", "conv2", "--json").json
    assert "effective_field" in found
    assert "there is no such layer" in faltung("inspect", "--effective-field", "no").error


def test_a_name_of_the_zoo_is_no_file(faltung: Any) -> None:
    zoo.build("zero-one").save("lenet5")
    assert "61,706" in faltung("inspect", "lenet5").out
    assert "61,706" not in faltung("inspect", "./lenet5").out
