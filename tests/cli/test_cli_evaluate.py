"""``faltung evaluate``: accuracy, confusion, mistakes, and which model and data it takes."""

from __future__ import annotations

import os
import re
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import faltung as package
from faltung.cli.mistakes import confusion_table, matrix_table
from faltung.cli.picture import pictures


@pytest.fixture
def trained(faltung: Any, squares: Path) -> Path:
    """A run that has not learned much, so that there are mistakes."""
    words = ("--net", "zero-one", "--epochs", "1", "--lr", "0.0005", "--out", "mine")
    assert faltung("train", "--data", squares, *words).code == 0
    return Path("mine/model.onnx")


def test_its_numbers_are_those_of_the_model(faltung: Any, trained: Path, squares: Path) -> None:
    said = faltung("evaluate", trained, "--split", "train", "--worst", "3", "--json")
    assert said.code == 0, said.err
    found = said.json
    data, _ = package.datasets.load_pair(squares)
    plan = package.compile(package.load(trained), data.images.shape)
    scores = np.asarray(plan(data.images)).astype(np.float64)
    predictions = scores.argmax(axis=1)
    assert found["images"] == len(data) == 78
    assert found["accuracy"] == np.mean(predictions == data.labels) < 1
    expected = np.zeros((3, 3), int)
    np.add.at(expected, (data.labels, predictions), 1)
    assert found["confusion"] == expected.tolist()
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    losses = -np.log(shares[np.arange(len(data)), data.labels])
    wrong = np.flatnonzero(predictions != data.labels)
    worst = wrong[np.argsort(-losses[wrong], kind="stable")][:3]
    assert [each["index"] for each in found["worst"]] == worst.tolist()
    for each, index in zip(found["worst"], worst, strict=True):
        assert each["true"] == data.classes[data.labels[index]]
        assert each["predicted"] == data.classes[predictions[index]]
        assert each["confidence"] == pytest.approx(shares[index].max(), rel=1e-12)
        assert each["loss"] == pytest.approx(losses[index], rel=1e-12)


def test_train_and_test_part_are_those_of_training(faltung: Any, trained: Path) -> None:
    parts = [faltung("evaluate", trained, "--split", s, "--json").json for s in ("train", "test")]
    assert [part["images"] for part in parts] == [78, 12]
    graph = package.load(trained)
    assert f"{parts[1]['accuracy']:.6f}" == graph.metadata["accuracy"]


def test_the_report(faltung: Any, trained: Path, squares: Path) -> None:
    said = faltung("evaluate", "mine", "--split", "train")
    lines = said.out.splitlines()
    assert lines[0] == f"$ faltung evaluate mine/model.onnx --data {squares} --split train"
    assert re.search(r"^ 1 middle \[b\] ", said.out, re.MULTILINE)
    assert "Worst mistakes:" in said.out
    assert re.fullmatch(r"accuracy: [\d.]+ %  \(\d+ of 78 images\)", lines[-1])


def test_without_a_model_it_takes_the_newest(faltung: Any, example: Any) -> None:
    for age, name in ((10, "old"), (0, "new"), (20, "older")):
        folder = Path("runs", name)
        shutil.copytree(example.model.parent, folder)
        time = 1_700_000_000 - age
        os.utime(folder / "model.onnx", (time, time))
    said = faltung("evaluate")
    assert said.code == 0, said.err
    assert "$ faltung evaluate runs/new/model.onnx --data sample --split test" in said.out


def test_without_any_model_it_trains_a_tiny_one(faltung: Any) -> None:
    said = faltung("evaluate")
    assert said.code == 0, said.err
    assert "no model under runs/, so a tiny network is trained first" in said.err
    first, second = (line for line in said.out.splitlines() if line.startswith("$ "))
    assert first == "$ faltung train --data sample --net zero-one"
    assert second == "$ faltung evaluate --data sample --split test"
    assert re.search(r"accuracy: (99\.5|100\.0) %", said.out)
    assert not Path("runs").exists()


