"""``faltung explain square`` and ``faltung explain matrix``: what is printed, written, refused."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faltung.cli.explain import TOPICS
from faltung.cli.explain.arguments import written
from faltung.constraints import CORNERS, ConvMatrix, conv_matrix, square


def test_topics_are_listed_and_each_has_an_example(faltung: Any) -> None:
    said = faltung("explain")
    assert said.code == 0
    for topic in TOPICS:
        assert f"\n  {topic} " in said.out
        shown = faltung("explain", topic)
        assert shown.code == 0, shown.err
        assert shown.out.startswith("$ ")
    assert "No such command 'nothing'" in faltung("explain", "nothing").error


def test_the_example_prints_its_full_command(faltung: Any) -> None:
    for topic in ("square", "matrix"):
        first, rest = faltung("explain", topic).out.split("\n\n", 1)
        assert f"explain {topic} --size " in first
        arguments = first.split(" explain ")[1].split()
        again = faltung("explain", *arguments)
        assert again.out == rest


def test_square_draws_its_matrices(faltung: Any) -> None:
    said = faltung("explain", "square", "--size", "2x2", "--window", "0:1")
    assert said.out == f"{square((2, 2), (0, 1))}\n"
    assert "· f · h    · e · h\n" in said.out
    assert said.err == ""


@pytest.mark.parametrize(
    ("size", "window", "parameters"),
    [
        ("2x2", "-1:1", (16, 9, 16, 9)),
        ("2x2", "0:1", (16, 9, 9, 4)),
        ("2x3", "1", (36, 15, 28, 9)),
        ("2×3", "0:1,0:1", (36, 15, 15, 4)),
        ("3X3", "-1:1,-1:1", (81, 25, 49, 9)),
        ("3x3", "0:1", (81, 25, 25, 4)),
    ],
)
def test_json_has_the_numbers(faltung: Any, size: str, window: str, parameters: Any) -> None:
    found = faltung("explain", "square", "--size", size, "--window", window, "--json").json
    assert tuple(found["corners"][c]["parameters"] for c in CORNERS) == parameters


def test_channels_and_axes(faltung: Any) -> None:
    options = ["--channels", "2", "--out-channels", "3", "--json"]
    found = faltung("explain", "square", "--size", "5", *options).json
    assert found["matrix"] == [15, 10]
    assert found["corners"]["convolution"]["weight_shape"] == [3, 2, 3]


def test_weights_are_compared_with_chance(faltung: Any) -> None:
    made = square((3, 3))
    w = np.random.default_rng(0).standard_normal((1, 1, 3, 3))
    np.save("w.npy", made.matrix("convolution", w))
    found = faltung("explain", "square", "--weights", "w.npy", "--json").json
    assert found["explained"]["convolution"]["share"] == 1.0
    assert found["explained"]["convolution"]["chance"] == 9 / 81
    said = faltung("explain", "square", "--size", "3x3", "--weights", "w.npy").out
    assert "energy explained" in said
    np.save("w.npy", np.ones((4, 4)))
    said = faltung("explain", "square", "--size", "3x3", "--weights", "w.npy")
    assert "must have a row for each output and a column for each input" in said.error


def test_matrices_are_written(faltung: Any) -> None:
    said = faltung("explain", "square", "--size", "2x3", "--matrix", "m.npy", "--json")
    made = square((2, 3))
    held = np.load("m.npy")
    assert held.shape == (4, 6, 6)
    for corner, tied in zip(CORNERS, held, strict=True):
        assert np.array_equal(tied, made.tied(corner))
    assert "note: matrices: m.npy, in the order dense, shared, local, convolution" in said.err
    options = ["--kernel", "2", "--stride", "2", "--padding", "1:0", "--matrix", "c.npy"]
    assert faltung("explain", "matrix", "--size", "5", *options).code == 0
    w = np.array([[[7, 9]]])
    want = conv_matrix(w, (5,), stride=2, padding=((1, 0),))
    tied = np.load("c.npy")
    assert np.array_equal(np.where(tied < 0, 0, w.ravel()[tied]), want)


def test_matrix_counts(faltung: Any) -> None:
    found = faltung("explain", "matrix", "--size", "4x4", "--padding", "same", "--json").json
    assert found["matrix"] == [16, 16]
    assert (found["nonzeros"], found["parameters"]) == (100, 9)
    said = faltung("explain", "matrix").out
    assert "columns (inputs)        36" in said
    options = ["--channels", "4", "--out-channels", "2", "--groups", "2", "--dilation", "2x1"]
    found = faltung("explain", "matrix", "--size", "7x7", *options, "--json").json
    assert found["w"] == [2, 2, 3, 3]
    assert found["out"] == [2, 3, 5]


def test_colours_are_for_terminals_alone(faltung: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b" not in faltung("explain", "square").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert faltung("explain", "square").out.count("\x1b[") > 100


@pytest.mark.parametrize(("topic", "kind"), [("square", "square"), ("matrix", "matrices")])
def test_pictures_are_drawn_by_viz(
    faltung: Any, topic: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    style = pytest.importorskip("faltung.viz.style")
    drawn: list[Any] = []

    def draw(subject: Any, *, theme: str) -> Any:
        drawn.append((subject, theme))
        with style.themed(theme) as colours:
            return style.figure(colours, 2, 2)

    stub: Any = types.ModuleType(f"faltung.viz.{kind}")
    stub.draw = draw
    monkeypatch.setitem(sys.modules, f"faltung.viz.{kind}", stub)
    said = faltung("explain", topic, "--size", "5x5", "--out", "x.png", "--theme", "dark")
    made = {"square": square((5, 5)), "matrix": ConvMatrix.of((5, 5), (1, 1, 3, 3))}
    assert drawn == [(made[topic], "dark")]
    assert Path("x.png").read_bytes().startswith(b"\x89PNG")
    assert "picture: x.png" in said.err
    assert "suffix must be one of" in faltung("explain", topic, "--out", "x.txt").error
    assert len(drawn) == 1


@pytest.mark.parametrize("topic", ["square", "matrix"])
def test_pictures_are_drawn(faltung: Any, topic: str) -> None:
    pytest.importorskip("matplotlib")
    assert faltung("explain", topic, "--out", "x.svg").code == 0
    assert Path("x.svg").read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("square --size 3by3", "'3by3' is not written like 28x28"),
        ("square --size 3x", "'3x' is not written like 28x28"),
        ("square --window 1:2:3", "'1:2:3' is not written like 1, -1:1 or -1:1,0:1"),
        ("square --window a", "'a' is not written like 1, -1:1 or -1:1,0:1"),
        ("square --size 0x3", "size must be 1 to 3 ints of at least 1, got size=(0, 3)."),
        ("square --size 3x3 --window 7:8", "window must hold an offset that the image has"),
        ("square --window 0:1,0:1,0:1", "for each of the 2 axes"),
        ("square --channels 0", "channels must be at least 1, got in_channels=0"),
        ("square --size 200x200 --matrix m.npy", "this matrix has too many entries to list"),
        ("square --weights none.npy", "none.npy"),
        ("square --matrix no/m.npy", "no/m.npy"),
        ("matrix --padding 1:", "'1:' is not written like same, 1 or 0:1,0:1"),
        ("matrix --padding reflect", "the word must be one of 'valid', 'same'"),
        ("matrix --channels 3 --groups 2", "in_channels must be divisible by groups"),
        ("matrix --groups 0", "groups must be at least 1, got groups=0."),
        ("matrix --kernel 3", "w must have as many axes as x"),
        ("matrix --stride 1x2x3", "stride: must be an int or one int for each of the 2 axes"),
    ],
)
def test_one_line(faltung: Any, command: str, text: str) -> None:
    assert text in faltung("explain", *command.split()).error


def test_what_is_written_is_read_again() -> None:
    from faltung.cli.explain.arguments import Padding, Sizes, Window

    for kind, value in [
        (Sizes(), (3, 4, 5)),
        (Window(), 2),
        (Window(), ((-1, 1), (0, 1))),
        (Padding(), ((-1, 0), (2, 2))),
        (Padding(), "same_lower"),
        (Padding(), -1),
    ]:
        assert kind.parse(written(value)) == value
        assert kind.convert(value, None, None) == value or isinstance(value, str)
