from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from faltung.files.image import read_image, write_image
from faltung.graph.layers import Chain, Conv, Dense, Flatten, Relu, build
from faltung.imaging.hiding import hide

TEMPLATE = np.random.default_rng(0).integers(0, 256, (24, 30, 3)).astype(np.uint8)
GROUND = np.random.default_rng(1).integers(90, 140, (160, 180, 3)).astype(np.uint8)


@pytest.fixture
def hidden(tmp_path: Path):
    made = hide(TEMPLATE, GROUND, copies=4, decoys=3)
    write_image(tmp_path / "t.png", TEMPLATE)
    write_image(tmp_path / "s.png", made.scene)
    return made


def test_the_example_prints_a_command_that_works(faltung) -> None:
    said = faltung("find")
    assert said.code == 0
    assert "found at 5 places" in said.out
    command = shlex.split(said.out.splitlines()[0])
    assert faltung(*command[command.index("find") :], "--json").json["found"] == 5
    assert read_image("waldo-found.png").shape == (400, 600, 3)


def test_places_as_json_and_pictures(faltung, hidden) -> None:
    said = faltung("find", "t.png", "s.png", "--json", "--out", "o.png", "--heat", "h.png")
    assert said.json["found"] == len(hidden.places)
    for y, x in hidden.places:
        assert any(max(abs(m["top"] - y), abs(m["left"] - x)) <= 1 for m in said.json["matches"])
    assert read_image("o.png").shape == hidden.scene.shape == read_image("h.png").shape
    assert (read_image("o.png") != hidden.scene).any()
    assert "note: picture: o.png" in said.err


def test_thresholds(faltung, hidden) -> None:
    assert faltung("find", "t.png", "s.png", "--min-visible", "0.9", "--json").json["found"] == 2
    said = faltung("find", "t.png", "s.png", "--threshold", "0.999")
    assert "not found: the highest correlation is" in said.out


def test_both_beside_each_other(faltung, hidden) -> None:
    pytest.importorskip("matplotlib", reason="the extra viz is not installed")
    assert faltung("find", "t.png", "s.png", "--out", "o.svg").code == 0
    assert Path("o.svg").read_text().lstrip().startswith("<?xml")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    graph = build(Chain(Conv(3, 3), Relu(), Flatten(), Dense(2)), (1, 8, 8), seed=2)
    graph = graph.replace(metadata={"classes": json.dumps(["no", "yes"])})
    return Path(graph.save(tmp_path / "m.onnx"))


def test_a_model_over_a_scene(faltung, model: Path) -> None:
    said = faltung("find", model, "camera", "--json", "--threshold", "0.5", "--out", "o.png")
    assert said.json["windows"] == [505, 505]
    assert [c["name"] for c in said.json["classes"]] == ["no", "yes"]
    assert said.json["comparison"] is None
    assert read_image("o.png").shape == (512, 512, 3)
    alone = faltung("find", model, "cat", "--class", "yes")
    assert "windows of 8x8" in alone.out
    assert "\nno " not in alone.out
    assert faltung("find", model, "cat", "--heat", "h.png").code == 0


def test_the_folder_of_a_run(faltung, model: Path) -> None:
    Path("run").mkdir()
    model.rename("run/model.onnx")
    assert faltung("find", "run", "camera", "--json").code == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["t.png"], "SCENE is missing"),
        (["t.png", "none.png"], "none.png: there is no such file"),
        (["t.png", "s.png", "--threshold", "2"], "threshold must be above 0 and up to 1"),
        (["t.png", "s.png", "--class", "yes"], "--class goes with a classifier"),
        (
            ["m.onnx", "cat", "--class", "maybe"],
            "the model has no class 'maybe'. It knows no, yes.",
        ),
        (["m.onnx", "cat", "--min-visible", "0.6"], "--min-visible goes with a template"),
        (["none.onnx", "cat"], "none.onnx: there is no such model"),
        (["t.png", "s.png", "--out", "o.xyz"], "its suffix names no image format"),
        (["m.onnx", "tiny.png"], "a scene must be (C, H, W) with the patch's channels"),
    ],
)
def test_errors_are_one_line(faltung, hidden, model: Path, arguments, text: str) -> None:
    write_image("tiny.png", np.zeros((4, 4), np.uint8))
    assert text in faltung("find", *arguments).error