def test_classes_are_matched_by_name(faltung: Any, trained: Path, squares: Path) -> None:
    arrays = dict(np.load(squares))
    order = np.array([2, 0, 1])
    arrays["classes"] = arrays["classes"][order]
    arrays["labels"] = np.argsort(order)[arrays["labels"]]
    np.savez("turned.npz", **arrays)
    before = faltung("evaluate", trained, "--data", squares, "--split", "train", "--json").json
    # Which images are held out depends on the classes' order; the whole part is the same.
    after = faltung("evaluate", trained, "--data", "turned.npz", "--split", "train", "--json").json
    assert before["classes"] == after["classes"]
    assert np.trace(after["confusion"]) / 78 == after["accuracy"]
    both = np.sum([before["confusion"], after["confusion"]], axis=2)
    assert both.max() <= 30


def test_other_classes_are_noted(faltung: Any, trained: Path, squares: Path) -> None:
    arrays = dict(np.load(squares))
    arrays["classes"] = np.array(["x", "y", "z"])
    np.savez("named.npz", **arrays)
    said = faltung("evaluate", trained, "--data", "named.npz")
    assert said.code == 0
    assert "note: mine/model.onnx knows other classes (top, middle [b], bottom, ...)" in said.err


def test_a_softmax_at_the_end_changes_nothing(faltung: Any, trained: Path) -> None:
    from faltung.graph import Node
    from faltung.graph.graph import Graph
    from faltung.ops import Softmax

    graph = package.load(trained)
    node = Node("p", Softmax(), (graph.outputs[0],), ("p",))
    nodes = (*graph.nodes, node)
    Graph(graph.inputs, nodes, ("p",), graph.params, graph.state, graph.metadata).save(
        "mine/soft.onnx"
    )
    plain = faltung("evaluate", trained, "--json").json
    soft = faltung("evaluate", "mine/soft.onnx", "--json").json
    for name in ("accuracy", "loss", "confusion", "worst"):
        assert soft[name] == plain[name]


def rendered(table: Any, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width)
    console.print(table)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("longest", ["9", "Ankle boot with fur and laces"])
def test_ten_classes_fit_eighty_columns(longest: str) -> None:
    classes = (*(f"{number}" for number in range(9)), longest)
    confusion = np.full((10, 10), 9999)
    console = Console(file=StringIO(), width=80)
    lines = rendered(confusion_table(confusion, classes, console), 80)
    assert sum(line.count("9999") for line in lines) == 100
    assert max(map(len, lines)) <= 80


def test_a_matrix_that_does_not_fit_becomes_pairs() -> None:
    confusion = np.diag([5] * 10)
    confusion[3, 8], confusion[8, 3] = 4, 2
    console = Console(file=StringIO(), width=30)
    lines = rendered(confusion_table(confusion, tuple("0123456789"), console), 60)
    assert [line.split() for line in lines if "%" in line] == [
        ["3", "8", "4", "44.4", "%"],
        ["8", "3", "2", "28.6", "%"],
    ]


def test_many_classes_become_pairs() -> None:
    console = Console(file=StringIO(), width=200)
    table = confusion_table(np.eye(13, dtype=int), tuple(map(str, range(13))), console)
    assert "taken for" in "".join(rendered(table, 200))


def test_a_class_without_images_is_no_division_by_zero() -> None:
    lines = rendered(matrix_table(np.array([[1, 0], [0, 0]]), ("a", "b"), "true"), 80)
    assert any("no image" in line for line in lines)


def test_a_picture_shows_the_pixels() -> None:
    image = np.zeros((1, 1, 6, 6), np.uint8)
    image[0, 0, 1, 2], image[0, 0, 2, 1:5], image[0, 0, 4, 4] = 255, 200, 255
    drawn = pictures(image, ["image 7"], Console(file=StringIO(), width=80))
    assert [line.rstrip() for line in rendered(drawn, 80)] == ["▄█▄▄", "   ▄", "image 7"]


def test_colours_are_drawn_in_colours_or_not_at_all() -> None:
    image = np.full((1, 3, 2, 2), 7, np.uint8)
    image[0, :, 1], image[0, :, 0, 1] = 255, 9
    assert pictures(image, ["a"], Console(file=StringIO(), width=80)) is None
    assert pictures(image[:, :2], ["a"], Console(file=StringIO(), width=80)) is None
    colour = Console(file=StringIO(), width=80, force_terminal=True, color_system="truecolor")
    colour.print(pictures(image, ["a"], colour))
    assert isinstance(colour.file, StringIO)
    assert "\x1b[38;2;7;7;7;48;2;255;255;255m▀" in colour.file.getvalue()
