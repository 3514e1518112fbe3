"""``faltung explain data``: what is printed, drawn, written as JSON, refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faltung import data_report
from faltung.analysis.data.report import EXAMPLE


def test_the_example_prints_its_full_command(faltung: Any) -> None:
    first, rest = faltung("explain", "data").out.split("\n\n", 1)
    assert first.endswith(f"explain data {EXAMPLE}")
    assert faltung("explain", "data", EXAMPLE).out == rest
    assert rest == f"{data_report(EXAMPLE)}\n"


def test_the_verdict_turns_when_values_are_shuffled(faltung: Any) -> None:
    assert faltung("explain", "data", "camera", "--json").json["verdict"]["fits"] == "yes"
    shuffled = faltung("explain", "data", "camera", "--shuffled", "--json").json
    assert shuffled["verdict"]["fits"] == "no"
    assert shuffled["is_shuffled"]


def test_options_reach_the_report(faltung: Any) -> None:
    np.save("a.npy", np.random.default_rng(0).standard_normal((6, 2, 30)))
    options = ["--layout", "NCT", "--shuffles", "30", "--seed", "4", "--json"]
    found = faltung("explain", "data", "a.npy", *options).json
    want = data_report("a.npy", layout="NCT", shuffles=30, seed=4).to_dict()
    assert found == want
    assert (found["samples"], found["sizes"], found["shuffles"], found["seed"]) == (6, [30], 30, 4)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures_are_drawn_and_can_be_read(faltung: Any, theme: str) -> None:
    pytest.importorskip("matplotlib")
    values = np.cumsum(np.random.default_rng(0).standard_normal(5000))
    np.save("walk.npy", values)
    said = faltung("explain", "data", "walk.npy", "--out", "x.svg", "--theme", theme)
    assert said.code == 0
    assert "note: picture: x.svg" in said.err
    drawn = Path("x.svg").read_bytes()
    assert drawn.startswith(b"<?xml")
    said = faltung("explain", "data", "none.npy", "--out", "x.txt")
    assert "suffix must be one of" in said.error  # before anything is read


def test_every_text_of_the_picture_can_be_read() -> None:
    pytest.importorskip("matplotlib")
    from faltung.viz.distance import draw_report
    from faltung.viz.legible import complaints

    for name in ("cat", "camera"):
        for theme in ("light", "dark"):
            figure = draw_report(data_report(name, shuffles=20), theme=theme)
            assert complaints(figure) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing.png"], "there is no such file or folder"),
        (["flat.npy"], "flat.npy: values must vary to be correlated, got value=1.0"),
        (["words"], "holds neither IDX nor CIFAR files"),
        (["empty"], "the folder is empty"),
        (["words.csv"], "words.csv: no column has numbers that vary"),
        (["flat.npy", "--layout", "ABC"], "layout must have a letter for each axis"),
        (["flat.npy", "--shuffles", "3"], "shuffles must be at least 20, got shuffles=3"),
        (["sample", "--data-dir", "."], "sample is part of the package"),
        (["cat", "dog"], "Got unexpected extra argument"),
    ],
)
def test_one_line(faltung: Any, arguments: list[str], says: str) -> None:
    np.save("flat.npy", np.ones((4, 4)))
    Path("words.csv").write_text("a\nx\n")
    for folder in ("empty", "words"):
        Path(folder).mkdir()
    Path("words/a.md").write_text("words")
    assert says in faltung("explain", "data", *arguments).error
