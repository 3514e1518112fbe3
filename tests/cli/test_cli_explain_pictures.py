"""Pictures and animations of what ``faltung explain`` shows, and ``faltung explain field``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import faltung as package
from faltung.graph import layers as L


@pytest.mark.parametrize("topic", ["conv", "cost", "field"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_picture_is_written(faltung: Any, topic: str, theme: str) -> None:
    said = faltung("explain", topic, "--out", "a.svg", "--theme", theme)
    assert said.code == 0, said.err
    assert "note: picture: a.svg" in said.err
    assert Path("a.svg").read_bytes().startswith(b"<?xml")


def test_the_picture_does_not_disturb_json(faltung: Any) -> None:
    assert faltung("explain", "field", "--json", "--out", "a.png").json["input"] == [7, 7]


@pytest.mark.parametrize("topic", ["conv", "cost", "field"])
def test_another_suffix_is_refused_before_anything_is_said(faltung: Any, topic: str) -> None:
    said = faltung("explain", topic, "--out", "a.jpg")
    assert "a picture's suffix must be one of .png, .svg, .pdf" in said.error
    assert topic == "cost" or said.out == ""


def test_the_kernel_slides_over_all_positions(faltung: Any) -> None:
    arguments = ("--image", "1 2 3; 4 5 6", "--kernel", "1 0; 0 1", "--padding", "0:1,0:0")
    assert faltung("explain", "conv", *arguments, "--out", "slide.gif").code == 0
    with Image.open("slide.gif") as gif:
        assert gif.n_frames == 2 * 2


def test_the_field_grows_layer_by_layer(faltung: Any) -> None:
    said = faltung("explain", "field", "--out", "field.gif")
    assert "conv2  1×3×3   5×5      1   51.0 %" in said.out
    with Image.open("field.gif") as gif:
        assert gif.n_frames == 3


def test_the_example_prints_its_full_command(faltung: Any) -> None:
    first, rest = faltung("explain", "field").out.split("\n\n", 1)
    again = faltung("explain", *first.split(" explain ")[1].split())
    assert again.out == rest


def test_fields_of_named_networks_and_of_files(faltung: Any) -> None:
    net = L.build(L.Chain(L.Conv(4, 3, dilation=2), L.MaxPool(2)), (1, 12, 12))
    net.save(Path("mine.onnx"))
    found = faltung("explain", "field", "--net", "mine.onnx", "--size", "10x20", "--json").json
    assert found["input"] == [10, 20]
    assert [layer["sees"] for layer in found["layers"]] == [[5, 5], [6, 6]]
    vgg = faltung("explain", "field", "--net", "vgg16", "--json").json
    assert vgg["layers"][-1]["share"] == 1.0
    assert (
        "positions can be drawn"
        in faltung("explain", "field", "--net", "vgg16", "--out", "a.png").error
    )
    assert "no such file" in faltung("explain", "field", "--net", "none.onnx").error.lower()


def test_networks_are_drawn_and_statements_are_not(faltung: Any) -> None:
    assert faltung("explain", "cost", "--networks", "--out", "a.png").code == 0
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    error = faltung("explain", "cost", "--loose", "--out", "a.png").error
    assert "--out draws costs; loose statements have no picture." in error


def test_field_report_is_what_the_verb_prints(faltung: Any) -> None:
    assert str(package.field_report()) in faltung("explain", "field").out
